"""The part of the preflight that is about this machine and this project's past: time, swaps, memory, disk."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.core.errors import LaoError
from lao.core.states import PIPELINE_ROLES, Role, TaskState
from lao.core.words import Json
from lao.durable import space
from lao.state import pace, queries
from lao.state.loads import KeptLoads
from lao.state.records import Plan
from workflows.factory import Factory

Told = tuple[str, str, str, str]
"""name, level, text, remedy: a row of the preflight."""

GB: Final = 1e9


def look(factory: Factory, known: Plan | None, tasks: int, figures: dict[str, Json]) -> list[Told]:
    """The rows. ``tasks``: how many the plan has, or is guessed to have."""
    folder = known.workspace if known else factory.settings.paths.workspace
    return [
        _time(factory, tasks, known, figures),
        _swaps(factory, figures),
        *_memory(factory, figures),
        _disk(factory, folder, figures),
    ]


def _time(factory: Factory, tasks: int, known: Plan | None, figures: dict[str, Json]) -> Told:
    """By the pace of the project's latest tasks; another plan's work in between is not counted."""
    found = pace.pace(factory.store)
    states = {TaskState.WAITING.value: tasks}
    if known is not None:
        listed = [str(task["state"]) for task in queries.tasks_view(factory.store, known.id)]
        states = {state: listed.count(state) for state in listed} or states
    left = found.left_s(states, ())
    figures.update(expected_tasks=tasks, estimated_s=None if left is None else round(left, 1))
    if left is None:
        return "time", "info", f"no history yet: {found.tasks} finished tasks, {pace.LEAST} are needed to tell", ""
    what = f"{tasks} task{'' if tasks == 1 else 's'}"
    return "time", "ok", f"about {left / 60:.1f} min for {what}, as the last {found.tasks} tasks took", ""


def _swaps(factory: Factory, figures: dict[str, Json]) -> Told:
    ended = sum(number for state, number in queries.outcome(factory.store).items() if state != "open")
    models = {factory.model_settings(role).key for role in PIPELINE_ROLES}
    least = 0 if len(models) < 2 else len(models) - 1
    view = queries.models_view(factory.store)
    mean = round(view["swaps"] / ended, 1) if ended else None
    figures.update(models=sorted(models), least_swaps=least, swaps_per_plan=mean)
    past = f"{mean} a plan so far" if mean is not None else "no history yet"
    return "swaps", "ok", f"{len(models)} models for the pipeline, at least {least} swaps; {past}", ""


def _memory(factory: Factory, figures: dict[str, Json]) -> list[Told]:
    """What each model needs with its context beside all the memory there is, as the gate would reckon."""
    try:
        infos = {info.key: info for info in factory.server.models()}
        manages = factory.server.manages_memory
    except LaoError as error:
        figures.update(memory=None)
        return [("memory", "info", f"not looked at: {error.message}", "")]
    missing = sorted({factory.model_settings(role).key for role in PIPELINE_ROLES} - infos.keys())
    if missing:
        figures.update(memory=None, missing_models=missing)
        return [("memory", "warn", f"the server has no {', '.join(map(repr, missing))}", "lao configure-models")]
    if not manages:
        figures.update(memory=None)
        return [("memory", "info", "the server manages its memory itself", "")]
    from lao.servers.detect import probe_for
    from lao.servers.gate.needs import Needs

    reading = probe_for(factory.settings).read()
    needs = Needs(factory.settings, KeptLoads(factory.store, factory.settings.server.base_url), factory.warn_once)
    rows: list[Told] = []
    wanted: dict[str, Json] = {}
    for role in PIPELINE_ROLES:
        model = factory.model_settings(role)
        if model.key in wanted:
            continue
        need = needs.of(infos[model.key], model.context_length)
        wanted[model.key] = {"bytes": need.count, "how": need.how, "total": reading.total_bytes}
        rows.append(_fit(role, model.key, need.count, need.how, reading.total_bytes))
    figures.update(memory=wanted)
    return rows


def _fit(role: Role, key: str, need: int, how: str, total: int) -> Told:
    if not need or not total:
        return "memory", "info", f"{key}: what it needs, or what there is, is not known", ""
    text = f"{key} needs {need / GB:.1f} of {total / GB:.1f} GB ({how})"
    if need <= total:
        return "memory", "ok", text, ""
    return "memory", "warn", f"{text}: it does not fit", f"a smaller models.{role.value}.context_length or model"


def _disk(factory: Factory, folder: Path, figures: dict[str, Json]) -> Told:
    free = space.free_mb(folder)
    least = factory.settings.orchestration.min_free_disk_mb
    figures.update(free_disk_mb=None if free == float("inf") else round(free), least_disk_mb=least)
    if free == float("inf"):
        return "disk", "info", "the system does not say how much is free", ""
    text = f"{free:.0f} MB free, {least} MB are kept free"
    return ("disk", "ok", text, "") if free >= least else ("disk", "warn", text, "free some space")
