"""What runs beside the workers in a consumer: the queue's ownership, threads that reconcile, watch and keep awake."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

from huey.consumer import Consumer

from lao.core.errors import BadInput, LaoError
from lao.core.states import Queue
from lao.durable import limits
from lao.durable.owners import FileLock
from lao.durable.processes import kill_marked
from lao.durable.threads import Thread
from lao.state import outbox, runs, surroundings
from lao.workspace.desks import clean_desks
from lao.workspace.snapshots import clean_snapshots
from workflows.awake import keep_awake
from workflows.control import clear_cancelled
from workflows.factory import Factory, active
from workflows.guard import guard_forever
from workflows.hook_events import STATE_EVENTS, begin_events, session, tell_events
from workflows.lock_news import say_locks_once
from workflows.notifying import notify, wants_notify
from workflows.queues import FactoryHuey
from workflows.reconciler import reconcile, reconcile_forever
from workflows.telemetry import begin_telemetry, send_telemetry
from workflows.watcher import watch_forever

log = logging.getLogger("lao")


def make_consumer(huey: FactoryHuey, **options: Any) -> FactoryConsumer:
    """Open the project, take its lock for this queue and only then build the consumer.

    Exits with the error's code and one message when the project cannot be opened or is already worked on.
    """
    log_to_stderr()
    try:
        lock = own_queue(active.get(whole=True), huey.queue)
    except LaoError as error:
        sys.stderr.write(f"lao: {error}\n")
        raise SystemExit(error.exit_code) from None
    if huey.queue is Queue.GPU:
        if options.get("workers", 1) != 1:
            log.warning("-w says nothing here: how much is under way is said by orchestration.tasks_in_flight")
        options["workers"] = active.get().under_way + 1  # one for turns of the Pilot, which go beside
    if options.get("worker_type", "thread") != "thread":
        sys.stderr.write("lao: the workers are threads: run huey_consumer with -k thread\n")
        raise SystemExit(BadInput.exit_code)
    return FactoryConsumer(huey, lock, **options)


def log_to_stderr() -> None:
    """Plain timestamped lines when nobody has set up logging (``huey_consumer`` sets up only its own)."""
    logging.getLogger("huey").addFilter(_is_news)
    say_locks_once()
    if log.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _is_news(record: logging.LogRecord) -> bool:
    """Drops Huey's warning for every chain that LAO ends on purpose, of which the phase has logged why, and its
    traceback where the file, the system or the message is to blame and not the program."""
    error = record.exc_info[1] if record.exc_info else None
    reading = "reading from queue" in record.msg or "deserialize" in record.msg
    if error is not None and (reading or isinstance(error, (sqlite3.Error, OSError, MemoryError, LaoError))):
        record.msg, record.args = f"{record.getMessage()} {error!r}", ()
        record.exc_info = record.exc_text = None
    return "raised CancelExecution" not in record.msg


def own_queue(factory: Factory, queue: Queue) -> FileLock:
    """Take the project's lock for one queue and register as its worker.

    Raises:
        Refused: another live process has it; the message names its pid.
    """
    lock = FileLock(factory.settings.paths.database.with_name(f"{queue.value}.lock"))
    lock.acquire()
    runs.register_worker(factory.store, queue.value, factory.owner.to_text(), os.getpid())
    return lock


class FactoryConsumer(Consumer):  # type: ignore[misc]  # huey ships no types
    """Huey's consumer with LAO's services around its run; stopping it lets the phase at work stop at its next step."""

    def __init__(self, huey: FactoryHuey, lock: FileLock, **options: Any) -> None:
        super().__init__(huey, **options)
        self._queue_lock = lock  # held until the process ends

    def run(self) -> None:
        """Work until stopped.

        Exits with one message when the system refuses what a worker needs, such as its threads.
        """
        try:
            self._run()
        except (OSError, MemoryError, RuntimeError) as error:
            short = limits.told(error)
            if short is None:
                raise
            sys.stderr.write(f"lao: {short}\n")
            raise SystemExit(short.exit_code) from None

    def _run(self) -> None:
        factory = active.get()
        queue: Queue = self.huey.queue
        state = factory.settings.paths.state_dir
        held = factory.containment  # its line in the log is the first of the worker
        surroundings.note(factory.store, held.how.value, held.told, holds=not held.weaker_than_asked)
        if queue is Queue.CPU:
            clean_snapshots(state / "snapshots")
            begin_news(factory)
        else:
            clear_cancelled(factory)
            kill_marked(factory.mcp_marker)
            clean_desks(state / "desks", lambda run: runs.is_open(factory.store, run))
        reconcile(factory)
        threads = [_start(factory, service) for service in (*_services(queue), *_wanted(factory, queue))]
        _start(factory, self._end_when_damaged)
        try:
            super().run()
        finally:
            factory.stop.set()
            # also after Ctrl-C: the phase at work lets go of its run at the next step instead of counting as a crash
            for thread in (*threads, *(worker for _, worker in self.worker_threads)):
                thread.join(timeout=5)
            if factory.damaged is None:
                runs.unregister_worker(factory.store, queue.value, factory.owner.to_text())
            factory.close()
        if factory.damaged is not None:
            raise SystemExit(factory.damaged.exit_code)

    def _end_when_damaged(self, factory: Factory) -> None:
        factory.stop.wait()
        if factory.damaged is not None:
            self.stop()

    def stop(self, graceful: bool = False) -> None:
        active.get().stop.set()
        super().stop(graceful=graceful)


def keep_alive(service: Callable[[Factory], None], factory: Factory, pause_s: float = 5.0) -> None:
    """Run a service until the worker stops; one that fails is logged and begun again: without the reconciler or the
    watcher the night would stall in silence."""
    while not factory.stop.is_set():
        try:
            service(factory)
        except Exception as error:  # the border of a service thread
            if factory.is_damaged(error):
                return
            short = limits.told(error)
            if short is not None:
                log.warning("%s: %s", service.__name__, short.message)
            else:
                log.exception("%s failed; it begins again in %s s", service.__name__, pause_s)
            factory.stop.wait(pause_s)


def _services(queue: Queue) -> tuple[Callable[[Factory], None], ...]:
    return (reconcile_forever, watch_forever, guard_forever) if queue is Queue.CPU else (keep_awake,)


def _wanted(factory: Factory, queue: Queue) -> tuple[Callable[[Factory], None], ...]:
    """Services that only some projects want; of the others there is not even a thread."""
    found = [session(queue)] if factory.hooks.wants("SessionStart", "SessionEnd") else []
    if queue is Queue.CPU:
        found += [tell_events] if factory.hooks.wants(*STATE_EVENTS) else []
        found += [send_telemetry] if factory.settings.raw["otel"]["enabled"] else []
        found += [notify] if wants_notify(factory) else []
    return tuple(found)


def begin_news(factory: Factory) -> None:
    """Let those who tell of what happens read from now on.

    Their threads may come to it only when the first phases are under way or over, and those would be old to them.
    """
    wanted = _wanted(factory, Queue.CPU)
    if tell_events in wanted:
        begin_events(factory)
    if send_telemetry in wanted:
        begin_telemetry(factory)
    if notify in wanted:
        outbox.begin(factory.store)


def _start(factory: Factory, service: Callable[[Factory], None]) -> Any:
    thread = Thread(keep_alive, args=(service, factory), name=service.__name__)
    thread.start()
    return thread
