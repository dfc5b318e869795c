"""Text files as tools see them: bounded, decoded, binaries refused."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.core.errors import BadInput

MAX_BYTES: Final = 4_000_000


def read_text(target: Path, shown: str) -> str:
    """The content with its line ends as they are.

    Raises:
        BadInput: no such file, binary, too big, not UTF-8.
    """
    if not target.exists():
        raise BadInput(f"there is no file {shown!r}", _neighbours(target))
    size = target.stat().st_size
    if size > MAX_BYTES:
        raise BadInput(f"{shown!r} has {size} bytes; at most {MAX_BYTES} are read", "look at a part with shell_exec")
    raw = target.read_bytes()
    if b"\0" in raw[:8_192]:
        raise BadInput(f"{shown!r} is a binary file ({size} bytes)", "only text files are read and edited")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadInput(f"{shown!r} is not UTF-8 text (byte {exc.start})", "convert it first, with shell_exec") from exc


def _neighbours(target: Path) -> str:
    if not target.parent.is_dir():
        return "its folder does not exist either; list_dir shows what is there"
    names = sorted(p.name for p in target.parent.iterdir() if not p.name.startswith("."))[:15]
    return f"in that folder are: {', '.join(names)}" if names else "that folder is empty"
