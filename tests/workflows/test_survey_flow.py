"""The survey in the pipeline: a model is asked once about an existing workspace, and what it does harms no plan."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.llm.structured import schema_problem
from lao.state.tables import RunRow, StepRow
from tests.workflows import relay
from tests.workflows.conftest import MODELS, Plant
from tests.workflows.relay import Relay

PLAN = "# More\n\n- task: Add | file: extra.py | content: X = 1 | test: python3 -c 'import extra'\n\nSee `calc.py`.\n"
KNOWN = {role: {"key": key, "supports_tools": True, "context_length": 32_768} for role, key in MODELS.items()}
Open = Callable[..., Plant]
SCHEMA = Path(__file__).parents[2] / "lao" / "workspace" / "survey" / "report.schema.json"


def existing(plant: Plant, name: str = "more", **files: str) -> Path:
    """A workspace with code in it, before LAO comes."""
    folder = plant.root / name
    folder.mkdir(exist_ok=True)
    for path, text in {"calc.py": "def add(a, b):\n    return a + b\n", **files}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def prompts(server: Relay, role: str) -> list[str]:
    """The whole text of each request of a role."""
    bodies = [json.loads(body) for body in server.bodies]
    texts = ["\n".join(str(m["content"]) for m in body["messages"]) for body in bodies if "messages" in body]
    return [text for text in texts if f"LAO role: {role}\n" in text]


def calls(plant: Plant, role: str) -> list[dict]:
    """What the server answered to a role."""
    return [e for e in plant.server.log if e["kind"] == "completion" and e.get("role") == role]


def report(folder: Path) -> dict:
    return json.loads((folder / "analyst_report.json").read_text())


def phases(plant: Plant) -> list[str]:
    with plant.factory.store.reading():
        return [row.phase for row in RunRow.select().where(RunRow.task.is_null()).order_by(RunRow.id)]


def subjects(folder: Path) -> list[str]:
    done = subprocess.run(["git", "log", "--format=%s"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_an_existing_workspace_is_surveyed(plant: Open) -> None:
    """D1: one call between ingest and plan; report and page are committed; planner and reviewer see what was found."""
    with relay.opened() as server:
        it = plant(lm_studio_base_url=server.url, calibration={"auto": False}, models=KNOWN)
        server.target = it.server.url
        folder = existing(it)
        it.submit("more", PLAN)
        it.turn()
        (prompt,), (planner,), (reviewer,) = (prompts(server, role) for role in ("analyst", "planner", "reviewer"))
    assert [p["state"] for p in it.plans()] == ["completed"]
    assert phases(it) == ["ingest", "survey", "plan", "close"]
    assert schema_problem(report(folder), json.loads(SCHEMA.read_text())) == ""
    assert report(folder)["report_meta"]["model_part"]["status"] == "answered"
    assert {"file": "calc.py", "text": "Its beginning is shown.", "by": "model"} in report(folder)["integration_points"]
    assert "- Names are short." in (folder / "ANALYST.md").read_text()
    assert subjects(folder)[::-1][:4] == [
        "lao(plan): more",
        "lao(analyst): survey of more",
        "lao(analyst): what a model adds to the survey of more",
        "lao(architect): 1 tasks for more",
    ]
    assert "def add(a, b):\n    return a + b" in prompt
    for text in (planner, reviewer):
        assert "# The workspace, as surveyed" in text
        assert "- Convention: Names are short." in text
    assert planner.index("as surveyed") < planner.index("# The plan\n")
    assert reviewer.index("as surveyed") < reviewer.index("# Task: Add")
    loads = [e["model"] for e in it.server.log if e["kind"] == "load"]
    assert loads == ["sim-planner", "sim-coder", "sim-reviewer"]


@pytest.mark.parametrize("enabled", [True, False])
def test_an_empty_workspace_is_as_if_there_were_no_analyst(plant: Open, enabled: bool) -> None:
    """D1: nothing to survey: no phase, no file, no commit, no word in a prompt."""
    it = plant(orchestration={"analyst_enabled": enabled})
    it.submit("more", PLAN)
    it.turn()
    folder = it.root / "more"
    assert phases(it) == ["ingest", "plan", "close"]
    assert calls(it, "analyst") == []
    assert not (folder / "ANALYST.md").exists()
    assert not (folder / "analyst_report.json").exists()
    assert not any("analyst" in subject for subject in subjects(folder))
    with it.factory.store.reading():
        assert ("survey" in [s.label for s in StepRow.select()]) is enabled


def test_switched_off_nothing_is_surveyed(plant: Open) -> None:
    """D1: analyst_enabled false: an existing workspace is planned for as it is."""
    it = plant(orchestration={"analyst_enabled": False})
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert phases(it) == ["ingest", "plan", "close"]
    assert not (folder / "analyst_report.json").exists()


FAILURES = {
    "nonsense": ({"answer": {"text": "I think it is quite nice."}}, "no usable JSON"),
    "inventions": ({"answer": {"text": '{"summary": "See `no/such.py`."}'}}, "nothing of the workspace that holds"),
    "empty": ({"answer": {"text": ""}}, "no usable JSON"),
    "refused": ({"fault": {"kind": "http", "status": 400, "body": {"error": "no"}}}, ""),
    "broken": ({"fault": {"kind": "http", "status": 500, "body": "broken"}}, ""),
    "hangs up": ({"fault": {"kind": "close"}}, ""),
    "silent": ({"fault": {"kind": "hang"}}, ""),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_the_model_does_the_plan_goes_on(plant: Open, failure: str) -> None:
    """D1: nonsense, inventions, errors, broken connections: what LAO found itself stands, and the report says why."""
    answer, why = FAILURES[failure]
    it = plant({"responses": [{"match": {"role": "analyst"}, **answer}]}, orchestration={"llm_request_timeout_s": 1})
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert [p["state"] for p in it.plans()] == ["completed"]
    part = report(folder)["report_meta"]["model_part"]
    assert part["status"] == "failed"
    assert why in part["why"] != ""
    assert report(folder)["file_inventory"]["files"] == 1
    assert part["why"][:40] in (folder / "ANALYST.md").read_text()


def test_too_small_a_context_asks_nobody(plant: Open) -> None:
    """D1: where a snapshot would tell nothing, the model is not asked."""
    models = {**KNOWN, "planner": {**KNOWN["planner"], "context_length": 2048}}
    it = plant(models=models)
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert calls(it, "analyst") == []
    assert "2048 tokens is too small" in report(folder)["report_meta"]["model_part"]["why"]


def test_the_same_files_are_not_asked_about_twice(plant: Open) -> None:
    """D1: another plan in the same workspace, whose files are the same, costs no second call; other files do."""
    it = plant()
    folder = existing(it)
    it.submit("more", PLAN.replace("extra.py", "calc.py").replace("import extra", "import calc"))
    it.turn()
    first = report(folder)
    it.submit("more", "# Nothing\n\n- task: Same | file: calc.py | content: X = 1 | test: true\n\nSee `calc.py`.\n")
    it.turn()
    assert report(folder)["report_meta"]["tree"] != first["report_meta"]["tree"]
    assert len(calls(it, "analyst")) == 2
    it.submit("more", "# Again\n\n- task: Same | file: calc.py | content: X = 1 | test: true\n\nNow calc.py.\n")
    it.turn()
    second = report(folder)
    assert len(calls(it, "analyst")) == 2
    assert second["report_meta"]["model_part"]["status"] == "reused"
    assert second["conventions"] == ["Names are short."]
    assert phases(it)[-3:] == ["ingest", "plan", "close"]


def test_files_of_the_user_with_these_names_stay(plant: Open) -> None:
    """D1 C4: an ANALYST.md or analyst_report.json that LAO did not write is never written over."""
    it = plant()
    folder = existing(it, **{"ANALYST.md": "# Mine\n", "analyst_report.json": '{"mine": true}'})
    it.submit("more", PLAN)
    it.turn()
    assert (folder / "ANALYST.md").read_text() == "# Mine\n"
    assert report(folder) == {"mine": True}
    assert [p["state"] for p in it.plans()] == ["completed"]
    assert len(calls(it, "analyst")) == 1


def test_an_own_report_is_brought_up_to_date(plant: Open) -> None:
    """D1: what LAO wrote in an earlier plan is replaced, in a repository of the user's too, and committed alone."""
    it = plant()
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    (folder / "notes.txt").write_text("mine")
    it.submit("more", PLAN.replace("extra", "other"))
    it.turn()
    assert "extra.py" in str(report(folder)["file_inventory"]["listed"])
    shown = subprocess.run(["git", "status", "--short"], cwd=folder, capture_output=True, text=True, check=True)
    assert shown.stdout == "?? notes.txt\n"


def test_without_git_too(plant: Open) -> None:
    """D1: the files are written where there is no repository."""
    it = plant(git={"enabled": False})
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert report(folder)["report_meta"]["model_part"]["status"] == "answered"
    assert (folder / "ANALYST.md").exists()


def test_denied_files_are_in_no_prompt(plant: Open) -> None:
    """G5: what a rule closes to reading is neither in the survey nor in any prompt; nor is what looks like a secret."""
    with relay.opened() as server:
        it = plant(
            lm_studio_base_url=server.url,
            calibration={"auto": False},
            models=KNOWN,
            permissions={"deny": ["Read(keys/**)"]},
        )
        server.target = it.server.url
        folder = existing(it, **{"keys/k.py": "K = 'hunter2'\n", "id_rsa": "hunter3\n", "config/my.pem": "hunter4\n"})
        it.submit("more", PLAN + "\nSee keys/k.py, id_rsa and config/my.pem.\n")
        it.turn()
        (prompt,) = prompts(server, "analyst")
    assert "hunter" not in prompt
    assert "K = " not in prompt
    assert "k.py" not in (folder / "analyst_report.json").read_text()
    assert "k.py" not in (folder / "ANALYST.md").read_text()
    assert "id_rsa (secret)" in prompt


@pytest.mark.parametrize(
    ("key", "by"), [("sim-coder", "sim-coder"), ("not-there", "sim-planner"), ("sim-planner", "sim-planner")]
)
def test_whose_model_surveys(plant: Open, key: str, by: str) -> None:
    """D1 E4: the analyst's own model if the server has it; else the planner's, without a load more, and it is said."""
    it = plant(models={**KNOWN, "analyst": {"key": key, "context_length": 32_768}})
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert [e["model"] for e in calls(it, "analyst")] == [by]
    part = report(folder)["report_meta"]["model_part"]
    assert (part["status"], part["model"]) == ("answered", by)
    assert ("not-there" in part["why"]) is (key == "not-there")
    assert len([e for e in it.server.log if e["kind"] == "load"]) == (4 if by == "sim-coder" else 3)


def test_a_model_that_cannot_be_loaded_stalls_nothing(plant: Open) -> None:
    """D1 E3: where the analyst's model does not fit into memory, the planner's surveys."""
    scenario = {
        "models": [
            *({"key": key, "size_bytes": 9_000_000_000} for key in MODELS.values()),
            {"key": "giant", "size_bytes": 900_000_000_000},
        ]
    }
    it = plant(scenario, models={**KNOWN, "analyst": {"key": "giant", "context_length": 8192}})
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert [p["state"] for p in it.plans()] == ["completed"]
    part = report(folder)["report_meta"]["model_part"]
    assert (part["status"], part["model"]) == ("answered", "sim-planner")
    assert "'giant' could not be loaded" in part["why"]


def test_a_survey_that_fails_as_a_run_is_left_out(plant: Open) -> None:
    """D1: whatever ends the run itself (here a hook's refusal) costs the model's part and nothing else."""
    it = plant()
    (it.root / "hooks.py").write_text(
        "def pre_phase(phase, ctx):\n    return 'not now' if phase == 'survey' else None\n", encoding="utf-8"
    )
    folder = existing(it)
    it.submit("more", PLAN)
    it.turn()
    assert [p["state"] for p in it.plans()] == ["completed"]
    assert calls(it, "analyst") == []
    assert report(folder)["report_meta"]["model_part"]["status"] == "not_asked"
