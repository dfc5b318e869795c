"""Another project by a phrase or a bare path: what is offered, and starting the Pilot there. Needs ``lao.projects``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from lao.cli.pilot.clean import one_line
from lao.cli.pilot.seat import Seat
from lao.core.errors import BadInput


@dataclass(frozen=True)
class Offer:
    """What is done when the person says yes. ``scan``: look for projects below ``path`` instead of going there."""

    text: str
    path: Path
    scan: bool = False


def offered(seat: Seat, text: str) -> Offer | str:
    """What a line asks for: an offer to be confirmed, a word why it cannot be, or "" for any other line.

    Raises:
        LaoError: the list of projects cannot be read.
    """
    if find_spec("lao.projects") is None:
        return ""
    cwd = seat.session.cwd or Path.cwd()
    found = import_module("lao.projects.intent").wanted(text, import_module("lao.projects.registry").Registry(), cwd)
    kind = type(found).__name__
    if kind == "Switch":
        path = Path(found.path)
        if path.resolve() == seat.factory.settings.paths.root.resolve():
            return "this project is open already"
        if seat.from_run:
            return f"'lao run' works here; start 'lao pilot' in {one_line(str(path))}"
        return Offer(f"go to the project {one_line(found.name)} in {one_line(str(path))}? y(es) or n(o)", path)
    if kind == "Scan":
        told = f"{one_line(str(found.root))} has no factory.yaml; look for projects below it? y(es) or n(o)"
        return Offer(told, Path(found.root), scan=True)
    return one_line(found.why) if found.why else ""


def start_there(path: Path) -> None:
    """Replace this process by a Pilot in another project. The terminal is as it was, the project here is closed.

    Raises:
        BadInput: the folder is gone.
    """
    from workflows.supervisor import worker_environment

    try:
        os.chdir(path)
    except OSError as error:
        raise BadInput(
            f"cannot go to {str(path)!r}: {error.strerror}", "start 'lao pilot' in another folder"
        ) from error
    os.execve(sys.executable, [sys.executable, "-m", "lao", "pilot"], worker_environment({}))  # noqa: S606 - no shell
