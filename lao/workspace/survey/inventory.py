"""Which files a workspace has, their languages and lines, and one hash of it all. Parses nothing, follows no link."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lao.search.listing import MAX_BYTES, Listed, content_of, files_of
from lao.search.tags import LANGUAGES

MAX_FILES: Final = 60_000
"""Files beyond so many are only counted."""

READ_FILES: Final = 20_000
READ_BYTES: Final = 96 << 20
READ_S: Final = 30.0
"""What is read to count lines, at most; files beyond it are known by size and time."""

_TEXTS: Final = {
    ".md": "markdown", ".rst": "text", ".txt": "text", ".json": "json", ".yaml": "yaml", ".yml": "yaml",
    ".toml": "toml", ".xml": "xml", ".html": "html", ".css": "css", ".scss": "css", ".sql": "sql", ".vue": "vue",
    ".svelte": "svelte", ".scala": "scala", ".ex": "elixir", ".exs": "elixir", ".erl": "erlang", ".hs": "haskell",
    ".lua": "lua", ".dart": "dart", ".m": "objective-c", ".pl": "perl", ".r": "r", ".zig": "zig", ".jl": "julia",
    ".proto": "protobuf", ".graphql": "graphql", ".tf": "terraform", ".ipynb": "notebook", ".gradle": "gradle",
    ".kts": "kotlin", ".bash": "shell",
}  # fmt: skip
PROSE: Final = frozenset({"", "markdown", "text", "json", "yaml", "toml", "xml", "html", "css", "notebook"})
"""What is not counted among the languages that a workspace is written in."""

_SECRET: Final = re.compile(
    r"(?:^|/)(?:\.env(?:\.[^/]*)?|\.netrc|\.npmrc|\.pypirc|\.htpasswd|id_(?:rsa|dsa|ecdsa|ed25519)[^/]*"
    r"|[^/]*(?:secret|credential|passwd|password)[^/]*\.(?!py$|pyi$|js$|ts$|tsx$|jsx$|go$|rs$|java$|kt$|swift$|c$|h$)[^/]*"
    r"|[^/]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|asc))$",
    re.I,
)
_SAMPLE: Final = re.compile(r"\.(?:example|sample|template|dist)$", re.I)


@dataclass(frozen=True)
class Surveyed:
    """One file.

    Attributes:
        path: relative to the workspace, with ``/``.
        bytes, lines: its size; ``lines`` is None where it was not read or is no text.
        language: by the ending of its name, "" when unknown.
        note: why only its name is of use ("link", "big", "binary", "unreadable", "secret"), or "".
    """

    path: str
    bytes: int
    lines: int | None
    language: str
    note: str = ""


@dataclass(frozen=True)
class Inventory:
    """Attributes:
    files: by path.
    beyond: how many more there are.
    tree: a hash of all paths and contents; "" where there was no time to read them.
    """

    files: tuple[Surveyed, ...] = ()
    beyond: int = 0
    tree: str = ""

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)


def take_inventory(
    root: Path,
    *,
    without: Collection[str] = (),
    hidden: Callable[[str], bool] = lambda _path: False,
    marker: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Inventory:
    """The files of a workspace as git would see them. Names that are no UTF-8 are left out; those with line breaks and
    the like, which could say anything in a prompt, are only counted.

    Args:
        without: files at the top that do not count (LAO's own).
        hidden: whether a path is treated as if it were not there.

    Raises:
        OSError: the system refuses to list the folder (no process or open file more).
    """
    if not root.is_dir():
        return Inventory()
    listed, beyond = files_of(root, marker, MAX_FILES)
    odd = sum(not file.path.isprintable() for file in listed)
    listed = [f for f in listed if f.path not in without and f.path.isprintable() and not hidden(f.path)]
    beyond += odd
    if not listed:
        return Inventory()
    return _Reading(root, clock).of(listed, beyond)


def language_of(path: str) -> str:
    """The language that a file's name tells, "" when unknown."""
    suffix = PurePosixPath(path).suffix.lower()
    return LANGUAGES.get(suffix) or _TEXTS.get(suffix, "")


def is_secret(path: str) -> bool:
    """Whether a file's name says that it holds keys or passwords; its content goes into no prompt."""
    return bool(_SECRET.search(path)) and not _SAMPLE.search(path)


class _Reading:
    """Reads files within its limits and adds them to the hash."""

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._root, self._clock = root, clock
        self._until = clock() + READ_S
        self._hash = hashlib.sha256()
        self._files, self._bytes, self._late = READ_FILES, READ_BYTES, False

    def of(self, listed: list[Listed], beyond: int) -> Inventory:
        files = tuple(self._one(file) for file in listed)
        return Inventory(files, beyond, "" if self._late else self._hash.hexdigest())

    def _one(self, file: Listed) -> Surveyed:
        size, language = file.stamp[0], language_of(file.path)
        self._late = self._late or self._clock() > self._until
        if file.note or self._late or self._files <= 0 or self._bytes < min(size, MAX_BYTES):
            self._hash.update(f"{file.path}\0{file.stamp[0]}:{file.stamp[1]}\0".encode())
            return Surveyed(file.path, size, None, language, file.note)
        self._files, self._bytes = self._files - 1, self._bytes - size
        raw, note = content_of(self._root, file.path)
        digest = hashlib.sha256(raw).hexdigest() if not note else f"{size}:{note}"
        self._hash.update(f"{file.path}\0{digest}\0".encode())
        if note:
            return Surveyed(file.path, size, None, language, note)
        lines = raw.count(b"\n") + (not raw.endswith(b"\n") and bool(raw))
        return Surveyed(file.path, size, lines, language, "secret" if is_secret(file.path) else "")
