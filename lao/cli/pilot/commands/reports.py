"""Slash commands that show plans, tasks, findings and gates, read from the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from lao.cli.look import Look, here
from lao.cli.pilot.clean import one_line
from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import Reply, Seat
from lao.core.errors import BadInput
from lao.core.states import TERMINAL_PLANS
from lao.state import judgements, ledger, plans, queries, references, standing

if TYPE_CHECKING:
    from lao.state.records import Plan
    from workflows.done_gate import Gate

_LIGHTS: Final = {"ok": "ok", "open": "waiting", "failed": "failed"}
_NONE: Final = "no plans yet: drop a Markdown file into the plans folder, or /ideate TOPIC"
_TAIL: Final = 12
"""Last lines of a command's output that are shown."""


def _mark(state: str) -> str:
    """The symbol of a state, without its colour: what commands answer is text."""
    return Look(ascii=here().ascii).mark(state)


def _words(state: str) -> str:
    return state.replace("_", " ")


def plan_of(seat: Seat, given: Sequence[str]) -> Plan:
    """The plan that is named, else the newest that is not over, else the newest.

    Raises:
        BadInput: there is none.
    """
    if given:
        return references.find_plan(seat.factory.store, given[0])
    every = plans.all_plans(seat.factory.store)
    going = [plan for plan in every if plan.state not in TERMINAL_PLANS]
    if not every:
        raise BadInput("there is no plan yet", "drop a Markdown file into the plans folder, or /ideate TOPIC")
    return (going or every)[-1]


def gate_text(gate: Gate) -> str:
    """The conditions of a plan's gate, a line each."""
    word = "DONE" if gate.passed else "NOT DONE" if gate.over else "at work"
    lines = [f"{gate.plan.name} ({gate.plan.id}): {_words(gate.plan.state.value)}, {word}"]
    for condition in gate.conditions:
        lines.append(f"  {_mark(_LIGHTS[condition.light.value])} {condition.name}: {condition.text}")
        lines += [f"      {one_line(detail)}" for detail in condition.details[:5]]
    return "\n".join(lines)


def _plans(seat: Seat, _given: Sequence[str]) -> Reply:
    lines, judged = [], judgements.every(seat.factory.store)
    for plan in queries.plans_view(seat.factory.store):
        counts = plan["tasks"]
        paused = ", PAUSED" if plan["paused"] is not None else ""
        mark = _mark(plan["state"])
        done = f"{counts['completed']} of {counts['total']} tasks"
        word = f" and {judged[plan['id']].verdict} by a person" if plan["id"] in judged else ""
        lines.append(f"{mark} {plan['id']}  {plan['name']}: {_words(plan['state'])}{word}, {done}{paused}")
        lines += [f"      {one_line(plan['reason'])}"] if plan["reason"] else []
    return Reply("\n".join(lines) or _NONE)


def _tasks(seat: Seat, given: Sequence[str]) -> Reply:
    plan = plan_of(seat, given)
    lines = [f"{plan.name} ({plan.id}): {_words(plan.state.value)}"]
    for task in queries.tasks_view(seat.factory.store, plan.id):
        lines.append(f"  {_line(task)}")
        lines += [f"      {one_line(task['reason'])}"] if task["reason"] else []
    return Reply("\n".join(lines if len(lines) > 1 else [*lines, "  no tasks yet"]))


def _line(task: dict[str, Any]) -> str:
    commit = f" {task['commit'][:10]}" if task["commit"] else ""
    mark = _mark(task["state"])
    return f"{mark} {task['id']} {task['title']}: {task['state']} (attempt {task['attempts']}){commit}"


def _show(seat: Seat, given: Sequence[str]) -> Reply:
    store = seat.factory.store
    task = references.find_task(store, given[0])
    view = next(view for view in queries.tasks_view(store, task.plan_id) if view["id"] == task.id)
    plan = plans.get(store, task.plan_id)
    lines = [
        _line(view),
        f"plan {plan.name} ({plan.id}), folder {plan.workspace}",
        "",
        task.spec.description.strip(),
        "",
    ]
    for name, words in (
        ("files", task.spec.file_paths),
        ("needs", task.spec.dependencies),
        ("commands", task.spec.commands),
        ("changed", task.files),
    ):
        lines += [f"{name}: {', '.join(words)}"] if words else []
    lines += [f"reason: {task.reason}"] if task.reason else []
    lines += [f"evidence: {view['evidence']}"]
    ran = [row for row in ledger.validations_of(store, plan.id) if row["task"] == task.id]
    for row in ran[-3:]:
        lines += [f"ran: {row['command']}: exit code {row['exit_code']}", *_indented(row["output"])]
    lines += ["told the last attempt:", *_indented(task.feedback[-1])] if task.feedback else []
    return Reply("\n".join(lines))


def _indented(text: str) -> list[str]:
    lines = text.strip().splitlines()
    cut = [f"    … {len(lines) - _TAIL} lines above"] if len(lines) > _TAIL else []
    return cut + [f"    {line}" for line in lines[-_TAIL:]]


def _diff(seat: Seat, given: Sequence[str]) -> Reply:
    from lao.workspace.git import Repository

    task = references.find_task(seat.factory.store, given[0])
    if task.commit is None:
        raise BadInput(f"task {task.id} has no commit ({task.state.value})", f"/show {task.id} says where it stands")
    plan = plans.get(seat.factory.store, task.plan_id)
    settings = seat.factory.settings
    repository = Repository(plan.workspace, settings=settings.git, state_dir=settings.paths.state_dir)
    return Reply(repository.diff(f"{task.commit}^", task.commit) or "the commit changes nothing", form="diff")


def _findings(seat: Seat, given: Sequence[str]) -> Reply:
    plan = plan_of(seat, given)
    found = standing.findings(seat.factory.store, plan.id)
    every = len(ledger.findings_of(seat.factory.store, plan_id=plan.id))
    lines = [f"{plan.name} ({plan.id}): {len(found)} findings stand, {every} in all attempts"]
    for task, finding in found:
        where = f"task {task}: " if task else ""
        file = f"{finding.file}: " if finding.file else ""
        lines.append(f"  {finding.severity.value:<8}  {where}{file}{one_line(finding.message)}")
        lines += [f"            {one_line(finding.hint)}"] if finding.hint else []
    return Reply("\n".join(lines))


def _gates(seat: Seat, given: Sequence[str]) -> Reply:
    from workflows import done_gate

    store = seat.factory.store
    chosen = [plan_of(seat, given)] if given else list(plans.all_plans(store))
    lines = [gate_text(done_gate.look(seat.factory, plan)) for plan in chosen]
    memory = queries.gate_view(store)
    lines += [f"memory gate: {memory['text']}"] if memory else []
    return Reply("\n".join(lines) or _NONE)


def _done(seat: Seat, given: Sequence[str]) -> Reply:
    from workflows import done_gate

    gate = done_gate.look(seat.factory, plan_of(seat, given))
    return Reply(gate_text(gate), code=0 if gate.passed else 3, watched="" if gate.over else gate.plan.id)


_PLAN: Final = ("plan",)
COMMANDS = (
    Command("plans", "", "Every plan and how it stands.", _plans, "Looking"),
    Command("tasks", "[PLAN]", "The tasks of a plan, with reasons and commits.", _tasks, "Looking", 1, completes=_PLAN),
    Command(
        "show",
        "TASK",
        "All about a task: what it is, what ran, why it stands so.",
        _show,
        "Looking",
        1,
        1,
        completes=("task",),
    ),
    Command("diff", "TASK", "What a task's commit changed.", _diff, "Looking", 1, 1, completes=("task",)),
    Command(
        "findings",
        "[PLAN]",
        "What checks and reviews hold against the present work.",
        _findings,
        "Looking",
        1,
        completes=_PLAN,
    ),
    Command(
        "gates",
        "[PLAN]",
        "What still keeps plans from being done, and the memory gate.",
        _gates,
        "Looking",
        1,
        completes=_PLAN,
    ),
    Command("done", "[PLAN]", "The gate of a plan, live while it is at work.", _done, "Looking", 1, completes=_PLAN),
)
