"""Feeds the plans folder in: watchdog events, a polling sweep beside them, and a settle rule for half-written files."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from lao.core.errors import LaoError, Transient
from lao.durable.files import clean_temporaries
from lao.state import plans
from workflows.factory import Factory
from workflows.submission import is_plan_file, submit_file

log = logging.getLogger("lao")

SETTLE_S = 0.4
"""A file is whole when its size and time have not changed for this long."""

TICK_S = 0.1
AGAIN_S = 2.0


class PlanFolder:
    """Which files of the plans folder are new or changed, and which of those have settled."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._seen: dict[Path, tuple[int, int]] = {}
        self._pending: dict[Path, tuple[tuple[int, int], float]] = {}

    def sweep(self) -> None:
        """Look at every file of the folder."""
        folder = self._factory.settings.paths.plans
        if folder.is_dir():
            for path in sorted(folder.glob("*.md")):
                self.notice(path)

    def notice(self, path: Path) -> None:
        """A file may have changed; it is taken in once it has settled."""
        if not is_plan_file(path):
            return
        stamp = _stamp(path)
        if stamp is None or self._seen.get(path) == stamp:
            self._pending.pop(path, None)
            return
        known = self._pending.get(path)
        if known is None or known[0] != stamp:
            self._pending[path] = (stamp, self._factory.clock.monotonic())

    def take_settled(self) -> list[str]:
        """Submit the files that have settled; returns the ids of new plans."""
        taken = []
        for path, (stamp, since) in list(self._pending.items()):
            if _stamp(path) != stamp:
                self._pending.pop(path)
                self.notice(path)
            elif self._factory.clock.monotonic() - since >= SETTLE_S:
                try:
                    plan_id = self._submit(path)
                except Transient as error:  # no room, a locked state: it is handed in again
                    log.warning("plan %s waits: %s", path.name, error.message)
                    self._pending[path] = (stamp, self._factory.clock.monotonic() + AGAIN_S)
                    continue
                self._pending.pop(path)
                self._seen[path] = stamp
                taken += [plan_id] if plan_id else []
        return taken

    def _submit(self, path: Path) -> str | None:
        store = self._factory.store
        try:
            submission = submit_file(self._factory, path)
        except Transient:
            raise
        except LaoError as error:
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            if plans.reject(store, path, digest, error.message):
                log.error("plan not taken: %s", error)
            return None
        if not submission.created:
            return None
        log.info("plan %s taken in as %s", path.name, submission.plan.id)
        return submission.plan.id


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class _Touched(FileSystemEventHandler):
    """Collects the paths of events for the watcher's own thread."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.lock = threading.Lock()

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = [event.src_path, getattr(event, "dest_path", "")]
        with self.lock:
            self.paths |= {Path(str(name)) for name in names if str(name).endswith(".md")}

    def drain(self) -> set[Path]:
        with self.lock:
            paths, self.paths = self.paths, set()
            return paths


def clean_leftovers(factory: Factory) -> int:
    """Remove what killed writers left in the plans folder, beside factory.yaml and beside the state; how many files."""
    paths, removed = factory.settings.paths, 0
    for folder in dict.fromkeys((paths.plans, paths.root, paths.state_dir)):
        try:
            removed += clean_temporaries(folder)
        except OSError as error:
            log.warning("left behind in %s, and cannot be removed: %s", folder, error)
    return removed


def watch_forever(factory: Factory) -> None:
    """The watcher's thread in the cpu consumer."""
    clean_leftovers(factory)
    folder = PlanFolder(factory)
    touched = _Touched()
    observer = _observe(factory.settings.paths.plans, touched)
    sweep_every = max(TICK_S, factory.settings.orchestration.plan_watch_interval_s)
    next_sweep = 0.0
    try:
        while not factory.stop.wait(TICK_S):
            if factory.clock.monotonic() >= next_sweep:
                next_sweep = factory.clock.monotonic() + sweep_every
                folder.sweep()
            for path in touched.drain():
                folder.notice(path)
            try:
                folder.take_settled()
            except (LaoError, OSError) as error:
                log.warning("plan watcher: %s", error)
    finally:
        if observer is not None:
            observer.stop()
            observer.join()
        factory.store.close()


def _observe(folder: Path, handler: FileSystemEventHandler) -> BaseObserver | None:
    """A running observer; None (polling alone) when the system has no watches left or the folder is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        observer = Observer()
        observer.schedule(handler, str(folder))
        observer.start()
    except OSError as error:
        log.warning("cannot watch %s (%s); it is swept instead", folder, error)
        return None
    return observer
