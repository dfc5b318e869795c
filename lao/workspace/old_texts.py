"""The texts of files as a commit has them. Reads objects only; knows no work folder."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

from lao.workspace.git_calls import Git

LARGEST: Final = 1_000_000
"""Bytes; larger ones are left out."""


def texts_at(git: Git, commit: str, paths: Collection[str]) -> dict[str, str]:
    """Text by path of those that ``commit`` has, bad bytes replaced; binary and large files are left out.

    Args:
        commit: any name of one; where there is none of that name, nothing is found.
    """
    asked = [path for path in dict.fromkeys(paths) if path and "\n" not in path]
    names = "".join(f"{commit}:{path}\n" for path in asked)
    if not asked:
        return {}
    told = git.raw("cat-file", "--batch-check", stdin=os.fsencode(names)).splitlines()
    wanted = [path for path, line in zip(asked, told, strict=True) if _is_small_file(line)]
    raw = git.raw("cat-file", "--batch", stdin=os.fsencode("".join(f"{commit}:{path}\n" for path in wanted)))
    found, position = {}, 0
    for path in wanted:
        head = raw.index(b"\n", position)
        size = int(raw[position:head].rsplit(b" ", 1)[1])
        body = raw[head + 1 : head + 1 + size]
        position = head + size + 2
        if b"\0" not in body[:8_192]:
            found[path] = body.decode("utf-8", errors="replace")
    return found


def _is_small_file(line: bytes) -> bool:
    parts = line.rsplit(b" ", 2)
    return len(parts) == 3 and parts[1] == b"blob" and int(parts[2]) <= LARGEST
