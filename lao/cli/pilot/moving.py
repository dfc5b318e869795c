"""Another project by a phrase or a bare path: what is offered, and starting the Pilot there. Needs ``lao.projects``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

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
        raise BadInput(
            f"cannot go to {str(path)!r}: {error.strerror}", "start 'lao pilot' in another folder"
        ) from error
    env = import_module("lao.projects.needs").own_environment(worker_environment({}))
    os.execve(sys.executable, [sys.executable, "-m", "lao", "pilot", *arguments], env)  # noqa: S606 - no shell


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
