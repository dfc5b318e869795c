"""``lao doctor``, groups Queue, Workers and Clock: what waits, who works on it, and whether the times can be right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.cli.project import since

if TYPE_CHECKING:
    from lao.state.lookover import Lookover, Registered

LAG_S: Final = 600.0
"""A phase that could begin waits no longer than this while workers run, or something holds them up."""

FRESH_S: Final = 24 * 3600.0
AHEAD_S: Final = 60.0

_NO_STATE: Final = "there is no state that can be looked at"


def queue(scene: Scene) -> list[Check]:
    """The rows ``wakeups``, ``letters`` and ``waiting``."""
    from workflows.queue_file import problem_of

    path = scene.settings.paths.queue
    problem = problem_of(path)
    wakeups = Check("wakeups", "ok", f"{path.name} is in order")
    if problem:
        text = f"{path} is damaged ({problem}): it holds only wake-ups, the next worker makes it anew"
        wakeups = Check("wakeups", "warn", text, "`lao run`")
    seen = scene.lookover()
    if seen is None:
        return [wakeups, *(Check(name, "skipped", _NO_STATE) for name in ("letters", "waiting"))]
    return [wakeups, _letters(seen), _waiting(seen)]


def _letters(seen: Lookover) -> Check:
    fresh = [letter for letter in seen.letters if time.time() - letter[2] < FRESH_S]
    if not fresh:
        return Check("letters", "ok", f"no unreadable message in the last day, {len(seen.letters)} before")
    queue_name, error, at = fresh[0]
    text = f"{len(fresh)} unreadable messages in the last day, the last on {queue_name} at {since(at)}: {error[:200]}"
    remedy = "`lao doctor --repair` forgets them: their phases are woken again, nothing is lost; if more of them come, "
    remedy += "two versions of LAO work here, so stop both (lao stop) and go on with one"
    return Check("letters", "warn", text, remedy)


def _waiting(seen: Lookover) -> Check:
    if not seen.waiting:
        return Check("waiting", "ok", "no phase waits to be begun")
    waited_s = time.time() - seen.waiting[0]
    text = f"{len(seen.waiting)} phases could begin, the first since {since(seen.waiting[0])}"
    if not _at_work(seen):
        return Check("waiting", "warn", f"{text}, and no worker runs", "`lao run`")
    if waited_s > LAG_S:
        return Check("waiting", "warn", text, "`lao status` says what is under way and what holds it up")
    return Check("waiting", "ok", text)


def workers(scene: Scene) -> list[Check]:
    """The rows ``running``, ``second``, ``locks`` and ``held``."""
    seen = scene.lookover()
    if seen is None:
        return [Check("running", "skipped", _NO_STATE), _locks(scene)]
    alive = _at_work(seen)
    told = ", ".join(f"{worker.queue} worker {worker.pid} since {since(worker.since)}" for worker in alive)
    return [Check("running", "ok", told or "none"), _second(scene, alive), _locks(scene), _held(seen, bool(alive))]


def _at_work(seen: Lookover) -> list[Registered]:
    """The registered workers that live, as far as that can be known from here."""
    from lao.durable.holding import owner_alive

    return [worker for worker in seen.workers if owner_alive(worker.owner) is not False]


def _second(scene: Scene, alive: list[Registered]) -> Check:
    """A live worker that does not hold its queue's lock works beside whoever holds it, or will."""
    from lao.durable.owners import FileLock, Owner

    for worker in alive:
        holder = FileLock(_lock(scene, worker.queue)).holder_pid()
        if not Owner.from_text(worker.owner).local:
            host = Owner.from_text(worker.owner).host
            text = f"the {worker.queue} worker is on another machine, {host}, since {since(worker.since)}"
            return Check("second", "warn", text, f"stop it there (`lao stop` on {host}) before `lao run` here")
        if holder != worker.pid:
            beside = f"process {holder} holds it" if holder else "nobody holds it"
            text = f"process {worker.pid} is the {worker.queue} worker without its queue's lock; {beside}"
            return Check("second", "warn", text, f"`kill {worker.pid}`")
    return Check("second", "ok", "one worker a queue at most")


def _locks(scene: Scene) -> Check:
    from lao.core.states import Queue
    from lao.durable.owners import FileLock

    stale, held = [], []
    for name in ("run", *(queue_.value for queue_ in Queue)):
        lock = FileLock(_lock(scene, name))
        if pid := lock.holder_pid():
            held.append(f"{name} by process {pid}")
        elif lock.holder():
            stale.append(lock.path.name)
    if stale:
        text = f"left by workers that have ended: {', '.join(stale)}; a lock without its process holds nobody up"
        return Check("locks", "ok", text)
    return Check("locks", "ok", ", ".join(held) or "none is held")


def _held(seen: Lookover, working: bool) -> Check:
    from lao.durable.holding import owner_alive

    lost = [run for run, owner in seen.held if owner_alive(owner) is False]
    if lost and not working:
        text = f"{len(lost)} phases belong to workers that are dead (run {lost[0]}); they go on where they were"
        return Check("held", "warn", text, "`lao run`")
    return Check("held", "ok", f"{len(seen.held)} phases are under way")


def clock(scene: Scene) -> list[Check]:
    """The row ``future``."""
    seen = scene.lookover()
    if seen is None:
        return [Check("future", "skipped", _NO_STATE)]
    ahead_s = seen.latest - time.time()
    if ahead_s > AHEAD_S:
        text = f"the state knows {since(seen.latest)}, {ahead_s:.0f} s from now: the clock was set back, or is wrong"
        return [Check("future", "warn", text, "`sudo timedatectl set-ntp true`, and look at `date`")]
    return [Check("future", "ok", "nothing in the state is later than now")]


def _lock(scene: Scene, name: str) -> Path:
    return scene.settings.paths.database.with_name(f"{name}.lock")
