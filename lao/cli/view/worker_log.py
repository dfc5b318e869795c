"""The workers' own log while the run view is on: what they say is in a file, and what only they say is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

TOO_LARGE: Final = 32_000_000
"""Bytes after which the file is begun anew: its news has been told, and the state has the rest."""

_LINE: Final = re.compile(r"\d\d:\d\d:\d\d ([A-Z]) (.*)")
_OF_A_PHASE: Final = re.compile(r"(.+: )?(ingest|survey|plan|code|verify|review|whole|close)( of run \d+| task \d+|:)")
"""What the frame of a phase logs is in the state, and told from there."""


class WorkerLog:
    """Reads what is appended to the file; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""

    def news(self) -> list[str]:
        """The new lines that a person should see: warnings and errors that are in no record, and what was not logged
        but said, such as why a worker could not start."""
        try:
            size = self._path.stat().st_size
            if size < self._read:  # begun anew
                self._read, self._rest = 0, b""
            if size == self._read:
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = self._rest + file.read()
                self._read = file.tell()
        except FileNotFoundError:
            return []
        *lines, self._rest = data.split(b"\n")
        if self._read > TOO_LARGE:
            with self._path.open("r+b") as file:
                file.truncate(0)
        return [text for line in lines if (text := _told(line.decode("utf-8", "replace")))]


def _told(line: str) -> str:
    found = _LINE.fullmatch(line)
    if found is None:
        return line if line.startswith("lao: ") else ""
    level, text = found.groups()
    return text if level in "WEC" and not _OF_A_PHASE.match(text) else ""
