"""Looks at all groups at once, each within its time; one that breaks is a row that fails. Knows no group."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from importlib import import_module

from lao.cli.doctor.rows import EXAMINED, Check, Group
from lao.cli.doctor.scene import Scene
from lao.core.errors import LaoError

Rows = Sequence[Check]


def examine(scene: Scene, groups: Sequence[Group]) -> list[tuple[Group, Rows]]:
    """The rows of each group, in the groups' order; takes as long as the slowest group, at most its limit."""
    from lao.durable.threads import Crew

    begun = time.monotonic()
    asides = [group for group in groups if group.aside and not _left_out(scene, group)]
    crew = Crew(max(1, len(asides)), "lao-doctor")
    futures = {group.id: crew.submit(partial(_rows, group, scene)) for group in asides}
    found = {group.id: _here(scene, group) for group in groups if group.id not in futures}
    for group in asides:
        left = max(0.0, group.limit_s - (time.monotonic() - begun))
        found[group.id] = _told(group, futures[group.id], left)
    if all(future.done() for future in futures.values()):
        crew.close()
    return [(group, found[group.id]) for group in groups]


def _left_out(scene: Scene, group: Group) -> bool:
    return group.needs_settings and scene.problem is not None


def _here(scene: Scene, group: Group) -> Rows:
    if _left_out(scene, group):
        return [Check(EXAMINED, "skipped", "not looked at: the configuration does not load")]
    from lao.durable.threads import settle

    future: Future[Rows] = Future()
    settle(future, partial(_rows, group, scene))
    if isinstance(stopped := future.exception(), KeyboardInterrupt):
        raise stopped
    return _told(group, future, 0.0)


def _rows(group: Group, scene: Scene) -> Rows:
    module, _, name = group.target.partition(":")
    function: Callable[[Scene], Rows] = getattr(import_module(module), name)
    return function(scene)


def _told(group: Group, future: Future[Rows], left_s: float) -> Rows:
    if not wait((future,), left_s).done:
        text = f"no result after {group.limit_s:g} s"
        return [Check(EXAMINED, "fail", text, "look what keeps the disk or the machine busy, then `lao doctor`")]
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, LaoError):
        return [Check(EXAMINED, "fail", error.message, error.hint or "`lao doctor` once more")]
    text = f"could not be looked at: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return [Check(EXAMINED, "fail", text, "a defect of LAO: report it with this line and `lao doctor --json`")]
