"""What the home shows: project, server, memory, workers, plans. Changes nothing, and takes a bounded time."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from lao import __version__
from lao.cli.context import Session
from lao.cli.look import Look, here
from lao.cli.place import printable, shown
from lao.core.errors import LaoError

if TYPE_CHECKING:
    from lao.config.settings import Settings
    from lao.projects.needs import Need
    from lao.projects.registry import Project

T = TypeVar("T")

LOOK_S: Final = 1.5
"""What the whole look may take; a server or a driver that needs longer is said not to answer."""

_STATES: Final = ("active", "planning", "queued", "needs_human", "failed", "completed", "cancelled")


@dataclass(frozen=True)
class View:
    """One look.

    Attributes:
        folder: where commands run.
        is_project: it is one.
        problem: why its configuration or state cannot be read, "" when both can.
        server, memory: in words, "" when not looked at.
        serves: the server answers and lists models.
        workers: (queue, pid) of those alive.
        current: the project that ``lao projects use`` has chosen, when ``folder`` is none.
    """

    folder: Path
    is_project: bool
    problem: str = ""
    server: str = ""
    serves: bool = False
    memory: str = ""
    workers: tuple[tuple[str, int], ...] = ()
    plans: Mapping[str, int] = field(default_factory=dict)
    paused: bool = False
    needs: tuple[Need, ...] = ()
    current: Project | None = None


def look(session: Session, folder: Path, known: Callable[[], Project | None]) -> View:
    """Look at a folder, changing nothing; no longer than ``LOOK_S`` for what is asked of others.

    Args:
        known: gives the current project.
    """
    from lao.projects.registry import is_project

    view = View(folder, is_project(folder))
    try:
        settings = session.settings()
    except LaoError as error:
        return replace(view, is_project=True, problem=_line(error))
    if settings.paths.config_file is not None:
        view = replace(view, folder=settings.paths.root, is_project=True)
    if not view.is_project:
        view = replace(view, current=known())
    import lao.servers.memory.probes
    import lao.servers.rest  # noqa: F401  # here, so that a slow disk does not look like a silent server

    until = time.monotonic() + LOOK_S
    server = _started(lambda: server_line(settings), "lao-home-server")
    memory = _started(lambda: memory_line(settings), "lao-home-memory")
    view = _with_state(view, settings.paths.database)
    late = f"{settings.server.base_url} does not answer"
    told, serves = _got(server, until, (late, False))
    return replace(view, server=told, serves=serves, memory=_got(memory, until, ""))


def _with_state(view: View, database: Path) -> View:
    from lao.projects.needs import live_workers, needs_in
    from lao.state.glance import glance

    try:
        seen = glance(database)
    except LaoError as error:
        return replace(view, problem=_line(error))
    workers, needs = live_workers(seen), needs_in(seen)
    return replace(view, workers=workers, plans=seen.plans, paused=seen.paused, needs=needs)


def server_line(settings: Settings) -> tuple[str, bool]:
    """How many models the model server lists, in words, and whether it does."""
    from lao.servers.rest import Rest

    url = settings.server.base_url
    try:
        rest = Rest(url, settings.server.api_key, connect_timeout_s=LOOK_S, read_timeout_s=LOOK_S)
        reply = rest.get("/v1/models", plain=True)
    except LaoError as error:
        return _line(error), False
    models = reply.body.get("data", reply.body.get("models"))
    if reply.error or not isinstance(models, list):
        return f"{url} answers, but lists no models: 'lao health' says more", False
    return f"{url} answers, {len(models)} model{'' if len(models) == 1 else 's'}", True


def memory_line(settings: Settings) -> str:
    """The free memory that models can get, "" where it cannot be told."""
    from lao.servers.memory.probes import system_probe
    from lao.servers.rest import is_local

    try:
        if not is_local(settings.server.base_url):
            return "of the server: not visible from here"
        reading = system_probe().read()
    except (LaoError, OSError) as error:
        return printable(str(error).splitlines()[0])
    if reading.available_bytes is None:
        return ""
    total = f" of {reading.total_bytes / 1e9:.1f}" if reading.total_bytes else ""
    return f"{reading.available_bytes / 1e9:.1f}{total} GB free ({reading.source})"


def lines(view: View) -> list[str]:
    """The look in words, one fact a line."""
    look = here()
    told = [look.paint(f"LAO {__version__}", "strong"), _fact("project", _project(view))]
    if view.problem:
        told.append(_fact("problem", look.paint(printable(view.problem), "bad")))
    if view.server:
        told.append(_fact("server", look.paint(printable(view.server), "good" if view.serves else "warn")))
    if view.memory:
        told.append(_fact("memory", view.memory))
    if view.is_project and not view.problem:
        told.append(_fact("workers", _workers(view, look)))
        told.append(_fact("plans", _plans(view.plans)))
        told += [_fact("needs", look.paint(f"{printable(need.text)}: {need.hint}", "person")) for need in view.needs]
    return told


def _fact(name: str, text: str) -> str:
    return f"  {name:<8}  {text}"


def _workers(view: View, look: Look) -> str:
    names = ", ".join(f"{name} (pid {pid})" for name, pid in view.workers)
    paused = look.paint("PAUSED, lao resume goes on", "warn")
    return (look.paint(names, "busy") or "none") + (f"; {paused}" if view.paused else "")


def _project(view: View) -> str:
    if view.is_project:
        name = printable(view.folder.name) or "/"
        return f"{name}  ({shown(view.folder)})"
    here = f"none in {shown(view.folder)}"
    return f"{here}; current: {printable(view.current.name)} ({shown(view.current.path)})" if view.current else here


def _plans(plans: Mapping[str, int]) -> str:
    told = [f"{plans[state]} {state.replace('_', ' ')}" for state in _STATES if plans.get(state)]
    return ", ".join(told) or "none yet"


def _line(error: LaoError) -> str:
    return printable(error.message.strip().splitlines()[0])


def _started(job: Callable[[], T], name: str) -> queue.SimpleQueue[T]:
    from lao.durable.threads import Thread

    answer: queue.SimpleQueue[T] = queue.SimpleQueue()
    Thread(lambda: answer.put(job()), name=name).start()
    return answer


def _got(answer: queue.SimpleQueue[T], until: float, late: T) -> T:
    try:
        return answer.get(timeout=max(0.01, until - time.monotonic()))
    except queue.Empty:
        return late
