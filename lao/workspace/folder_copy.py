"""The way back without git: a copy of a work folder's files before an attempt. Used only where git is switched off.

Files that are too large to be copied for each attempt are left out: what an attempt does to them stays.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lao.durable.files import sha256_of, walk_files, write_atomic

MOST_FILES: Final = 5_000
MOST_BYTES: Final = 50_000_000
LARGEST: Final = 2_000_000
_LIST: Final = "files.json"


class FolderCopy:
    """A copy of ``root`` in ``place``.

    Args:
        root: the work folder; tool folders such as node_modules are left alone.
        place: LAO's own folder for this copy.
    """

    def __init__(self, root: Path, place: Path) -> None:
        self._root, self._place = root, place

    def save(self) -> str:
        """Make the copy anew; returns where it is."""
        fresh = self._place.with_name(f"{self._place.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "files").mkdir(parents=True)
        names = list(walk_files(self._root, limit=MOST_FILES))
        left = MOST_BYTES
        copied = []
        for name in names:
            size = (self._root / name).stat().st_size
            if size <= min(LARGEST, left):
                left -= size
                target = fresh / "files" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self._root / name, target)
                copied.append(name)
        write_atomic(fresh / _LIST, json.dumps({"there": names, "copied": copied}))
        shutil.rmtree(self._place, ignore_errors=True)
        fresh.rename(self._place)
        return str(self._place)

    def changed(self) -> tuple[str, ...]:
        """Paths that differ from the copy, are new or are gone, sorted; not those that were too large to copy."""
        kept = json.loads((self._place / _LIST).read_text(encoding="utf-8"))
        there = set(kept["there"])
        new = {name for name in walk_files(self._root, limit=MOST_FILES) if name not in there}
        if len(there) >= MOST_FILES:
            new = set()  # the list was cut, so nobody knows what is new
        differ = {n for n in kept["copied"] if sha256_of(self._root / n) != sha256_of(self._place / "files" / n)}
        return tuple(sorted(new | differ))

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """Text by path as it was, bad bytes replaced; without those that were not there, not copied or are binary."""
        found = {}
        for path in paths:
            place = self._place / "files" / path
            if place.is_file() and b"\0" not in (raw := place.read_bytes())[:8_192]:
                found[path] = raw.decode("utf-8", errors="replace")
        return found

    def restore(self) -> tuple[str, ...]:
        """Bring the folder back to the copy; the paths that were changed for it. Safe to repeat."""
        changed = self.changed()
        for name in changed:
            if (self._place / "files" / name).is_file():
                write_atomic(self._root / name, (self._place / "files" / name).read_bytes())
            else:
                (self._root / name).unlink(missing_ok=True)
        return changed

    def drop(self) -> None:
        """Forget the copy."""
        shutil.rmtree(self._place, ignore_errors=True)
