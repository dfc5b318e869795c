"""What a line that was typed is: a command, a question, or nothing. A path that begins with a slash is no command."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lao.core.errors import BadInput


class Kind(str, Enum):
    """What was typed."""

    NOTHING = "nothing"
    COMMAND = "command"
    QUESTION = "question"


@dataclass(frozen=True)
class Line:
    """One input. ``name`` of a command is without its slash; ``rest`` is what follows it, or the whole question."""

    kind: Kind
    name: str = ""
    rest: str = ""


def read(text: str, names: Collection[str]) -> Line:
    """Tell commands from questions and paths.

    Args:
        names: the commands' names and their other names, without slashes.

    Raises:
        BadInput: a word with a slash that is neither a command nor a path; the message names the nearest command.
    """
    stripped = text.strip()
    if not stripped:
        return Line(Kind.NOTHING)
    if not stripped.startswith("/"):
        return Line(Kind.QUESTION, rest=stripped)
    word, rest = _cut(stripped[1:])
    if word.lower() in names:
        return Line(Kind.COMMAND, word.lower(), rest.strip())
    if not word or "/" in word or _exists(f"/{word}"):
        return Line(Kind.QUESTION, rest=stripped) if word else Line(Kind.COMMAND, "help")
    near = difflib.get_close_matches(word.lower(), sorted(names), n=1, cutoff=0.5)
    raise BadInput(
        f"no command '/{word}'", f"did you mean /{near[0]}? /help lists them" if near else "/help lists them"
    )


def arguments(rest: str) -> list[str]:
    """The words of a command's arguments; quotes keep words together.

    Raises:
        BadInput: a quote is not closed.
    """
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise BadInput(f"cannot read {rest!r}: {str(error).lower()}", "close the quote, or leave it out") from error


def _cut(text: str) -> tuple[str, str]:
    words = text.split(None, 1) if text[:1].strip() else []
    return (words[0] if words else "", words[1] if len(words) > 1 else "")


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or a character that no path has
        return False
