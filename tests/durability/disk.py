"""A model of a disk that loses what was not synced: fed with changes, it lays out folders as a power cut leaves them.

Strict, as POSIX has it: the content of a file lasts from its own fsync on, its name from an fsync of the folder on.
What was not synced is there, or not, or torn at 512-byte borders, by the choice of the caller's random numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(eq=False)
class Change:
    """Something that was done and not synced yet. ``seq`` grows; ``offset`` None: the file has ``size`` bytes now."""

    seq: int
    offset: int | None
    data: bytes = b""
    size: int = 0

    def do(self, content: bytearray) -> None:
        if self.offset is None:
            del content[self.size :]
            content.extend(bytes(self.size - len(content)))
            return
        put(content, self.offset, self.data)


@dataclass(eq=False)
class File:
    """A regular file: what is safe on the disk, what readers see, and the changes in between."""

    mode: int = 0o644
    safe: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)

    def change(self, change: Change) -> None:
        change.do(self.seen)
        self.changes.append(change)

    def sync(self, until: int) -> None:
        for change in self.changes:
            if change.seq <= until:
                change.do(self.safe)
        self.changes = [change for change in self.changes if change.seq > until]


@dataclass(eq=False)
class Link:
    """A symbolic link."""

    target: str


@dataclass(eq=False)
class Move:
    """Entries that change at once, maybe of two folders; a sync of either makes all of it last."""

    seq: int
    entries: list[tuple[Folder, str, Node | None]]
    safe: bool = False


@dataclass(eq=False)
class Folder:
    """A folder: the entries that are safe, those that readers see, and the moves in between."""

    safe: dict[str, Node] = field(default_factory=dict)
    seen: dict[str, Node] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)

    def sync(self, until: int) -> None:
        for move in [m for m in self.moves if m.seq <= until]:
            if not move.safe:
                move.safe = True
                for folder, name, node in move.entries:
                    enter(folder.safe, name, node)
        self.moves = [m for m in self.moves if not m.safe]


Node = File | Folder | Link


def put(content: bytearray, offset: int, data: bytes) -> None:
    """Write ``data`` at ``offset``; a gap before it is filled with zeros."""
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def enter(entries: dict[str, Node], name: str, node: Node | None) -> None:
    """Set or (None) remove one entry."""
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


class Disk:
    """One folder on a disk, empty and synced at first.

    Attributes:
        seq: how many changes there were.
    """

    def __init__(self) -> None:
        self.root = Folder()
        self.seq = 0

    def take(self, folder: Path) -> None:
        """Begin with what lies in ``folder``, all of it synced."""
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                self.enter(name, Folder())
            else:
                content = bytearray(path.read_bytes())
                self.enter(name, File(path.stat().st_mode & 0o777, bytearray(content), content))
        self.sync_all()

    def find(self, name: str) -> Node | None:
        """What is there under a path relative to the root, "" for the root itself; links are not followed."""
        node: Node | None = self.root
        for part in name.split("/") if name else []:
            node = node.seen.get(part) if isinstance(node, Folder) else None
        return node

    def enter(self, name: str, node: Node | None) -> None:
        """Give a node a (further) name, or (None) take the name away."""
        self.move([(name, node)])

    def move(self, entries: list[tuple[str, Node | None]]) -> None:
        """Change several names at once (a rename)."""
        self.seq += 1
        move = Move(self.seq, [])
        for name, node in entries:
            above, _, last = name.rpartition("/")
            folder = self.find(above)
            assert isinstance(folder, Folder), f"{above!r} is no folder"
            enter(folder.seen, last, node)
            move.entries.append((folder, last, node))
        for folder in dict.fromkeys(folder for folder, _, _ in move.entries):
            folder.moves.append(move)

    def write(self, file: File, offset: int, data: bytes) -> None:
        self.seq += 1
        file.change(Change(self.seq, offset, data))

    def truncate(self, file: File, size: int) -> None:
        self.seq += 1
        file.change(Change(self.seq, None, size=size))

    def sync_all(self) -> None:
        """As sync(1) does it."""
        for _, node in walk(self.root):
            if not isinstance(node, Link):
                node.sync(self.seq)
        self.root.sync(self.seq)

    def lay_out(self, target: Path, chance: random.Random | None) -> int:
        """Write to the new folder ``target`` what a power cut now would leave; how many changes are missing or torn.

        Args:
            chance: None: nothing is lost.
        """
        cut = Cut(chance)
        target.mkdir(parents=True)
        cut.folder(self.root, target)
        return cut.missing


def walk(folder: Folder, above: str = "") -> Iterator[tuple[str, Node]]:
    """All that readers see below a folder, with the paths."""
    for name, node in sorted(folder.seen.items()):
        yield above + name, node
        if isinstance(node, Folder):
            yield from walk(node, f"{above}{name}/")


class Cut:
    """One power cut: what of the changes that are not synced gets to the disk.

    Of each cut it is drawn first how likely a change is to get there (never, mostly, always, anything between), and
    whether folders keep the order of their changes, as a journal does.
    """

    def __init__(self, chance: random.Random | None) -> None:
        self._chance = chance
        self._share = chance.choice((0.0, 0.1, 0.5, 0.9, chance.random())) if chance else 1.0
        self._ordered = chance.random() < 0.5 if chance else False
        self._kept: dict[int, bool] = {}
        self._written: dict[int, Path] = {}
        self.missing = 0

    def _keeps(self) -> bool:
        return self._chance is None or self._chance.random() < self._share

    def folder(self, node: Folder, target: Path) -> None:
        entries = self._entries(node)
        for name, child in entries.items():
            path = target / name
            if isinstance(child, Link):
                path.symlink_to(child.target)
            elif isinstance(child, Folder):
                path.mkdir()
                self.folder(child, path)
            elif id(child) in self._written:
                path.hardlink_to(self._written[id(child)])
            else:
                path.write_bytes(self._content(child))
                path.chmod(child.mode)
                self._written[id(child)] = path

    def _entries(self, node: Folder) -> dict[str, Node]:
        entries, lost = dict(node.safe), False
        for move in node.moves:
            if id(move) not in self._kept:
                self._kept[id(move)] = self._keeps() and not (self._ordered and lost)
            if not self._kept[id(move)]:
                lost = True
                self.missing += 1
                continue
            for folder, name, child in move.entries:
                if folder is node:
                    enter(entries, name, child)
        return entries

    def _content(self, node: File) -> bytes:
        content = bytearray(node.safe)
        for change in node.changes:
            if self._keeps():
                change.do(content)
                continue
            self.missing += 1
            if change.offset is None or self._chance is None:
                continue
            how: Callable[[Change, bytearray], None] = self._chance.choice((_absent, _absent, _zeros, self._torn))
            how(change, content)
        return bytes(content)

    def _torn(self, change: Change, content: bytearray) -> None:
        """Some sectors of the write are there, in no order."""
        assert change.offset is not None and self._chance is not None
        end = change.offset + len(change.data)
        for sector in range(change.offset // SECTOR * SECTOR, end, SECTOR):
            first, last = max(sector, change.offset), min(sector + SECTOR, end)
            if self._chance.random() < 0.5:
                put(content, first, change.data[first - change.offset : last - change.offset])


def _absent(change: Change, content: bytearray) -> None:
    """Nothing of it is there."""


def _zeros(change: Change, content: bytearray) -> None:
    """The file has grown, but its new part was not written."""
    assert change.offset is not None
    content.extend(bytes(max(0, change.offset + len(change.data) - len(content))))
