"""What a person does to work under way: cancel, pause, resume, replay. One transaction each, and wake-ups after it.

Works beside running workers and without any. What a crash leaves undone after the transaction is done by others: runs
without a message are woken by the reconciler, desks without a run are removed when a worker starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lao.core.states import Phase, RunState
from lao.durable.faults import crash_point
from lao.durable.holding import owner_alive
from lao.durable.processes import kill_marked
from lao.state import budgets, cancelling, pauses, plans, replaying, runs
from lao.state.cancelling import Begun, Cancelled
from lao.state.records import Plan, Task
from lao.workspace.desks import desks_of
from lao.workspace.git import Repository
from workflows.factory import Factory
from workflows.place import clear_away, take_back
from workflows.reconciler import wake_forgotten
from workflows.wake import wake_all


def cancel(factory: Factory, plan: Plan, task: Task | None = None) -> Cancelled:
    """End what is open of the plan, or of the task and what needs it.

    A phase at work loses its run: its commands are ended here, and its worker stops at its next step. What it had
    brought into the plan's folder without committing it is taken back.

    Raises:
        Transient: the plan's repository is held by another process for a minute.
    """
    task_id = task.id if task else None
    for run in cancelling.at_work(factory.store, plan_id=plan.id, task_id=task_id):
        if owner_alive(run.owner) is False:
            kill_marked(factory.marker(run.run_id))
    with _folder(factory, plan) as repository:
        with factory.store.write():
            now = factory.store.now()
            found = cancelling.cancel_plan(plan.id, now) if task is None else cancelling.cancel_task(task.id, now)
        crash_point("after_finish")
        for run in found.begun:
            _end(factory, plan, repository, run)
    wake_all(factory.store, found.ready)
    if task is not None and factory.desks:
        wake_all(factory.store, runs.call_back(factory.store, plan.id))
    return found


@contextmanager
def _folder(factory: Factory, plan: Plan) -> Iterator[Repository | None]:
    """The plan's repository with all others of LAO kept out of it, so that nobody lands there; None without one."""
    settings = factory.settings
    if not settings.git.enabled or not (plan.workspace / ".git").exists():
        yield None
        return
    repository = Repository(plan.workspace, settings=settings.git, state_dir=settings.paths.state_dir)
    with repository.exclusive():
        yield repository


def _end(factory: Factory, plan: Plan, repository: Repository | None, run: Begun) -> None:
    """End the run's child processes, and clear what it left; a worker that lives clears where it works itself."""
    kill_marked(factory.marker(run.run_id))
    if repository is not None:
        take_back(factory.store, repository, run.run_id)
    if not run.owner or owner_alive(run.owner) is False:
        clear_away(factory, run.run_id, run.task_id, run.phase, plan.workspace)


def clear_cancelled(factory: Factory) -> None:
    """At a worker's start: bring into order what a cancellation that was killed half-way, or its worker, has left.
    A desk that is still there shows it."""
    for run_id in desks_of(factory.settings.paths.state_dir / "desks"):
        run = runs.get(factory.store, run_id)
        if run is not None and run.state is RunState.SKIPPED:
            with _folder(factory, plans.get(factory.store, run.plan_id)) as repository:
                if repository is not None:
                    take_back(factory.store, repository, run_id)


def pause(factory: Factory, plan: Plan | None) -> tuple[float, bool]:
    """Begin nothing new of the plan, or of all (see ``pauses.pause``). Nobody needs to be woken for it."""
    return pauses.pause(factory.store, plan.id if plan else None)


def resume(factory: Factory, plan: Plan | None) -> tuple[tuple[str, ...], int]:
    """Go on. Returns (the plans that were paused, "" for all of them; how many runs were woken)."""
    ended = pauses.resume(factory.store, plan.id if plan else None)
    crash_point("after_finish")
    return ended, wake_forgotten(factory) if ended else 0


def replay(factory: Factory, task: Task, since: Phase) -> int:
    """Try a task that is over again from CODE, VERIFY or REVIEW; returns how many runs were woken.

    Raises:
        Refused: it is not over, or cannot be tried again from there.
    """
    early = factory.settings.orchestration.early_release
    with factory.store.write():
        ready = replaying.replay(task.id, since, factory.store.now(), early=early)
        budgets.renew(task.plan_id, factory.store.now())
    crash_point("after_finish")
    wake_all(factory.store, ready)
    return len(ready)
