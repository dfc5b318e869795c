"""The whole pipeline, phase by phase, on the simulated server with real SQLite and real git."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.state import ledger, plans, queries
from tests.workflows.conftest import Plant

Open = Callable[..., Plant]


def plan_of(*lines: str, front: str = "") -> str:
    return front + "# Parts\n\n" + "\n".join(lines) + "\n"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


TEN = [f"- task: part {n} | file: part_{n}.txt | content: text {n}" for n in range(1, 11)]


def test_a_plan_becomes_files_commits_and_evidence(plant: Open) -> None:
    """C1 D2–D6 J1: every task ends completed with its file, one commit a step, and the command's real result."""
    factory = plant(orchestration={"validation_build_cmd": "ls part_*.txt"})
    plan_id = factory.submit("parts", plan_of(*TEN[:3]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 3
    assert factory.plans()[0]["state"] == "completed"
    folder = factory.root / "parts"
    assert (folder / "part_2.txt").read_text() == "text 2\n"
    subjects = git(folder, "log", "--reverse", "--format=%s").splitlines()
    assert subjects[:2] == ["lao(plan): parts", "lao(architect): 3 tasks for parts"]
    assert sum(s.startswith("lao(coder): task #") for s in subjects) == 3
    assert sum(s.startswith("lao(reviewer): task #") for s in subjects) == 3
    assert git(folder, "status", "--porcelain") == ""
    assert json.loads((folder / "LAO_TASKS.json").read_text())["plan_id"] == plan_id
    evidence = ledger.validations_of(factory.factory.store, plan_id)
    assert sorted(e["moment"] for e in evidence) == ["before"] * 4 + ["close"] + ["task"] * 3
    assert [e["exit_code"] == 0 for e in evidence if e["moment"] != "before"] == [True] * 4
    assert [e["exit_code"] == 0 for e in evidence if e["moment"] == "before"] == [False, False, True, True]
    assert {e["isolation"] for e in evidence} == {factory.factory.containment.told}
    commits = {t["commit"] for t in factory.tasks()}
    assert {e["commit"] for e in evidence if e["moment"] == "task"} == commits


def test_ten_independent_tasks_with_three_models_need_three_loads(plant: Open) -> None:
    """E1 E4 E6: one load a model, and never two large models in memory, by the server's own accounting."""
    factory = plant()
    factory.submit("parts", plan_of(*TEN))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 10
    stats = factory.server.stats
    assert (stats["loads"], stats["max_large_resident"]) == (3, 1)
    models = queries.models_view(factory.factory.store)
    assert (models["loads"], models["unloads"], models["swaps"]) == (3, 2, 2)
    assert models["role_changes"] == 2


def test_one_model_for_all_roles_is_loaded_once(plant: Open) -> None:
    """E4: the same key across roles means no swap at all."""
    factory = plant(models={role: {"key": "sim-coder"} for role in ("planner", "coder", "reviewer")})
    factory.submit("parts", plan_of(*TEN[:3]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 3
    assert factory.server.stats["loads"] == 1


def test_a_chat_only_server_works_without_loading(plant: Open) -> None:
    """E2: any OpenAI-compatible server does for chat; nothing is loaded or unloaded there."""
    factory = plant({"api": "openai"})
    factory.submit("chat", plan_of(*TEN[:2]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 2
    models = queries.models_view(factory.factory.store)
    assert (models["loads"], models["unloads"]) == (0, 0)


def test_a_server_with_a_smaller_context_than_the_defaults_works(plant: Open) -> None:
    """E2: keys alone in factory.yaml are enough: prompts are kept within what the server gives, one load a model."""
    factory = plant({"context_cap": 8192})
    factory.submit("small", plan_of(*TEN[:2]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 2
    assert factory.server.stats["loads"] == 3


def test_batch_sizes_make_waves(plant: Open) -> None:
    """D11: with batches of two, reviews come after every second task; the swaps are the price, and are counted."""
    factory = plant(orchestration={"coder_batch_size": 2, "reviewer_batch_size": 2})
    factory.submit("waves", plan_of(*TEN[:4]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 4
    subjects = git(factory.root / "waves", "log", "--reverse", "--format=%s").splitlines()[2:]
    order = "".join("c" if "coder" in s else "r" for s in subjects)
    assert order in ("ccrrccrr", "ccrccrrr")
    assert factory.server.stats["loads"] == 5


def test_dependents_wait_and_see_what_was_built(plant: Open) -> None:
    """D3: a task starts after its needs are reviewed; a chain of three comes out in order."""
    chain = [TEN[0], TEN[1] + " | after: part 1", TEN[2] + " | after: part 2"]
    factory = plant()
    factory.submit("chain", plan_of(*chain))
    factory.turn()
    coder = [s for s in git(factory.root / "chain", "log", "--reverse", "--format=%s").splitlines() if "coder" in s]
    assert [s.split()[-1] for s in coder] == ["1", "2", "3"]
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 3


def test_a_failing_command_goes_back_to_the_coder_with_its_real_output(plant: Open) -> None:
    """D5 D7 D9: the repair's prompt has the output; the task is completed by evidence, in the same attempt."""
    wrong = {"name": "file_write", "arguments": {"path": "a.py", "content": "print('wrong')\n"}}
    right = {"name": "file_write", "arguments": {"path": "a.py", "content": "print('right')\n"}}
    scenario = {
        "responses": [
            {
                "match": {"role": "coder", "contains": "got wrong instead"},
                "answer": {"tool_calls": [right]},
                "times": 1,
            },
            {
                "match": {"role": "coder", "contains": "Files of this task"},
                "answer": {"tool_calls": [wrong]},
                "times": 1,
            },
            {"match": {"role": "coder"}, "answer": {"text": "Done."}},
        ]
    }
    factory = plant(scenario)
    check = """out=$(python3 a.py); [ "$out" = right ] || { echo "got $out instead"; exit 1; }"""
    factory.submit("fix", plan_of("- task: a | file: a.py", "", f"Test: `{check}`"))
    factory.turn()
    (task,) = factory.tasks()
    assert (task["state"], task["attempts"], task["rung"]) == ("completed", 1, "repair")
    found = [e for e in ledger.validations_of(factory.factory.store, str(task["plan"])) if e["task"]]
    assert [(e["moment"], e["exit_code"]) for e in found] == [("before", 1), ("task", 0)]
    assert len([s for s in git(factory.root / "fix", "log", "--format=%s").splitlines() if "coder" in s]) == 1
    assert git(factory.root / "fix", "for-each-ref", "refs/lao") == ""


def test_a_task_that_never_passes_is_parked_and_the_plan_is_not_done(plant: Open) -> None:
    """D9: no false "done": after the last rung a person is asked, with a diagnosis; the work tree is as before."""
    factory = plant(orchestration={"retry_cap_validation": 2})
    lines = ["- task: a | file: a.txt | test: false", "- task: b | file: b.txt | after: a", "- task: c | file: c.txt"]
    factory.submit("never", plan_of(*lines, "", "Test: `false`"))
    factory.turn()
    by_title = {t["title"]: t for t in factory.tasks()}
    failing = [t for t in by_title.values() if t["state"] == "needs_human"]
    assert len(failing) == 1
    assert failing[0]["attempts"] == 2
    assert "not solved in" in str(failing[0]["reason"])
    assert factory.plans()[0]["state"] == "needs_human"
    assert git(factory.root / "never", "status", "--porcelain") == ""
    kept = git(factory.root / "never", "for-each-ref", "--format=%(refname)", "refs/lao").split()
    assert f"refs/lao/task-{failing[0]['id']}" in kept


def test_a_rejection_is_a_new_attempt_and_the_cap_parks_the_task(plant: Open) -> None:
    """D6 D8: findings go back to the coder; without any check a person decides after max_task_attempts rejections."""
    finding = {"severity": "major", "file": "part_1.txt", "message": "wrong words", "hint": ""}
    finding |= {"criterion": "Write part_1.txt with text 1", "line": 1}
    rejected = {"verdict": "rejected", "findings": [finding], "summary": "not what was asked"}
    again = {
        "match": {"role": "coder", "contains": "wrong words"},
        "answer": {"text": "FILE: part_1.txt\n```\ntext one\n```"},
    }
    scenario = {"responses": [{"match": {"role": "reviewer"}, "answer": {"json": rejected}}, again]}
    factory = plant(scenario, orchestration={"max_task_attempts": 2})
    factory.submit("strict", plan_of(TEN[0]))
    factory.turn()
    (task,) = factory.tasks()
    assert (task["state"], task["attempts"]) == ("needs_human", 2)
    assert "not what was asked" in str(task["reason"])
    log = (factory.root / "strict" / "LAO_REVIEW.log").read_text().splitlines()
    assert len(log) == 2
    assert all("REJECTED" in line for line in log)


def test_without_git_the_work_is_done_in_the_folder(plant: Open) -> None:
    """J1: git.enabled false means no repository and no trace files, the same tasks and evidence."""
    factory = plant(git={"enabled": False}, orchestration={"validation_build_cmd": "cat part_1.txt"})
    factory.submit("plain", plan_of(*TEN[:2]))
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 2
    assert sorted(p.name for p in (factory.root / "plain").iterdir()) == ["part_1.txt", "part_2.txt"]


def test_an_existing_repository_is_respected(plant: Open) -> None:
    """C4 J1: no re-init; what the user had changed and not committed stays as it is, out of LAO's commits."""
    factory = plant()
    folder = factory.root / "mine"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "kept.txt").write_text("committed\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    (folder / "kept.txt").write_text("my half-done change\n")
    factory.submit("mine", plan_of(TEN[0]))
    factory.turn()
    assert factory.tasks()[0]["state"] == "completed"
    assert git(folder, "branch", "--show-current").strip() == "trunk"
    assert git(folder, "status", "--porcelain") == " M kept.txt\n"
    assert git(folder, "log", "--format=%s", "-1", "--", "kept.txt").strip() == "mine"


def test_a_server_that_goes_away_uses_no_attempt(plant: Open) -> None:
    """E5: refused requests are waited out; the task is completed at its first attempt."""
    fault = {"match": {"role": "coder"}, "fault": {"kind": "http", "status": 503}, "times": 3}
    factory = plant({"responses": [fault]}, orchestration={"llm_retry_attempts": 1, "llm_retry_backoff_base_s": 0})
    factory.submit("away", plan_of(TEN[0]))
    factory.turn()
    (task,) = factory.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 1)


def test_an_unknown_model_fails_the_plan_with_the_nearest_keys(plant: Open) -> None:
    """E2: a wrong key is said once, with what the server has; nothing hangs, retry-failed works after the fix."""
    factory = plant(models={"planner": {"key": "sim-planer"}, "coder": {"key": "sim-coder"}, "reviewer": {"key": "x"}})
    plan_id = factory.submit("typo", plan_of(TEN[0]))
    factory.turn()
    plan = plans.get(factory.factory.store, plan_id)
    assert plan.state.value == "failed"
    assert "sim-planner" in plan.reason


def test_a_plan_without_tasks_fails_clearly(plant: Open) -> None:
    """D2: no tasks, also when asked again, ends the plan with the reason and never hangs."""
    scenario = {"responses": [{"match": {"role": "planner"}, "answer": {"json": {"tasks": []}}}]}
    factory = plant(scenario, orchestration={"max_task_attempts": 1})
    factory.submit("empty", "# A plan\n\nNothing to see here.\n")
    factory.turn()
    assert factory.plans()[0]["state"] == "failed"
    assert "no task" in str(factory.plans()[0]["reason"])


@pytest.mark.parametrize("gate", [{"models": [{"key": "sim-planner", "size_bytes": 60_000_000_000}]}])
def test_a_model_that_does_not_fit_is_put_off_and_not_run(plant: Open, gate: dict[str, object]) -> None:
    """E1 E3: the gate fails closed; the plan waits with the reason and no completion is asked for."""
    factory = plant({**gate, "vram_total_bytes": 24_000_000_000})
    factory.submit("big", plan_of(TEN[0]))
    with pytest.raises(AssertionError, match="not idle"):
        factory.turn(limit=12)
    assert factory.server.stats["completions"] == 0
    running = queries.running_view(factory.factory.store)
    assert running[0]["phase"] == "plan"
    assert running[0]["reason"]
