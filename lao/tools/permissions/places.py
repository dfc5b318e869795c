"""Where a word of a command points: inside the workspace, outside, at git's or LAO's own files, or nobody knows."""

from __future__ import annotations

import os
import re
from enum import Enum
from pathlib import Path
from typing import Final

from lao.tools.paths import PROTECTED
from lao.tools.permissions.words import Word

DEVICES: Final = frozenset(
    {"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/stdin", "/dev/fd/1", "/dev/fd/2"}
)


class Place(str, Enum):
    """INSIDE the workspace; OUTSIDE it; PROTECTED: .git or .lao; UNKNOWN: only the shell knows; DEVICE: no file."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    PROTECTED = "protected"
    UNKNOWN = "unknown"
    DEVICE = "device"


def place_of(word: Word, root: Path, *, astray: bool = False) -> Place:
    """The place that a word names when it is a path.

    Args:
        root: of the workspace, links resolved.
        astray: the line may have left the workspace (``cd``) before; a relative path is then outside.
    """
    text = word.text
    if text in DEVICES:
        return Place.DEVICE
    if is_protected(text):
        return Place.PROTECTED
    if text.startswith("~"):
        return Place.OUTSIDE
    if text.startswith(("$", "`", "<")) and not word.known:
        return Place.UNKNOWN
    normal = os.path.normpath(text)
    if text.startswith("/"):
        plain = Path("/" + normal.lstrip("/"))
        if not plain.is_relative_to(root) or plain == root:
            return Place.OUTSIDE
        normal = os.path.relpath(plain, root)
    elif astray or normal == ".." or normal.startswith("../"):
        return Place.OUTSIDE
    if not word.known:
        return Place.UNKNOWN
    try:
        real = Path(os.path.realpath(root / normal))
    except (OSError, ValueError):
        return Place.UNKNOWN
    if not real.is_relative_to(root):
        return Place.OUTSIDE
    return Place.PROTECTED if is_protected(str(real.relative_to(root))) else Place.INSIDE


def is_protected(text: str) -> bool:
    """Whether a path, or an option's value, goes through a folder of git or LAO."""
    return any(part.casefold().rstrip(". ") in PROTECTED for part in re.split(r"[/=:]", text))
