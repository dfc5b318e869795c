"""Finds a model's GGUF files on this machine: where factory.yaml says, or in LM Studio's folder. Reads no header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

LM_STUDIO_FOLDER = Path("~/.lmstudio/models")
"""In it: publisher, repository, files."""

_MOST_FILES = 5000
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.I)


def shards(path: Path) -> tuple[Path, ...]:
    """All files of the model that this file is, or is a part of, the first one first; () when one is missing."""
    part = _SHARD.search(path.name)
    if part is None:
        return (path,) if path.is_file() else ()
    stem = path.name[: part.start()]
    found = tuple(path.with_name(f"{stem}-{number:05}-of-{part[1]}.gguf") for number in range(1, int(part[1]) + 1))
    return found if all(p.is_file() for p in found) else ()


def find_files(key: str, size_bytes: int, folder: Path = LM_STUDIO_FOLDER) -> tuple[Path, ...]:
    """The files of the one model of exactly this size whose name holds the key's name; () when there is not one.

    Args:
        key: with or without publisher, as the server lists it.
    """
    name = _letters(key.rsplit("/", 1)[-1].partition("@")[0])
    if not name or not size_bytes:
        return ()
    try:
        models = {shards(p) for p in islice(_gguf_files(folder.expanduser()), _MOST_FILES)} - {()}
        fits = [files for files in models if _holds(files[0], name) and total_bytes(files) == size_bytes]
    except (OSError, RuntimeError):
        return ()
    return fits[0] if len(fits) == 1 else ()


def total_bytes(files: tuple[Path, ...]) -> int:
    """Their sizes together. Raises OSError."""
    return sum(p.stat().st_size for p in files)


def _gguf_files(folder: Path) -> Iterator[Path]:
    return (p for p in folder.glob("*/*/*.gguf") if not p.name.lower().startswith("mmproj"))


def _holds(path: Path, name: str) -> bool:
    return any(name in _letters(text) for text in (path.name, path.parent.name))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
