"""T15: what the system refuses is waited for, told in words, and counts as nobody's fault."""

from __future__ import annotations

import errno
import logging
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from huey.exceptions import CancelExecution, RetryTask

from lao.core.errors import OutOfResources, Terminal
from lao.core.states import Phase
from lao.durable import limits
from lao.durable.holding import Heartbeat
from lao.state import runs
from lao.state.store import Store, explain
from lao.state.tables import RunRow
from lao.workspace.git_calls import Git
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures
from tests.workflows.test_frame import READY, coding
from workflows.frame import REFUSALS_LIMIT, perform
from workflows.services import _is_news
from workflows.work import Outcome, Work

Open = Callable[..., Plant]
REFUSALS = [
    OSError(errno.EMFILE, "Too many open files"),
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    OSError(errno.EFBIG, "File too large"),
    MemoryError(),
    RuntimeError("can't start new thread"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=str)
def test_a_refusal_puts_the_phase_off(plant: Open, error: Exception) -> None:  # noqa: F811
    """P7: no attempt, no error is counted; the status says what is refused; the next try goes on."""
    factory = plant()
    run_id = coding(factory)

    def body(_work: Work) -> NoReturn:
        raise error

    with pytest.raises(RetryTask):
        perform(Phase.CODE, run_id, body, READY)
    row = RunRow.get_by_id(run_id)
    assert (row.state, row.errors, row.waits) == ("ready", 0, 1)
    assert "the system refuses" in row.reason
    RunRow.update(not_before=0).execute()
    perform(Phase.CODE, run_id, lambda _work: Outcome(lambda _now: []), READY)
    assert [task["attempts"] for task in factory.tasks()] == [1]


def test_a_phase_that_is_refused_for_half_an_hour_is_for_a_person(plant: Open) -> None:  # noqa: F811
    """P9: a phase that eats all memory itself stalls nothing for ever."""
    factory = plant()
    run_id = coding(factory)
    RunRow.update(waits=REFUSALS_LIMIT).where(RunRow.id == run_id).execute()

    def body(_work: Work) -> NoReturn:
        raise MemoryError

    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, body, READY)
    (task,) = factory.tasks()
    assert task["state"] == "needs_human"
    assert "out of memory" in str(task["reason"])


def test_a_refused_heartbeat_gives_the_run_back(plant: Open, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """T15: the thread beside the body is refused; the run used to stay with this living worker for ever."""
    import threading

    factory = plant()
    run_id = coding(factory)
    factory.factory.heartbeat = Heartbeat(factory.factory.store)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "lao-heartbeat":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RetryTask):
            perform(Phase.CODE, run_id, lambda _work: Outcome(lambda _now: []), READY)
    run = runs.get(factory.factory.store, run_id)
    assert run is not None
    assert run.state.value == "ready"


def test_a_git_that_the_system_ended_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: the OOM killer used to fail the task."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    for script in ("kill -9 $$", "echo 'fatal: Out of memory, malloc failed' >&2; exit 128"):
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        with pytest.raises(OutOfResources):
            Git(tmp_path).call("status")
    fake.write_text("#!/bin/sh\necho 'fatal: bad object' >&2; exit 128\n")
    with pytest.raises(Terminal):
        Git(tmp_path).call("status")


def test_a_state_that_cannot_be_used_for_the_moment_is_waited_for(store: Store, tmp_path: Path) -> None:
    """T15: no more files, no memory, a file that may not grow: all pass; a folder that is not there does not."""
    for error in (
        sqlite3.OperationalError("unable to open database file"),
        sqlite3.OperationalError("disk I/O error"),
        MemoryError(),
    ):
        assert isinstance(explain(error, store.path), OutOfResources)
    gone = explain(sqlite3.OperationalError("unable to open database file"), tmp_path / "none" / "state.db")
    assert gone.exit_code == 42


def test_what_is_no_refusal_is_told_as_it_is() -> None:
    """T15: a defect is not waited for."""
    for error in (RuntimeError("other"), OSError(errno.ENOENT, "no such file"), ValueError("x")):
        assert limits.told(error) is None
    assert limits.said("make", 2, "error: x is undeclared") is None
    assert limits.said("make", -9, "") is not None


def test_no_traceback_for_what_is_not_the_programs_fault() -> None:
    """T15: Huey prints one for every trouble with its file; a person sees one line, and a defect in full."""

    def shown(error: BaseException, text: str) -> str:
        record = logging.LogRecord("huey", logging.ERROR, "", 0, text, (), None)
        try:
            raise error
        except type(error):
            record.exc_info = sys.exc_info()
        assert _is_news(record)
        return logging.Formatter("%(message)s").format(record)

    assert shown(sqlite3.OperationalError("100% full"), "Error enqueueing") == (
        "Error enqueueing OperationalError('100% full')"
    )
    assert "Traceback" not in shown(ValueError("torn"), "Error reading from queue")
    assert "Traceback" in shown(ZeroDivisionError("x"), "Unhandled exception in task")
