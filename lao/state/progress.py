"""Where work stands at this moment: open plans, phases at work or put off, what waits in line. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import peewee as pw

from lao.core.states import PHASE_QUEUE, TERMINAL_PLANS, TERMINAL_TASKS, Phase, Queue, RunState, TaskState
from lao.core.words import Finding
from lao.state import pauses, plan_order, queries
from lao.state.pace import Pace
from lao.state.records import finding_of
from lao.state.store import Store
from lao.state.tables import ApprovalRow, FindingRow, ModelEventRow, PlanRow, RunRow, StepRow, TaskRow

_OPEN: Final = (RunState.READY.value, RunState.RUNNING.value)
_OVER: Final = [state.value for state in TERMINAL_TASKS]
_PLANS_OVER: Final = [state.value for state in TERMINAL_PLANS]
FINDINGS: Final = 200


@dataclass(frozen=True)
class PlanProgress:
    """A plan that is not over.

    Attributes:
        total: its tasks so far; 0 until it is planned.
        parked: tasks that are over and not completed.
        left_s: seconds left by the pace of finished tasks, if nothing else is worked on; None: nothing to tell it by.
    """

    id: str
    name: str
    state: str
    paused: bool
    total: int = 0
    completed: int = 0
    parked: int = 0
    left_s: float | None = None


@dataclass(frozen=True)
class PhaseProgress:
    """A phase at work, or put off (``until`` is when it is tried again, 0 while it is at work).

    Attributes:
        plan: the plan's name, "" for a run of no plan; ``title``: the task's.
        started_at: seconds since the epoch; None while it has not begun.
        prompt, completion, calls: tokens and model calls that this run has had so far, the one in flight left aside.
        reason: why it is put off.
    """

    run: int
    phase: str
    plan: str
    task: int | None
    title: str
    attempt: int
    started_at: float | None
    prompt: int = 0
    completion: int = 0
    calls: int = 0
    until: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Standing:
    """All of it.

    Attributes:
        at: when, in seconds since the epoch.
        queue: runs that could begin now, by queue; ``later``: those that are put off.
        gate: why the memory gate is shut, "" while it is open.
        paused: since when everything is paused.
        questions: of models to a person, that are open.
    """

    at: float
    plans: tuple[PlanProgress, ...] = ()
    phases: tuple[PhaseProgress, ...] = ()
    waits: tuple[PhaseProgress, ...] = ()
    queue: Mapping[str, int] | None = None
    later: int = 0
    gate: str = ""
    paused: float | None = None
    questions: int = 0

    @property
    def idle(self) -> bool:
        """Nothing is at work, and nothing waits for anything but a person."""
        return not (self.phases or self.waits or self.later or any((self.queue or {}).values()))


@dataclass(frozen=True)
class RunFacts:
    """What is told of a phase that is over: the task's title and commit, and what its model has read and written."""

    title: str
    commit: str
    model: str
    tokens: int


@dataclass(frozen=True)
class FindingNote:
    """A finding as it came; ``plan`` is the id."""

    id: int
    plan: str
    task: int | None
    finding: Finding
    at: float


def standing(store: Store, pace: Pace) -> Standing:
    """Where work stands now, with the time left by ``pace``."""
    with store.reading():
        now = store.now()
        paused = pauses.every(store)
        held = {*paused, *plan_order.held()}
        runs = _runs()
        used = _used([row["id"] for row in runs if row["state"] == RunState.RUNNING.value])
        phases, waits, queue, later = [], [], {queue.value: 0 for queue in Queue}, 0
        for row in runs:
            if row["state"] == RunState.RUNNING.value:
                phases.append(_phase(row, used))
            elif "" in paused or row["plan"] in held or row["plan_state"] in _PLANS_OVER:
                continue
            elif row["not_before"] > now:
                later += 1
                if row["reason"]:
                    waits.append(_phase(row, used))
            else:
                queue[_queue(row["phase"])] += 1
        plans = _plans(now, paused, runs, pace)
        questions = ApprovalRow.select().join(RunRow).where(ApprovalRow.answer.is_null(), RunRow.state.in_(_OPEN))
        gate = queries.gate_view(store) if waits else None
        return Standing(
            at=now,
            plans=plans,
            phases=tuple(phases),
            waits=tuple(waits),
            queue=queue,
            later=later,
            gate=str(gate["text"]) if gate and gate["shut"] else "",
            paused=paused.get(""),
            questions=questions.count(),
        )


def run_facts(store: Store, run_id: int) -> RunFacts:
    """Of a run that is over."""
    with store.reading():
        row = RunRow.get_by_id(run_id)
        call = (ModelEventRow.run == run_id) & (ModelEventRow.kind == "call")
        tokens = ModelEventRow.select(pw.fn.SUM(ModelEventRow.prompt_tokens + ModelEventRow.completion_tokens))
        model = ModelEventRow.select(ModelEventRow.model).where(call).order_by(ModelEventRow.id.desc()).first()
        task = row.task if row.task_id is not None else None
        return RunFacts(
            title=task.title if task else "",
            commit=(task.commit or "") if task else "",
            model=model.model if model else "",
            tokens=int(tokens.where(call).scalar() or 0),
        )


def findings_since(store: Store, after: int) -> tuple[FindingNote, ...]:
    """Findings with a larger id, at most ``FINDINGS``, the oldest first."""
    with store.reading():
        rows = FindingRow.select().where(FindingRow.id > after).order_by(FindingRow.id).limit(FINDINGS)
        return tuple(FindingNote(row.id, row.plan_id or "", row.task_id, finding_of(row), row.at) for row in rows)


def newest_finding(store: Store) -> int:
    """The id of the newest finding, 0 when there is none."""
    with store.reading():
        return int(FindingRow.select(pw.fn.MAX(FindingRow.id)).scalar() or 0)


def last_model(store: Store) -> str:
    """The model that was loaded, or found loaded, last; "" when none was."""
    with store.reading():
        rows = ModelEventRow.select(ModelEventRow.model).where(ModelEventRow.kind.in_(["load", "found"]))
        row = rows.order_by(ModelEventRow.id.desc()).first()
        return row.model if row else ""


def last_movement(store: Store) -> float:
    """When a phase last began or ended, a step of one at work was taken, or a model answered; 0.0 when none ever."""
    with store.reading():
        at_work = RunRow.select(RunRow.id).where(RunRow.state == RunState.RUNNING.value)
        moments = (
            RunRow.select(pw.fn.MAX(RunRow.started_at)),
            RunRow.select(pw.fn.MAX(RunRow.finished_at)),
            StepRow.select(pw.fn.MAX(StepRow.at)).where(StepRow.run.in_(at_work)),
            ModelEventRow.select(ModelEventRow.at)
            .where(ModelEventRow.kind == "call")
            .order_by(ModelEventRow.id.desc()),
        )
        return max(float(query.scalar() or 0.0) for query in moments)


def _runs() -> list[dict[str, Any]]:
    fields = (RunRow.id, RunRow.plan, RunRow.task, RunRow.phase, RunRow.state, RunRow.attempt, RunRow.not_before)
    query = (
        RunRow.select(
            *fields, RunRow.reason, RunRow.started_at,
            PlanRow.name.alias("plan_name"), PlanRow.state.alias("plan_state"), TaskRow.title,
        )
        .join(PlanRow, pw.JOIN.LEFT_OUTER)
        .join_from(RunRow, TaskRow, pw.JOIN.LEFT_OUTER)
        .where(RunRow.state.in_(_OPEN))
        .order_by(RunRow.id)
    )  # fmt: skip
    return list(query.dicts())


def _used(runs: list[int]) -> dict[int, tuple[int, int, int]]:
    if not runs:
        return {}
    sums = (pw.fn.SUM(ModelEventRow.prompt_tokens), pw.fn.SUM(ModelEventRow.completion_tokens))
    query = ModelEventRow.select(ModelEventRow.run, *sums, pw.fn.COUNT(ModelEventRow.id))
    rows = query.where(ModelEventRow.run.in_(runs), ModelEventRow.kind == "call").group_by(ModelEventRow.run)
    return {run: (prompt or 0, completion or 0, calls) for run, prompt, completion, calls in rows.tuples()}


def _phase(row: dict[str, Any], used: Mapping[int, tuple[int, int, int]]) -> PhaseProgress:
    at_work = row["state"] == RunState.RUNNING.value
    prompt, completion, calls = used.get(row["id"], (0, 0, 0))
    return PhaseProgress(
        run=row["id"],
        phase=row["phase"],
        plan=row["plan_name"] or "",
        task=row["task"],
        title=row["title"] or "",
        attempt=row["attempt"],
        started_at=row["started_at"],
        prompt=prompt,
        completion=completion,
        calls=calls,
        until=0.0 if at_work else row["not_before"],
        reason="" if at_work else row["reason"],
    )


def _queue(phase: str) -> str:
    """Of a phase by its word: one that this version does not know is told as one for the gpu queue."""
    known = {item.value: item for item in Phase}
    return PHASE_QUEUE.get(known[phase], Queue.GPU).value if phase in known else Queue.GPU.value


def _plans(
    now: float, paused: Mapping[str, float], runs: Iterable[Mapping[str, Any]], pace: Pace
) -> tuple[PlanProgress, ...]:
    rows = PlanRow.shown(PlanRow.id, PlanRow.name, PlanRow.state).where(PlanRow.state.not_in(_PLANS_OVER))
    plans = list(rows.order_by(PlanRow.created_at, PlanRow.id).tuples())
    counts: dict[str, dict[str, int]] = {plan: {} for plan, _, _ in plans}
    grouped = TaskRow.select(TaskRow.plan, TaskRow.state, pw.fn.COUNT(TaskRow.id)).where(TaskRow.plan.in_(list(counts)))
    for plan, state, number in grouped.group_by(TaskRow.plan, TaskRow.state).tuples():
        counts[plan][state] = number
    begun = [
        (row["plan"], row["phase"], max(0.0, now - (row["started_at"] or now)))
        for row in runs
        if row["state"] == RunState.RUNNING.value
    ]
    found = []
    for plan, name, state in plans:
        states = counts[plan]
        under_way = [(phase, since) for of, phase, since in begun if of == plan]
        done = states.get(TaskState.COMPLETED.value, 0)
        found.append(
            PlanProgress(
                id=plan,
                name=name,
                state=state,
                paused="" in paused or plan in paused,
                total=sum(states.values()),
                completed=done,
                parked=sum(states.get(word, 0) for word in _OVER) - done,
                left_s=pace.left_s(states, under_way) if states else None,
            )
        )
    return tuple(found)
