"""The model of a disk: it loses what was not synced, nothing else, and tears at the borders of sectors."""

from __future__ import annotations

import random
from pathlib import Path

from tests.durability.disk import SECTOR, Disk, File, Folder


def cuts(disk: Disk, folder: Path, number: int = 60) -> list[dict[str, bytes]]:
    """The files of that many power cuts."""
    chance, found = random.Random(3), []
    for n in range(number):
        place = folder / str(n)
        disk.lay_out(place, chance)
        found.append({p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()})
    return found


def new_file(disk: Disk, name: str, content: bytes) -> File:
    file = File()
    disk.enter(name, file)
    disk.write(file, 0, content)
    return file


def test_content_and_name_are_synced_one_by_one(tmp_path: Path) -> None:
    """A synced file whose folder was not synced may be gone; with both it is there in each cut."""
    disk = Disk()
    file = new_file(disk, "a", b"text")
    file.sync(disk.seq)
    assert {tuple(cut.values()) for cut in cuts(disk, tmp_path / "name")} == {(), (b"text",)}
    disk.root.sync(disk.seq)
    assert all(cut == {"a": b"text"} for cut in cuts(disk, tmp_path / "both"))


def test_a_write_that_is_not_synced_is_there_or_not_or_torn(tmp_path: Path) -> None:
    """Old, new, grown with zeros, and any mixture of whole sectors; nothing else."""
    disk = Disk()
    file = new_file(disk, "a", b"o" * SECTOR)
    disk.sync_all()
    disk.write(file, 0, b"n" * 3 * SECTOR)
    seen = {cut["a"] for cut in cuts(disk, tmp_path)}
    sectors = {content[n : n + SECTOR] for content in seen for n in range(0, len(content), SECTOR)}
    assert sectors == {sign * SECTOR for sign in (b"o", b"n", b"\0")}
    assert {b"o" * SECTOR, b"n" * 3 * SECTOR, b"o" * SECTOR + b"\0" * 2 * SECTOR} <= seen
    assert len(seen) > 4


def test_a_rename_happens_wholly_or_not_at_all(tmp_path: Path) -> None:
    """Over another file and into another folder: never both names, never none; a sync of one folder is enough."""
    disk = Disk()
    disk.enter("to", Folder())
    new_file(disk, "to/b", b"old")
    new = new_file(disk, "a", b"new")
    disk.sync_all()
    disk.move([("a", None), ("to/b", new)])
    before, after = {"a": b"new", "to/b": b"old"}, {"to/b": b"new"}
    found = cuts(disk, tmp_path / "cut")
    assert all(cut in (before, after) for cut in found)
    assert before in found
    assert after in found
    disk.root.sync(disk.seq)
    assert all(cut == after for cut in cuts(disk, tmp_path / "synced"))


def test_a_sync_covers_what_came_before_it_only(tmp_path: Path) -> None:
    """A write that came while the sync was under way is not covered; nothing is missing without a cut."""
    disk = Disk()
    file = new_file(disk, "a", b"1")
    disk.sync_all()
    began = disk.seq
    disk.write(file, 1, b"2")
    file.sync(began)
    assert disk.lay_out(tmp_path / "whole", None) == 0
    assert (tmp_path / "whole" / "a").read_bytes() == b"12"
    assert {cut["a"] for cut in cuts(disk, tmp_path / "cuts")} == {b"1", b"12", b"1\0"}
