"""Another project by a phrase, a bare path or /project use: what is offered, and the Pilot there, also beside
``lao run``, to which it comes back."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from lao.cli.pilot.clean import one_line
from lao.cli.pilot.seat import Seat
from lao.core.errors import BadInput
from lao.projects.intent import Nothing, Scan, wanted
from lao.projects.needs import own_environment
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


def start_there(path: Path, arguments: Sequence[str] = ()) -> NoReturn:
    """Replace this process by a Pilot in another project. The terminal is as it was, the project here is closed, and
    variables such as DB_PATH, which mean this project, are left behind.

    Args:
        arguments: of ``lao pilot`` there.

    Raises:
        BadInput: the folder is gone.
    """
    from workflows.supervisor import worker_environment

    try:
        os.chdir(path)
    except OSError as error:
        raise _gone(path, error) from error
    env = own_environment(worker_environment({}))
    os.execve(sys.executable, [sys.executable, "-m", "lao", "pilot", *arguments], env)  # noqa: S606 - no shell


def _gone(path: Path, error: OSError) -> BadInput:
    return BadInput(f"cannot go to {str(path)!r}: {error.strerror}", "start 'lao pilot' in another folder")


def refuse_unasked(seat: Seat, text: str) -> None:
    """Off a terminal nobody can be asked whether to go to another project, and a model is no answer to it.

    Raises:
        BadInput: the line is about another project; what to call instead.
        LaoError: the list of projects cannot be read.
    """
    found = offered(seat, text)
    where = shlex.quote(str(found.path)) if isinstance(found, Offer) else ""
    if isinstance(found, Offer) and found.scan:
        raise BadInput(f"{one_line(where)} has no factory.yaml", f"lao projects scan --root {where}")
    if isinstance(found, Offer):
        told = "this means another project, and nobody can be asked here"
        raise BadInput(told, f"ask there: lao pilot --project {where} -m TEXT")
    if found:
        raise BadInput(found, "'lao projects list' shows all")
