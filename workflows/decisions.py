"""The log of decisions, ``.lao/decisions.jsonl``: one line for each time that a plan was closed, and what is learned.

What was decided is committed with the plan's end; the file is written after it. Whoever is killed in between leaves it
to the reconciler; a line that is there is not written again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from lao.core.errors import LaoError, Refused
from lao.core.states import PlanState, TaskState
from lao.core.words import CommandResult, Json
from lao.durable.json_lines import KEY, append_new
from lao.durable.owners import FileLock
from lao.memory.facts import checked, digest
from lao.quality.coverage import STATUSES, Covered
from lao.state import decisions, facts, queries
from lao.state.facts import Fact
from lao.state.records import Task
from workflows.factory import Factory
from workflows.work import Work

log = logging.getLogger("lao")

FILE = "decisions.jsonl"


def decision(
    work: Work,
    end: tuple[PlanState, str],
    *,
    commit: str | None,
    tasks: Sequence[Task],
    results: Sequence[CommandResult],
    demands: Sequence[Covered],
) -> dict[str, Json]:
    """What is noted of a close: the plan's end with the counts that it rests on."""
    evidence = queries.evidence_view(work.factory.store, work.plan.id)
    done = [task.id for task in tasks if task.state is TaskState.COMPLETED]
    counted = Counter(one.status for one in demands)
    return {
        KEY: f"{work.plan.id}/{work.claim.run.id}",
        "plan": work.plan.id,
        "name": work.plan.name,
        "run": work.claim.run.id,
        "state": end[0].value,
        "reason": end[1],
        "commit": commit,
        "tasks": dict(sorted(Counter(task.state.value for task in tasks).items())),
        "evidence": dict(sorted(Counter(evidence.get(number, "none") for number in done).items())),
        "commands": {"passed": sum(r.passed for r in results), "failed": sum(not r.passed for r in results)},
        "demands": {status: counted[status] for status in STATUSES if counted[status]},
    }


def keep(work: Work, made: dict[str, Json], now: float) -> None:
    """Inside the transaction that ends the plan: note the decision, and learn that a plan is done."""
    settings = work.factory.settings
    if settings.raw["agentic"]["decision_log_enabled"]:
        decisions.note(made[KEY], {**made, "at": round(now, 3)})
    if settings.memory.enabled and made["state"] == PlanState.COMPLETED.value:
        folder = work.plan.workspace.name
        shown = "; its commands pass on the whole" if made["commands"]["passed"] else ""
        text = checked(f"Plan {work.plan.name} is done in {folder}/: {sum(made['tasks'].values())} tasks{shown}")
        fact = Fact(digest(text), text, f"plan:{folder}", "approved", work.plan.name, None, made["commit"])
        facts.learn([fact], now)


def write_log(factory: Factory) -> None:
    """Bring the log to what was decided. What the system refuses now is tried again at the reconciler's next pass."""
    waiting = decisions.pending(factory.store)
    if not waiting:
        return
    path = factory.settings.paths.state_dir / FILE
    try:
        with FileLock(path.with_suffix(".lock"), "the log of decisions"):
            append_new(path, [record for _, record in waiting])
        decisions.written(factory.store, tuple(key for key, _ in waiting))
    except Refused:  # somebody else is just writing it
        return
    except (OSError, LaoError) as error:
        factory.warn_once(f"{FILE} cannot be written, it is tried again: {error}")
