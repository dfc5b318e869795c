"""Promise: what a deny rule closes to reading is in no prompt of any role, by no tool and no way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lao.servers.simulated.request import SimRequest
from lao.state.tables import AuditRow
from tests.workflows import relay
from tests.workflows.conftest import MODELS, Plant
from tests.workflows.test_tools_in_flow import call

Open = Callable[..., Plant]
PLAN = "# Shop\n\nThe shop shows `vault_price`.\n\n- task: shop | file: shop.py | content: x\n"
KEY = '"""hunter2"""\n\n\ndef vault_price(amount: int) -> int:\n    return amount * 4711\n'
SHOP = "from secrets_of.key import vault_price\n\n\ndef shown() -> int:\n    return vault_price(2)\n"


def script() -> dict[str, object]:
    """A coder, and a helper, that look for the key in every way, write their file and one beside the key."""

    def rule(role: str, *calls: dict[str, object]) -> dict[str, object]:
        return {"match": {"role": role}, "answer": {"tool_calls": list(calls)}, "times": 1}

    looks = (
        call("file_read", path="secrets_of/key.py"),
        call("find_relevant_files", query="vault_price amount"),
        call("list_dir", path="secrets_of"),
    )
    return {
        "responses": [
            rule("coder", *looks, call("file_patch", path="secrets_of/key.py", search="nothing", replace="x")),
            rule("coder", call("shell_exec", command="cat secrets_of/key.py; grep -r vault_price secrets_of")),
            rule("coder", call("agent_run", goal="What is the price?")),
            rule("helper", *looks),
            {"match": {"role": "helper"}, "answer": {"text": "I may not say."}, "times": 1},
            rule("coder", call("file_write", path="secrets_of/new.py", content="blind = 815\n")),
            rule("coder", call("file_write", path="shop.py", content=SHOP + "\n\nopen_ = True\n")),
            {"match": {"role": "coder"}, "answer": {"text": "Done."}},
        ]
    }


def prompts(plant: Open, root: Path, deny: list[str]) -> dict[str, str]:
    """The whole text of all requests of a plan, by role."""
    folder = root / "shop" / "secrets_of"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "key.py").write_text(KEY)
    (folder.parent / "shop.py").write_text(SHOP)
    known: dict[str, object] = {
        role: {"key": key, "supports_tools": True, "context_length": 65_536} for role, key in MODELS.items()
    }
    with relay.opened() as server:
        factory = plant(
            script(),
            lm_studio_base_url=server.url,
            models=known,
            agentic={"subagent_enabled": True},
            calibration={"auto": False},
            permissions={"deny": deny},
        )
        server.target = factory.server.url
        factory.submit("shop", PLAN)
        factory.turn()
        assert [t["state"] for t in factory.tasks()] == ["completed"]
        found: dict[str, str] = {}
        for body in server.bodies:
            request = SimRequest("", json.loads(body))
            if request.messages:
                found[request.role] = found.get(request.role, "") + body.decode()
    return found


def test_a_denied_folder_is_in_no_prompt(plant: Open, tmp_path: Path) -> None:
    """G1 G5: neither content nor definitions, for planner, coder, helper and reviewer; what they ask for is refused."""
    found = prompts(plant, tmp_path, ["Read(secrets_of/**)"])
    assert {"planner", "coder", "helper", "reviewer"} <= found.keys()
    for role, text in found.items():
        for word in ("hunter2", "4711", "def vault_price"):
            at = text.find(word)
            assert at < 0, (role, word, text[max(0, at - 300) : at + 100])
    assert "secrets_of" not in found["planner"]
    assert "815" not in found["reviewer"]
    assert "open_ = True" in found["reviewer"]
    refused = [row.tool for row in AuditRow.select().order_by(AuditRow.id) if not row.granted]
    assert refused == ["file_read", "list_dir", "file_patch", "shell_exec", "file_read", "list_dir"]


def test_the_same_without_the_rule_is_full_of_it(plant: Open, tmp_path: Path) -> None:
    """The test above can fail: the map, the file, the search and the diff show what the rule closes."""
    found = prompts(plant, tmp_path, [])
    assert "def vault_price" in found["planner"]
    assert "hunter2" in found["coder"]
    assert "hunter2" in found["helper"]
    assert "815" in found["reviewer"]


def test_a_rule_without_a_path_takes_the_tool_away(plant: Open, tmp_path: Path) -> None:
    """G1: the coder still gets the files of its task, since it could not work on them otherwise."""
    found = prompts(plant, tmp_path, ["Read"])
    assert "return vault_price(2)" in found["coder"]
    assert not AuditRow.select().where(AuditRow.tool == "file_read", AuditRow.granted).exists()
