"""``lao preflight``: what it says of a plan, its JSON and exit codes; and what ``lao submit`` warns of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.clock import SystemClock
from lao.core.states import PlanState
from lao.core.words import TaskSpec
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer
from lao.state import pipeline
from lao.state.store import open_store
from lao.state.tables import PlanRow
from lao.state.transitions import move_plan

NOWHERE = "http://127.0.0.1:9"
GOOD = """\
---
validation: python3 -m pytest -q
budget: {tokens: 5000, seconds: 2h}
---
# Shop

## Basket

Write `basket.py` with a class Basket that adds up prices.
Test: `python3 -m pytest -q test_basket.py`
"""


class Terminal:
    """Commands and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert main(list(arguments)) == code
        shown = self._capsys.readouterr()
        assert "Traceback" not in shown.err
        return shown.out + shown.err

    def json(self, *arguments: str, code: int = 0) -> dict:
        assert main([*arguments, "--json"]) == code
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def lao(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "plans").mkdir()
    return Terminal(capsys)


def rows(view: dict, name: str) -> list[tuple[str, str]]:
    return [(row["level"], row["text"]) for row in view["rows"] if row["name"] == name]


def write(text: str, name: str = "shop") -> str:
    path = Path("plans") / f"{name}.md"
    path.write_text(text)
    return str(path)


def configure(**document: object) -> None:
    Path("factory.yaml").write_text(
        yaml.safe_dump({"lm_studio_base_url": NOWHERE, "orchestration": {"min_free_disk_mb": 1}, **document})
    )


def test_a_good_plan_passes_without_a_server(lao: Terminal) -> None:
    """M1: everything is looked at, no model and no server is needed, and nothing is handed in by it."""
    configure()
    view = lao.json("preflight", "--plan", write(GOOD))
    assert view["ok"] and view["plan"] is None
    assert view["figures"]["budget"] == {"tokens": 5000, "seconds": 7200}
    assert view["figures"]["chunks"] == 1
    assert view["figures"]["commands"] == ["python3 -m pytest -q", "python3 -m pytest -q test_basket.py"]
    assert view["figures"]["files"]["ordered"] == ["basket.py"]
    assert "no history yet" in rows(view, "time")[0][1]
    assert rows(view, "memory")[0][0] == "info"
    assert lao.json("status")["plans"] == []
    assert "nothing stands against it" in lao("preflight", "plans/shop.md")


def test_a_vague_plan_wants_a_person(lao: Terminal) -> None:
    """M1: no command, no file, vague words and a file that nobody writes are each said; the exit code is 4."""
    configure()
    text = "# Site\n\nMake a fast and robust page. Use the colours of `old/style.css`.\n"
    view = lao.json("preflight", "--plan", write(text), code=4)
    said = " ".join(row["text"] for row in view["rows"] if row["level"] == "warn")
    assert "no command decides" in said and "old/style.css" in said and "'fast', 'robust'" in said
    assert "look at what is marked" in lao("preflight", "--plan", "plans/shop.md", code=4)


def test_the_size_is_cut_as_the_planner_cuts(lao: Terminal) -> None:
    """M1: a plan beyond the planner's window is said to be planned in parts, and its too large section is named."""
    configure(models={"planner": {"key": "p", "context_length": 4096, "max_completion": 1024}})
    big = "".join(f"## Part {n}\n\nWrite `part_{n}.py`.\n{'It does what is written here. ' * 90}\n" for n in range(9))
    view = lao.json("preflight", "--plan", write(f"# Big\n\n{big}\nTest: `python3 -m pytest`\n"), code=0)
    assert view["figures"]["chunks"] > 2
    tests = "Test: `python3 -m pytest`"
    huge = f"# Big\n\n## One\n\nWrite `one.py`.\n{tests}\n{'Much to be done here. ' * 900}\n## Two\n\nx\n"
    assert "'One'" in str(rows(lao.json("preflight", "--plan", write(huge), code=4), "size"))


def test_a_known_plan_is_held_against_its_tasks(lao: Terminal, tmp_path: Path) -> None:
    """M1: once planned, sentences of which no task speaks are named; by id, name or file."""
    configure()
    text = GOOD + "\n## Report\n\nThe program must print quarterly invoices for every customer.\n"
    ident = lao("submit", write(text)).split()[0]
    store = open_store(tmp_path / ".lao" / "state.db", SystemClock())
    with store.write():
        move_plan(PlanRow.get_by_id(ident), PlanState.PLANNING, 1.0)
        pipeline.add_tasks(ident, (TaskSpec("Basket", "Write basket.py adds up prices", ("basket.py",)),), 1.0)
    store.close()
    for name in ("shop", ident, "plans/shop.md"):
        view = lao.json("preflight", "--plan", name, code=4)
        assert view["plan"] == ident
        assert view["figures"]["uncovered"] == ["The program must print quarterly invoices for every customer."]


def test_models_and_other_plans_are_looked_at(lao: Terminal) -> None:
    """M1: a model that the server has not, one that does not fit, and a plan that is waited for."""
    with SimulatedServer(Scenario(vram_total_bytes=5_000_000_000)) as server:
        models = {role: {"key": f"sim-{role}"} for role in ("planner", "coder", "reviewer")}
        configure(lm_studio_base_url=server.url, server={"kind": "simulated"}, models=models)
        view = lao.json("preflight", "--plan", write(GOOD.replace("budget", "depends_on: base\nbudget")), code=4)
        assert all("does not fit" in text for _, text in rows(view, "memory"))
        assert "waits for plan 'base', which has not been handed in" in str(rows(view, "order"))
        assert server.url and view["figures"]["least_swaps"] == 2
        models["coder"]["key"] = "none-such"
        configure(lm_studio_base_url=server.url, server={"kind": "simulated"}, models=models)
        assert "'none-such'" in str(rows(lao.json("preflight", "--plan", "plans/shop.md", code=4), "memory"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("---\nbudget: 5\n---\nBuild it.\n", "budget 5"),
        ("---\npriority: [\n---\nBuild it.\n", "not valid YAML"),
    ],
)
def test_what_cannot_be_handed_in_is_bad_input(lao: Terminal, text: str, said: str) -> None:
    """M1: exit code 42 and one message."""
    configure()
    assert said in lao("preflight", "--plan", write(text), code=42)


def test_a_plan_that_is_not_there(lao: Terminal) -> None:
    """M1: an unknown name is bad input, no name at all is wrong usage."""
    configure()
    assert "no plan 'nowhere'" in lao("preflight", "--plan", "nowhere", code=42)
    lao("preflight", code=2)


def test_submit_warns_and_takes_the_plan(lao: Terminal) -> None:
    """M1: the cheap part runs at submit, once, on stderr; ``spec_doctor_enabled: false`` silences it."""
    configure()
    said = lao("submit", write("# Site\n\nMake a nice page of it, please, with all that it needs.\n"))
    assert "warning: no command decides" in said
    assert "warning" not in lao("submit", "plans/shop.md")
    configure(agentic={"spec_doctor_enabled": False})
    assert "warning" not in lao("submit", write("# Site\n\nMake another page.\n", "other"))
