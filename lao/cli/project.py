"""Opening the project for commands that read or write its state, and the exit codes of plans. Prints nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lao.cli.context import Session

if TYPE_CHECKING:
    from workflows.factory import Factory

SOME_FAILED, NEEDS_PERSON = 3, 4


@contextmanager
def open_project(session: Session, *, whole: bool = True) -> Iterator[Factory]:
    """The project's factory, active for the block; the one of the session where it has one.

    Args:
        whole: read the whole state file first, as every command should that changes it.
    """
    from lao.state.store import ERRORS, explain
    from workflows.factory import Factory, active

    if session.opened is not None:
        yield session.opened
        return
    factory = Factory(session.settings(), whole=whole)
    try:
        with active.use(factory):
            yield factory
    except ERRORS as error:
        raise explain(error, factory.store.path) from error
    finally:
        factory.close()


def path_of(session: Session, reference: str) -> Path:
    """What a reference to a plan is as a path; there may be no such file."""
    return ((session.cwd or Path.cwd()) / Path(reference).expanduser()).resolve()


def since(at: float) -> str:
    """A moment (seconds since the epoch) in local time, for a person."""
    return dt.datetime.fromtimestamp(at, dt.timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def exit_code(outcome: dict[str, int], *, paused: int = 0) -> int:
    """0 all completed, 4 when something needs a person or is paused, else 3 when something failed or was cancelled."""
    if outcome["needs_human"] or paused:
        return NEEDS_PERSON
    return SOME_FAILED if outcome["failed"] or outcome["cancelled"] else 0
