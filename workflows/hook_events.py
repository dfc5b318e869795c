"""Command hooks of what has happened: plans, tasks, attempts, models, workers. They hear of it and decide nothing.

A thread of the cpu worker reads the news of the state (``lao.state.news``), so that no hook holds up the work; how far
it has come is kept after each event, so that a crash loses none and repeats at most the one that was being told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from lao.config.narrowing import narrowed
from lao.core.errors import Interrupted
from lao.core.states import Phase, Queue, RunState, TaskState
from lao.core.words import Json
from lao.durable.processes import kill_marked
from lao.hooks.contract import About
from lao.hooks.project import Means
from lao.state import news, plans, runs
from lao.state.news import EventNews, Item, PlanNews, RunNews, TaskNews
from workflows.factory import Factory
from workflows.hooking import about_run
from workflows.transcripts import transcript_of

STATE_EVENTS: Final = (
    "PlanStart",
    "PlanEnd",
    "TaskStart",
    "TaskCompleted",
    "TaskFailed",
    "VerifyFailed",
    "Stop",
    "ModelSwap",
)
NAME: Final = "hooks"
LOOK_S: Final = 0.5


def begin_events(factory: Factory) -> None:
    """Read from now on; before the first phase of this worker begins, so that its event is news too."""
    news.begin(factory.store, NAME)


def tell_events(factory: Factory) -> None:
    """Tell hooks what happens until the worker stops, and then what has happened up to there."""
    kill_marked(_marker(factory))
    begin_events(factory)
    while not factory.stop.is_set():
        tell(factory, factory.stop.is_set)
        factory.stop.wait(LOOK_S)
    tell(factory)


def tell(factory: Factory, stop: Callable[[], bool] | None = None) -> int:
    """Run the hooks of all that is new; returns how many events there were for them.

    Args:
        stop: asked while a hook runs; True ends it, and its event is told again by the next worker.
    """
    told = 0
    before, place = news.place_of(factory.store, NAME), news.place_of(factory.store, NAME)
    means = Means(
        _marker(factory) + "event",
        lambda text: factory.say_once(f"hooks: {text}"),
        stop,
        transcript=partial(transcript_of, factory),
    )
    for item in (items := news.look(factory.store, place)):
        for event, about, names in _events(factory, item):
            key = f"{event} {item.run.id if isinstance(item, RunNews) else item.id}"
            if not factory.hooks.wants(event) or key in before.told:
                continue
            try:
                factory.hooks.fire(event, about, means, names=names)
            except Interrupted:
                return told
            told += 1
            before.told.append(key)
            news.keep(factory.store, NAME, before)
    if items:
        place.told = []
        news.keep(factory.store, NAME, place)
    return told


def session(queue: Queue) -> Callable[[Factory], None]:
    """The service that tells hooks of the worker's own beginning and end."""

    def tell_session(factory: Factory) -> None:
        root = factory.settings.paths.root
        worker = f"{queue.value}-{factory.owner.pid}"
        about = About(root=root, cwd=root, session=worker, mode=factory.settings.permissions.mode)
        means = Means(f"{_marker(factory)}{worker}", lambda text: factory.say_once(f"hooks: {text}"))
        start = replace(about, more={"source": "startup", "worker": queue.value})
        factory.hooks.fire("SessionStart", start, means, names=("startup",))
        factory.stop.wait()
        end = replace(about, more={"reason": "other", "worker": queue.value})
        factory.hooks.fire("SessionEnd", end, means, names=("other",))

    return tell_session


def _marker(factory: Factory) -> str:
    return f"{factory.project_id}.hooks."


def _events(factory: Factory, item: Item) -> list[tuple[str, About, tuple[str, ...]]]:
    """The events that an item of the news is for hooks, with the names that their matchers are for."""
    if isinstance(item, RunNews):
        about = about_run(factory, item.run)
        return [(event, replace(about, more=more), ()) for event, more in _of_run(item)]
    if isinstance(item, TaskNews):
        plan = plans.get(factory.store, item.plan_id)
        about = _about(factory, plan.id, plan.name, task_id=item.id, task=item.title)
        more: dict[str, Json] = {"state": item.state.value, "reason": item.reason, "task_subject": item.title}
        event = {TaskState.COMPLETED: "TaskCompleted", TaskState.CANCELLED: ""}.get(item.state, "TaskFailed")
        return [(event, replace(about, more=more), ())] if event else []
    if isinstance(item, PlanNews):
        about = _about(factory, item.id, item.name)
        return [("PlanEnd", replace(about, more={"state": item.state.value, "reason": item.reason}), ())]
    if isinstance(item, EventNews) and item.kind == "load":
        more = {"model": item.model, "role": item.role, "seconds": item.seconds}
        run = runs.get(factory.store, int(item.data["run"])) if item.data.get("run") else None
        about = about_run(factory, run) if run else _about(factory, "", "")
        return [("ModelSwap", replace(about, more=more), (item.model,))]
    return []


def _of_run(item: RunNews) -> list[tuple[str, dict[str, Json]]]:
    run = item.run
    if not item.over:
        start = {Phase.INGEST: "PlanStart", Phase.CODE: "TaskStart"}.get(run.phase)
        return [(start, {})] if start and run.attempt == 1 else []
    more: dict[str, Json] = {"state": run.state.value, "reason": item.reason}
    if run.phase is Phase.VERIFY and run.state is RunState.DONE and (run.result or {}).get("blocked"):
        return [("VerifyFailed", more)]
    unsolved = run.phase is Phase.CODE and bool((run.result or {}).get("rounds"))
    stop = [("Stop", {**more, "stop_hook_active": False})] if run.phase is Phase.CODE else []
    return [("VerifyFailed", more), *stop] if unsolved else stop


def _about(factory: Factory, plan_id: str, plan: str, *, task_id: int | None = None, task: str = "") -> About:
    settings = factory.settings
    found = plans.get(factory.store, plan_id) if plan_id else None
    cwd = found.workspace if found else settings.paths.root
    mode = narrowed(settings.permissions, found.options if found else {}).mode
    return About(settings.paths.root, cwd, plan_id, plan, task_id=task_id, task=task, mode=mode)
