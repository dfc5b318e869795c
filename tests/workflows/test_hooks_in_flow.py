"""Hooks through the whole pipeline: what they refuse, what they hear of, that a resumed run asks nobody twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lao.core.states import Queue
from lao.state import journal, ledger
from lao.state.tables import AuditRow
from tests.hooks.conftest import command
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import call, scripted
from workflows import hook_events, queues
from workflows.services import begin_news

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"
WORKER = [("SessionStart", "cpu"), ("SessionEnd", "cpu")]


def write() -> dict[str, object]:
    return scripted([call("file_write", path="part_1.txt", content="x\n")])


def labels_of(factory: Plant) -> list[str]:
    return [step.label for run in range(1, 7) for step in journal.load(factory.factory.store, run)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path: Path) -> str:
    """A command that appends what it is told as one line."""
    return f"cat >> {path}; echo >> {path}"


def test_a_refusal_reaches_the_model_and_the_work_goes_on(plant: Open, tmp_path: Path) -> None:
    """N2: exit status 2 refuses; stderr is what the model reads; the next call is made."""
    factory = plant(
        scripted([call("shell_exec", command="touch no")], [call("file_write", path="part_1.txt", content="x\n")]),
        hooks={
            "PreToolUse": command("echo 'shell is closed today' >&2; exit 2", "Bash"),
            "PostToolUse": command(keep(tmp_path / "post.jsonl"), "Write"),
        },
    )
    factory.submit("refused", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert not (factory.root / "refused" / "no").exists()
    audit = [(row.tool, row.granted, row.reason) for row in AuditRow.select().order_by(AuditRow.id)]
    assert audit == [
        ("shell_exec", False, "not allowed: a hook refused it: shell is closed today"),
        ("file_write", True, ""),
    ]
    (told,) = lines(tmp_path / "post.jsonl")
    assert (told["tool_name"], told["tool_response"]["ok"], told["task"]) == ("Write", True, "part 1")
    assert "/.lao/desks/run-" in told["cwd"]


def test_an_allow_lifts_no_denial_and_changes_are_judged_again(plant: Open) -> None:
    """N2 G3: a hook that allows, or that turns a call into a forbidden one, gains nothing."""
    allow = """echo '{"hookSpecificOutput": {"permissionDecision": "allow"}}'"""
    turn = """echo '{"hookSpecificOutput": {"updatedInput": {"command": "git reset"}}}'"""
    factory = plant(
        scripted(
            [call("file_write", path="../out.txt", content="no")],
            [call("shell_exec", command="ls")],
            [call("file_write", path="part_1.txt", content="x\n")],
        ),
        hooks={"PreToolUse": [*command(allow, "*"), *command(turn, "Bash")]},
    )
    factory.submit("allow", PLAN)
    factory.turn()
    assert not (factory.root / "out.txt").exists()
    granted = [(row.tool, row.granted) for row in AuditRow.select().order_by(AuditRow.id)]
    assert granted == [("file_write", False), ("shell_exec", False), ("file_write", True)]
    assert "git reset" in AuditRow.get(AuditRow.tool == "shell_exec").reason


def test_a_resumed_run_asks_nobody_twice(plant: Open, tmp_path: Path) -> None:
    """N2 K2: the decision is recorded with the call; a run that goes on after a stop makes neither again."""
    path = tmp_path / "asked.jsonl"
    factory = plant(
        scripted([call("file_write", path="part_1.txt", content="x\n")], [call("list_dir")]),
        hooks={"PreToolUse": command(keep(path)), "PostToolUse": command(keep(path))},
    )
    (factory.root / "hooks.py").write_text(  # the worker is asked to stop while it asks about the second call
        "from workflows.factory import active\n"
        "def pre_tool(name, args, ctx):\n"
        "    if name == 'list_dir': active.get().stop.set()\n"
    )
    factory.submit("resumed", PLAN)
    for _ in range(3):
        for huey in (queues.cpu, queues.gpu):
            factory._one(huey)
    assert factory.factory.stop.is_set()
    interrupted = [(told["hook_event_name"], told["tool_name"]) for told in lines(path)]
    assert interrupted[:2] == [("PreToolUse", "Write"), ("PostToolUse", "Write")]
    (factory.root / "hooks.py").write_text("")
    del factory.factory.hooks  # as another worker would load them
    factory.factory.stop.clear()
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    asked = [(told["hook_event_name"], told["tool_name"]) for told in lines(path)]
    assert asked.count(("PreToolUse", "Write")) == asked.count(("PostToolUse", "Write")) == 1
    assert asked[-2:] == [("PreToolUse", "LS"), ("PostToolUse", "LS")]


def test_a_phase_that_may_not_begin_is_for_a_person(plant: Open) -> None:
    """N2: pre_phase refuses with its reason; the phase is not run, and retry-failed asks again."""
    factory = plant(write())
    (factory.root / "hooks.py").write_text(
        "def pre_phase(phase, ctx):\n    return 'no reviews at night' if phase == 'review' else None\n"
    )
    factory.submit("night", PLAN)
    factory.turn()
    (task,) = factory.tasks()
    assert task["state"] == "needs_human"
    assert "no reviews at night" in str(task["reason"])
    assert "no reviews at night" in str(ledger.findings_of(factory.factory.store))


def test_phases_are_told_and_asked_once(plant: Open) -> None:
    """N2: pre_phase and post_phase see every phase of a plan once, in pairs."""
    factory = plant(write())
    (factory.root / "hooks.py").write_text(
        "def note(ctx, text):\n"
        "    with (ctx.root / 'phases.txt').open('a') as file: file.write(text + '\\n')\n"
        "def pre_phase(phase, ctx): note(ctx, 'pre ' + phase)\n"
        "def post_phase(phase, outcome, ctx): note(ctx, 'post ' + phase + ' ' + outcome['state'])\n"
    )
    factory.submit("told", PLAN)
    factory.turn()
    said = (factory.root / "phases.txt").read_text().splitlines()
    phases = ["ingest", "plan", "code", "verify", "review", "close"]
    assert said == [line for phase in phases for line in (f"pre {phase}", f"post {phase} done")]


def test_a_broken_hook_is_a_note_of_the_run(plant: Open) -> None:
    """N2: one named finding with file and line, which blocks nothing; the plan is completed."""
    factory = plant(write())
    (factory.root / "hooks.py").write_text("def pre_tool(name, args, ctx):\n    raise ValueError('oops')\n")
    factory.submit("broken", PLAN)
    factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"]
    notes = [f for f in ledger.findings_of(factory.factory.store) if f.kind == "hook"]
    assert [note.message for note in notes] == [f"pre_tool: {factory.root / 'hooks.py'}:2: ValueError: oops"]


def test_events_of_a_plan_are_told_once(plant: Open, tmp_path: Path) -> None:
    """N2: start and end of plan and task, the model's load and the coder's stop, each once and in order; a second look
    tells nothing."""
    path = tmp_path / "events.jsonl"
    events = [e for e in hook_events.STATE_EVENTS if e != "ModelSwap"]
    swaps = {"ModelSwap": command(keep(path), "sim-coder")}
    factory = plant(write(), hooks={**{event: command(keep(path)) for event in events}, **swaps})
    hook_events.news.begin(factory.factory.store, hook_events.NAME)
    factory.submit("events", PLAN)
    factory.turn()
    assert hook_events.tell(factory.factory) == 8, "three loads, of which the matcher wants one"
    assert hook_events.tell(factory.factory) == 0
    told = lines(path)
    names = [t["hook_event_name"] for t in told]
    assert names == ["PlanStart", "ModelSwap", "TaskStart", "Stop", "TaskCompleted", "PlanEnd"]
    assert told[1]["model"] == "sim-coder"
    assert (told[-1]["state"], told[-1]["plan"], told[-1]["session_id"]) == ("completed", "events", told[0]["plan_id"])


def test_a_failed_check_and_a_failed_task_are_events(plant: Open, tmp_path: Path) -> None:
    """N2: VerifyFailed for each attempt whose checks fail, TaskFailed once with the reason."""
    path = tmp_path / "events.jsonl"
    factory = plant(
        write(),
        hooks={event: command(keep(path)) for event in ("VerifyFailed", "TaskFailed", "PlanEnd")},
        orchestration={"retry_cap_validation": 1, "validation_build_cmd": "test -f allowed"},
    )
    factory.submit("fails", PLAN)
    hook_events.news.begin(factory.factory.store, hook_events.NAME)
    factory.turn()
    hook_events.tell(factory.factory)
    told = [(t["hook_event_name"], t["state"]) for t in lines(path)]
    assert told[-2:] == [("TaskFailed", "needs_human"), ("PlanEnd", "needs_human")]
    attempts = int(str(factory.tasks()[0]["attempts"]))
    assert told[:-2] == [("VerifyFailed", "done")] * attempts


def test_a_stop_between_two_events_repeats_none(plant: Open, tmp_path: Path) -> None:
    """N2: what was told before the worker ended is not told again by the next one; what was not is told."""
    path = tmp_path / "events.jsonl"
    slow = {"PlanEnd": command(f"touch {tmp_path}/begun; sleep 1; {keep(path)}")}
    factory = plant(write(), hooks={**{event: command(keep(path)) for event in ("PlanStart", "TaskStart")}, **slow})
    hook_events.news.begin(factory.factory.store, hook_events.NAME)
    factory.submit("stopped", PLAN)
    factory.turn()
    assert hook_events.tell(factory.factory, (tmp_path / "begun").exists) == 2
    assert [t["hook_event_name"] for t in lines(path)] == ["PlanStart", "TaskStart"]
    assert hook_events.tell(factory.factory) == 1
    assert [t["hook_event_name"] for t in lines(path)] == ["PlanStart", "TaskStart", "PlanEnd"]


def test_the_worker_tells_of_itself(plant: Open, tmp_path: Path) -> None:
    """N2: SessionStart when a worker begins and SessionEnd when it ends."""
    path = tmp_path / "session.jsonl"
    factory = plant(hooks={event: command(keep(path)) for event in ("SessionStart", "SessionEnd")})
    factory.factory.stop.set()
    hook_events.session(Queue.CPU)(factory.factory)
    assert [(t["hook_event_name"], t["worker"]) for t in lines(path)] == [
        ("SessionStart", "cpu"),
        ("SessionEnd", "cpu"),
    ]


@pytest.mark.parametrize("hooks", [{}, {"enabled": False}])
def test_without_hooks_nothing_of_them_is_recorded(plant: Open, hooks: dict[str, object]) -> None:
    """N2: a project without hooks has no steps, no audit and no threads of them."""
    factory = plant(write(), hooks=hooks)
    factory.submit("none", PLAN)
    factory.turn()
    labels = labels_of(factory)
    assert labels
    assert not [label for label in labels if label.endswith((":before", ":after"))]


def test_what_began_before_the_thread_that_tells_is_told(plant: Open, tmp_path: Path) -> None:
    """N2: the plan may be taken in before the thread of the hooks has come to its first look; its start is told."""
    factory = plant(write(), hooks={"PlanStart": command(keep(tmp_path / "told.jsonl"))})
    begin_news(factory.factory)
    factory.submit("early", PLAN)
    factory.turn()
    hook_events.begin_events(factory.factory)  # as the thread does when it comes to it
    hook_events.tell(factory.factory)
    assert [event["hook_event_name"] for event in lines(tmp_path / "told.jsonl")] == ["PlanStart"]
