"""What was typed into the Pilot, kept across sessions in ``.lao/chat_history``, for its owner only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from prompt_toolkit.history import History

FILE_NAME: Final = "chat_history"
LARGEST: Final = 512_000
"""Bytes of the file that are read; a larger one is cut to half of it when it is opened."""


class KeptHistory(History):
    """One entry after the other, each line of it behind a ``+``, as prompt_toolkit's own file has them.

    Args:
        path: the file; made when the first entry is kept, readable by its owner only.
        say: told once why entries are not kept, or not read.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        super().__init__()
        self._path, self._say = path, say
        self._told = False

    def load_history_strings(self) -> Iterable[str]:
        """Entries, the newest first; none when the file cannot be read."""
        try:
            data = self._path.read_bytes() if self._path.exists() else b""
            if len(data) > LARGEST:
                data = b"\n#" + data[-LARGEST // 2 :].partition(b"\n#")[2]
                self._write(data, os.O_TRUNC)
        except OSError as error:
            self._tell(error)
            return []
        return reversed(_entries(data.decode("utf-8", "replace")))

    def store_string(self, string: str) -> None:
        """Add an entry; what cannot be written is said once and kept for this session only."""
        lines = "".join(f"+{line}\n" for line in string.split("\n"))
        try:
            self._write(f"\n# {len(string)} characters\n{lines}".encode("utf-8", "replace"), os.O_APPEND)
        except OSError as error:
            self._tell(error)

    def _write(self, data: bytes, how: int) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | how, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(data)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._say(f"what you type is not kept: {str(self._path)!r}: {error.strerror}")


def _entries(text: str) -> list[str]:
    found: list[list[str]] = []
    following = False
    for line in text.split("\n"):
        if line.startswith("+"):
            if not following:
                found.append([])
            found[-1].append(line[1:])
        following = line.startswith("+")
    return ["\n".join(lines) for lines in found]
