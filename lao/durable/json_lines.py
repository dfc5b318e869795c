"""Files of JSON lines that only grow: each record once by its key, whoever is killed, and a torn end is mended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from lao.core.folders import make_folders, sync_folder
from lao.core.words import Json

KEY = "key"


def append_new(path: Path, records: Iterable[Mapping[str, Json]]) -> int:
    """Append those records whose ``key`` no line has, synced; returns how many.

    The end of the file is mended first: a last line that is whole gets its line break, one that was torn by a kill or a
    full disk is cut off. Other lines stay as they are, also those that are no JSON. One writer at a time.

    Raises:
        OSError: what the system says; records may be missing then, none is there twice or in part after the next call.
    """
    make_folders(path.parent)
    fresh = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(handle, "r+b") as file:
        text = file.read()
        kept = _mended(text)
        known = {key for line in kept.splitlines() if (key := _key(line)) is not None}
        new = {str(record[KEY]): record for record in records if str(record[KEY]) not in known}
        added = b"".join(json.dumps(r, ensure_ascii=False, sort_keys=True).encode() + b"\n" for r in new.values())
        if kept + added != text:
            same = min(len(text), len(kept))  # one begins with the other
            file.truncate(same)
            file.seek(same)
            file.write((kept + added)[same:])
            file.flush()
        os.fsync(file.fileno())
    if fresh:
        sync_folder(path.parent)
    return len(new)


def _mended(text: bytes) -> bytes:
    whole, _, last = text.rpartition(b"\n")
    whole = whole + b"\n" if whole or text.startswith(b"\n") else b""
    if not last:
        return text
    return text + b"\n" if _key(last) is not None else whole


def _key(line: bytes) -> str | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return str(value[KEY]) if isinstance(value, dict) and KEY in value else None
