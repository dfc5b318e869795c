"""Read-only views for ``lao status``, the supervisor and waiting clients."""

from __future__ import annotations

from typing import Any

import peewee as pw

from lao.core.states import ACTIVE_TASKS, TERMINAL_PLANS, PlanState, RunState
from lao.core.words import Json
from lao.state import pauses, plan_order, written_tests
from lao.state.store import Store
from lao.state.tables import DeadLetterRow, ModelEventRow, PlanRow, RejectionRow, RunRow, TaskRow, ValidationRow


def plans_view(store: Store) -> list[dict[str, Json]]:
    """Every plan with the counts of its tasks, oldest first."""
    counts: dict[str, dict[str, int]] = {}
    with store.reading():
        query = TaskRow.select(TaskRow.plan, TaskRow.state, pw.fn.COUNT(TaskRow.id)).group_by(
            TaskRow.plan, TaskRow.state
        )
        for plan_id, state, number in query.tuples():
            counts.setdefault(plan_id, {})[state] = number
        paused, held = pauses.every(store), plan_order.held()
        return [
            {
                "id": row.id,
                "name": row.name,
                "file": row.file,
                "state": row.state,
                "reason": row.reason,
                "workspace": row.workspace,
                "supersedes": row.supersedes,
                "paused": paused.get(row.id),
                "waits": held.get(row.id),
                "tasks": _totals(counts.get(row.id, {})),
            }
            for row in PlanRow.shown().order_by(PlanRow.created_at)
        ]


def _totals(states: dict[str, int]) -> dict[str, int]:
    active = sum(states.get(s.value, 0) for s in ACTIVE_TASKS)
    named = ("completed", "failed", "needs_human", "waiting", "cancelled")
    return {"total": sum(states.values()), **{name: states.get(name, 0) for name in named}, "active": active}


def evidence_view(store: Store, plan_id: str | None = None) -> dict[int, str]:
    """What stands behind each task's work: "proved" (a check that failed before passes now), "checked" (its checks pass
    and passed before too, or a model has written them and they miss wrong versions of the code); a task that is missing
    has no check that could fail."""
    failed: dict[int, set[str]] = {}
    found: dict[int, str] = {}
    with store.reading():
        fields = (ValidationRow.task, ValidationRow.moment, ValidationRow.command, ValidationRow.exit_code)
        query = ValidationRow.select(*fields).where(ValidationRow.task.is_null(False)).order_by(ValidationRow.id)
        if plan_id:
            query = query.where(ValidationRow.plan == plan_id)
        weak = written_tests.unproven()
        for task, moment, command, exit_code in query.tuples():
            if moment == "before" and exit_code != 0 and (task, command) not in weak:
                failed.setdefault(task, set()).add(command)
            elif moment == "task" and exit_code == 0:
                proved = command in failed.get(task, set()) or found.get(task) == "proved"
                found[task] = "proved" if proved else "checked"
    return found


def tasks_view(store: Store, plan_id: str | None = None) -> list[dict[str, Json]]:
    evidence = evidence_view(store, plan_id)
    with store.reading():
        query = TaskRow.select().order_by(TaskRow.id)
        rows = query.where(TaskRow.plan == plan_id) if plan_id else query
        return [
            {
                "id": row.id,
                "plan": row.plan_id,
                "title": row.title,
                "state": row.state,
                "attempts": row.attempts,
                "reason": row.reason,
                "files": list(row.files),
                "commit": row.commit,
                "evidence": evidence.get(row.id, "none"),
                "rung": (row.ladder or {}).get("solved", ""),
                "rounds": (row.ladder or {}).get("rounds", []),
            }
            for row in rows
        ]


def models_view(store: Store) -> dict[str, Json]:
    """Counted from events: loads, unloads, swaps (a load after another model was unloaded), role changes.

    A model that was in memory already counts as resident, not as a load.
    """
    with store.reading():
        loads = _count("load")
        unloads = _count("unload")
        swaps = 0
        previous = None
        resident: list[str] = []
        query = ModelEventRow.select(ModelEventRow.kind, ModelEventRow.model).order_by(ModelEventRow.id)
        for kind, model in query.where(ModelEventRow.kind.in_(["load", "unload", "found"])).tuples():
            if kind == "found":  # it was in memory already, and is all that the gate leaves there
                resident, previous = [model], model
            elif kind == "load":
                swaps += int(previous is not None and previous != model)
                previous = model
                resident = [*(key for key in resident if key != model), model]  # a server that died forgot it
            elif model in resident:
                resident.remove(model)
        return {
            "resident": resident,
            "loads": loads,
            "unloads": unloads,
            "swaps": swaps,
            "role_changes": _role_changes(),
        }


def _role_changes() -> int:
    changes, previous = 0, None
    query = ModelEventRow.select(ModelEventRow.role).where(ModelEventRow.kind == "call").order_by(ModelEventRow.id)
    for (role,) in query.tuples():
        changes += int(previous is not None and role != previous)
        previous = role
    return changes


def _count(kind: str) -> int:
    return int(ModelEventRow.select().where(ModelEventRow.kind == kind).count())


def usage_view(store: Store) -> tuple[dict[str, Json], dict[str, int]]:
    """(tokens, calls) as ``lao status --json`` prints them; ``cached`` is null while no server has told it."""
    with store.reading():
        call = ModelEventRow.kind == "call"
        prompt, completion, cached, number = (
            ModelEventRow.select(
                pw.fn.SUM(ModelEventRow.prompt_tokens),
                pw.fn.SUM(ModelEventRow.completion_tokens),
                pw.fn.SUM(ModelEventRow.cached_tokens),
                pw.fn.COUNT(ModelEventRow.id),
            )
            .where(call)
            .tuples()
            .get()
        )
        replayed = ModelEventRow.select(pw.fn.SUM(ModelEventRow.count)).where(ModelEventRow.kind == "replayed").scalar()
    tokens = {"prompt": prompt or 0, "completion": completion or 0, "cached": cached}
    return tokens, {"model": number or 0, "replayed": replayed or 0}


def faults_view(store: Store) -> dict[str, int]:
    """How often each named class of fault was seen in answers and servers, the most frequent first."""
    counts: dict[str, int] = {}
    with store.reading():
        for (data,) in ModelEventRow.select(ModelEventRow.data).where(ModelEventRow.kind == "fault").tuples():
            name = str((data or {}).get("class", "unknown"))
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def running_view(store: Store) -> list[dict[str, Json]]:
    """Runs in progress, and runs that are put off with the reason for it."""
    with store.reading():
        now = store.now()
        query = RunRow.select().where(
            (RunRow.state == RunState.RUNNING.value)
            | ((RunRow.state == RunState.READY.value) & (RunRow.not_before > now))
        )
        return [
            {
                "run": row.id,
                "plan": row.plan_id,
                "task": row.task_id,
                "phase": row.phase,
                "state": row.state,
                "reason": row.reason,
                "wait_s": round(max(0.0, row.not_before - now), 1),
            }
            for row in query.order_by(RunRow.id)
        ]


GATE_DECISIONS = frozenset({"gate.deferred", "gate.refused", "gate.context", "gate.open", "gate.wait"})
_LOOKED_BACK = 20


def gate_view(store: Store) -> dict[str, Json] | None:
    """The memory gate's last decision; None when it has lately only let through.

    ``shut`` is True while a role waits: nothing was loaded or found loaded since.
    """
    with store.reading():
        newest = ModelEventRow.select().order_by(ModelEventRow.id.desc())
        rows = newest.where(ModelEventRow.kind == "gate").limit(_LOOKED_BACK)
        decided = next((row for row in rows if row.data["event"] in GATE_DECISIONS), None)
        if decided is None:
            return None
        resident = newest.where(ModelEventRow.kind.in_(["load", "found"])).first()
        data = decided.data
        refused = data["event"] in ("gate.deferred", "gate.wait")
        return {
            "decision": data["event"].partition(".")[2],
            "shut": refused and (resident is None or resident.id < decided.id),
            "role": decided.role,
            "model": decided.model,
            "reason": data.get("reason", ""),
            "text": data.get("text", ""),
            "hint": data.get("hint", ""),
            "at": decided.at,
        }


def plans_known(store: Store) -> dict[str, str]:
    """The name of every plan by its id, the oldest first."""
    with store.reading():
        return dict(PlanRow.shown(PlanRow.id, PlanRow.name).order_by(PlanRow.created_at).tuples())


def has_plans(store: Store) -> bool:
    """Whether there is anything that could be lost."""
    with store.reading():
        return bool(PlanRow.shown().exists())


def is_idle(store: Store, plan_id: str | None = None) -> bool:
    """Nothing is running in any plan (or in this one) that is not over, nor, but for a pause, runnable or cooling
    down."""
    with store.reading():
        over = [s.value for s in TERMINAL_PLANS]
        busy = (RunRow.state == RunState.RUNNING.value) | ((RunRow.state == RunState.READY.value) & pauses.not_paused())
        query = RunRow.select().join(PlanRow).where(busy, PlanRow.state.not_in(over))
        return not (query.where(PlanRow.id == plan_id) if plan_id else query).exists()


def paused_open(store: Store, plan_ids: list[str] | None = None) -> int:
    """How many plans (of these) are not over and paused."""
    with store.reading():
        paused = pauses.every(store)
        open_plans = PlanRow.shown(PlanRow.id).where(PlanRow.state.not_in([s.value for s in TERMINAL_PLANS]))
        ids = [row.id for row in open_plans if plan_ids is None or row.id in plan_ids]
        return sum("" in paused or plan_id in paused for plan_id in ids)


def held_open(store: Store, plan_ids: list[str] | None = None) -> dict[str, str]:
    """Why which of these plans (None: of all) wait for other plans."""
    return {plan: why for plan, why in plan_order.every(store).items() if plan_ids is None or plan in plan_ids}


def plan_over(store: Store, plan_id: str) -> bool:
    with store.reading():
        return PlanState(PlanRow.get_by_id(plan_id).state) in TERMINAL_PLANS


def outcome(store: Store, plan_ids: list[str] | None = None) -> dict[str, int]:
    """How many plans ended how, for exit codes: completed, failed, needs_human, cancelled, open."""
    result: dict[str, Any] = {s.value: 0 for s in TERMINAL_PLANS} | {"open": 0}
    with store.reading():
        for row in PlanRow.shown(PlanRow.id, PlanRow.state):
            if plan_ids is None or row.id in plan_ids:
                result[row.state if row.state in result else "open"] += 1
    return result


def counts(store: Store) -> dict[str, int]:
    """Rows that a person should know about: rejected plan files and unreadable queue messages."""
    with store.reading():
        return {"rejected": RejectionRow.select().count(), "dead_letters": DeadLetterRow.select().count()}
