"""Another project by a phrase, a bare path or /project use: what is offered, and the Pilot there, also beside
``lao run``, to which it comes back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.cli.pilot.clean import one_line
from lao.cli.pilot.seat import Seat
from lao.core.errors import BadInput
from lao.projects.intent import Nothing, Scan, wanted
from lao.projects.registry import Registry, resolved

FROM: Final = "LAO_PILOT_FROM"
"""In the environment of a Pilot that was opened beside ``lao run`` of another project: that project's folder."""


@dataclass(frozen=True)
class Offer:
    """What is done when the person says yes. ``scan``: look for projects below ``path`` instead of going there."""

    text: str
    path: Path
    scan: bool = False


def came_from() -> Path | None:
    """The project whose ``lao run`` waits for this Pilot to end, None when there is none."""
    given = os.environ.get(FROM, "")
    return resolved(Path(given)) if given else None


def next_seat(path: Path) -> Path | None:
    """Where the Pilot starts anew; None: it only ends, as it came from there."""
    return None if resolved(path) == came_from() else path


def offered(seat: Seat, text: str) -> Offer | str:
    """What a line asks for: an offer to be confirmed, a word why it cannot be, or "" for any other line.

    Raises:
        LaoError: the list of projects cannot be read.
    """
    cwd = seat.session.cwd or Path.cwd()
    found = wanted(text, Registry(), cwd)
    if isinstance(found, Nothing):
        return one_line(found.why)
    if isinstance(found, Scan):
        told = f"{one_line(str(found.root))} has no factory.yaml; look for projects below it? y(es) or n(o)"
        return Offer(told, found.root, scan=True)
    if is_here(seat, found.path):
        return "this project is open already"
    where = f"{one_line(found.name)} in {one_line(str(found.path))}"
    if resolved(found.path) == came_from():
        return Offer(f"go back to {where}, where 'lao run' works? y(es) or n(o)", found.path)
    stays = "; 'lao run' works on here, and you come back by leaving" if seat.from_run else ""
    return Offer(f"go to the project {where}{stays}? y(es) or n(o)", found.path)


def is_here(seat: Seat, path: Path) -> bool:
    """Whether the Pilot is in that project already."""
    return resolved(path) == resolved(seat.factory.settings.paths.root)


def visit(path: Path, seat: Seat) -> int:
    """A Pilot in another project on this terminal, until the person leaves it; ``lao run`` works on here meanwhile.

    Returns:
        Its exit code.

    Raises:
        BadInput: the folder is gone.
    """
    from lao.cli.home import start_lao
    from lao.cli.place import session_in

    env = session_in(path, seat.session).env or {}
    try:
        return start_lao(["pilot"], path, {**env, FROM: str(seat.factory.settings.paths.root)})
    except OSError as error:
        raise _gone(path, error) from error


def start_there(path: Path) -> None:
    """Replace this process by a Pilot in another project. The terminal is as it was, the project here is closed.

    Raises:
        BadInput: the folder is gone.
    """
    from workflows.supervisor import worker_environment

    try:
        os.chdir(path)
    except OSError as error:
        raise _gone(path, error) from error
    os.execve(sys.executable, [sys.executable, "-m", "lao", "pilot"], worker_environment({}))  # noqa: S606 - no shell


def _gone(path: Path, error: OSError) -> BadInput:
    return BadInput(f"cannot go to {str(path)!r}: {error.strerror}", "start 'lao pilot' in another folder")
