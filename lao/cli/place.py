"""Where a command is: which folders are no place for a project, and which project is used. Prints notes only."""

from __future__ import annotations

import os
from pathlib import Path

from lao.cli.context import Session, say
from lao.core.errors import BadInput, LaoError
from lao.core.folders import user_home


def check_folder(folder: Path) -> None:
    """Refuse the root of the file system, and say what the user's home folder is not good for.

    Raises:
        BadInput: ``folder`` is the root.
    """
    if folder == Path(folder.anchor):
        raise BadInput(
            f"{str(folder)!r} is the root of the file system", "Change to a folder of its own for the project."
        )
    if folder == Path(os.path.realpath(user_home())):
        say(f"lao: note: {str(folder)!r} is your home folder; a folder for the project alone is better")


def note_use(folder: Path) -> None:
    """Put the project into the user's list of projects. What stands against that is a note and never an error.

    One in the system's folder for temporary files is soon thrown away, and is left out.
    """
    import tempfile

    from lao.projects.registry import Registry, is_project, resolved

    temporary = resolved(folder).is_relative_to(resolved(Path(tempfile.gettempdir())))
    if temporary or not user_home().is_absolute() or not is_project(folder):
        return
    try:
        Registry(report=_note).used(folder)
    except LaoError as error:
        _note(f"this project is not in 'lao projects list': {error.message}")
    except OSError as error:
        _note(f"this project is not in 'lao projects list': {error.strerror or error}")


def session_in(folder: Path, session: Session) -> Session:
    """A call in another project: flags, and variables such as DB_PATH, belonged to the folder that is left."""
    from lao.projects.needs import own_environment

    return Session(cwd=folder, env=own_environment(os.environ if session.env is None else session.env))


def session_somewhere(session: Session) -> Session:
    """The call as it is where a project is, else in the current project; for commands that are a place to be in.

    Raises:
        ConfigError: the configuration is wrong. BadInput, Refused: the list of projects cannot be read.
    """
    from lao.projects.registry import Registry, is_folder, is_project

    paths = session.settings().paths
    if paths.config_file is not None or is_project(paths.root):
        return session
    current = Registry(report=_note).current()
    if current is None or not is_folder(current.path):
        return session
    _note(f"no project in {shown(paths.root)}; in the current one, {current.name} ({shown(current.path)})")
    return session_in(current.path, session)


def printable(text: str) -> str:
    """Without what could move the cursor, as names of folders may contain it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(path: Path) -> str:
    """A path for a person, the home folder as ``~``."""
    home = user_home()
    inside = home.is_absolute() and path.is_relative_to(home) and home != Path(home.anchor)
    return printable(f"~/{path.relative_to(home)}" if inside and path != home else str(path))


def _note(text: str) -> None:
    say(f"lao: note: {printable(text)}")
