"""Text files as tools see them: bounded, decoded, binaries refused."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.errors import BadInput
from lao.durable import beneath

MAX_BYTES: Final = 4_000_000


def read_text(root: Path, name: str, shown: str) -> str:
    """The content with its line ends as they are.

    Args:
        name: relative to ``root``, as ``lao.tools.paths`` has found it; no link is followed any more.
        shown: what the model called it.

    Raises:
        BadInput: no such file, binary, too big, not UTF-8.
    """
    raw = beneath.read(root, name, most=MAX_BYTES)
    if raw is None:
        raise BadInput(f"there is no file {shown!r}", _neighbours(root, name))
    size = len(raw)
    if size > MAX_BYTES:
        raise BadInput(f"{shown!r} has more than {MAX_BYTES} bytes; no more are read", "look at a part with shell_exec")
    if b"\0" in raw[:8_192]:
        raise BadInput(f"{shown!r} is a binary file ({size} bytes)", "only text files are read and edited")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadInput(f"{shown!r} is not UTF-8 text (byte {exc.start})", "convert it first, with shell_exec") from exc


def _neighbours(root: Path, name: str) -> str:
    try:
        with beneath.folder(root, PurePosixPath(name).parent) as opened:
            names = sorted(n for n in os.listdir(opened) if not n.startswith("."))[:15]  # noqa: PTH208
    except FileNotFoundError:
        return "its folder does not exist either; list_dir shows what is there"
    return f"in that folder are: {', '.join(names)}" if names else "that folder is empty"
