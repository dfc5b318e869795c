"""A keyed commit that appends one line to a file, whoever else appends to it: made from HEAD, not from the folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lao.durable.files import clean_temporaries, write_atomic
from lao.workspace.commits import Commit


@dataclass(frozen=True)
class LineCommit(Commit):
    """Effect: one commit appends ``line`` to the file ``paths[0]``, and the folder's file has the line too.

    Lines that others have written to the folder's file and not committed are left out of the commit.
    """

    line: str = ""

    def _add(self, index: Path) -> None:
        (path,) = self.paths or ("",)
        text = self._committed(path) + self.line.encode()
        blob = self.git.out("hash-object", "-w", "--stdin", stdin=text)
        record = os.fsencode(f"100644 {blob}\t{path}\0")
        self.git.call("update-index", "-z", "--index-info", stdin=record, env=self._using(index))

    def _settle(self, commit: str) -> None:
        (path,) = self.paths or ("",)
        file = self.git.root / path
        clean_temporaries(file.parent)
        there = file.read_bytes() if file.is_file() else b""
        committed = self._committed(path)
        if set(there.splitlines()) <= set(committed.splitlines()):
            if there != committed:
                write_atomic(file, committed)
        elif self.line.encode() not in there:  # somebody keeps lines of his own there
            write_atomic(file, there + self.line.encode())
        super()._settle(commit)

    def _catch_up(self, commit: str) -> None:
        self._settle(commit)  # it goes by what HEAD has, wherever that is

    def _committed(self, path: str) -> bytes:
        """The file's content in HEAD."""
        if self.git.call("cat-file", "-e", f"HEAD:{path}", ok=(0, 1, 128))[0]:
            return b""
        return self.git.raw("cat-file", "blob", f"HEAD:{path}")
