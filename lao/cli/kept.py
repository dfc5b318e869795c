"""Snapshots that ``--write`` keeps beside factory.yaml, each with the history of its short form. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lao.core.errors import BadInput

if TYPE_CHECKING:
    from lao.config.settings import PathSettings

LONGEST_HISTORY: Final = 1_000
"""Entries that are kept, the newest."""

BYTES_LIMIT: Final = 16_777_216
"""A history that is longer was not written by LAO."""

LOCK_S: Final = 10.0


def keep(paths: PathSettings, name: str, snapshot: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write ``NAME_snapshot.json``, and add ``entry`` to the list in ``NAME_history.json``; each whole or not at all.

    A history that is no list of objects is set aside and begun anew.

    Args:
        paths: of the project.

    Returns:
        The two files.

    Raises:
        BadInput: they cannot be read or written. Refused: somebody else holds them.
        DiskFull: there is no room; the old files are untouched.
    """
    from lao.durable.files import write_atomic
    from lao.durable.owners import FileLock

    shown, history = paths.root / f"{name}_snapshot.json", paths.root / f"{name}_history.json"
    try:
        lock = FileLock(paths.state_dir / f"{name}_history.lock", str(history))
        lock.acquire(LOCK_S)
        with lock:
            entries = [*_entries(history), dict(entry)][-LONGEST_HISTORY:]
            write_atomic(shown, json.dumps(snapshot, indent=2) + "\n")  # ASCII: names of folders may be any bytes
            lines = ",\n".join(json.dumps(item, sort_keys=True) for item in entries)
            write_atomic(history, f"[\n{lines}\n]\n")
    except OSError as error:
        where = error.filename or str(history)
        raise BadInput(
            f"cannot write {str(where)!r}: {error.strerror or error}", "check the folder's rights"
        ) from error
    return shown, history


def _entries(history: Path) -> list[dict[str, Any]]:
    """What is kept already; nothing when there is no such file, or it was damaged and is set aside now."""
    if not history.exists():
        return []
    with history.open("rb") as opened:
        raw = opened.read(BYTES_LIMIT + 1)
    try:
        found = json.loads(raw) if len(raw) <= BYTES_LIMIT else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(item, dict) for item in found):
        return found
    from lao.cli.context import say

    aside = _free(history)
    history.rename(aside)
    say(f"lao: {str(history)!r} was no history; it is kept as {aside.name!r}, and a new one is begun")
    return []


def _free(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside
