"""A folder and what was done to it, recorded once and cut off at as many points as one likes."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.disk import Disk, File, walk
from tests.durability.system_calls import Player, command


@dataclass(frozen=True)
class Cut:
    """The folder as one power cut left it.

    Attributes:
        at: after how many operations.
        missing: how many changes are not there or torn.
        told: what the recorded program had told of, line by line, before the cut.
    """

    at: int
    missing: int
    told: tuple[str, ...]


@dataclass(frozen=True)
class Recording:
    """What a program did to a folder.

    Attributes:
        root: the folder; each cut is laid out under this very path, since programs keep absolute paths.
        operations: how many calls changed or synced something in it.
    """

    root: Path
    before: Path
    log: Path
    operations: int
    counts: Mapping[str, int] = field(default_factory=dict)

    def cuts(self, number: int, seed: int) -> Iterator[Cut]:
        """Lay out that many power cuts at random operations, one after the other, under ``root``."""
        chance = random.Random(seed)
        points = Counter(chance.randrange(1, self.operations + 1) for _ in range(number))
        told: list[str] = []
        disk, player = _player(self.root, self.before, told)
        for at, _ in enumerate(player.play(self.log), 1):
            for _ in range(points[at]):
                _clear(self.root)
                missing = disk.lay_out(self.root, chance)
                yield Cut(at, missing, tuple("".join(told).splitlines()))


def record(root: Path, program: list[str], environment: Mapping[str, str]) -> Recording:
    """Run a program that works in ``root``; what is recorded must give exactly what is there afterwards.

    Raises:
        RuntimeError: the program failed, or the recording is not what happened.
    """
    before, log = root.with_name(f"{root.name}.before"), root.with_name(f"{root.name}.strace")
    shutil.copytree(root, before)
    done = subprocess.run(
        [*command(log), *program], cwd=root, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the recorded program failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    disk, player = _player(root, before, [])
    operations = sum(1 for _ in player.play(log))
    if wrong := _differences(disk, root):
        raise RuntimeError(f"the recording is not what happened: {wrong[:5]}")
    return Recording(root, before, log, operations, player.counts)


def _player(root: Path, before: Path, told: list[str]) -> tuple[Disk, Player]:
    disk = Disk()
    disk.take(before)
    return disk, Player(root, disk, lambda text: told.append(text.decode()))


def _differences(disk: Disk, root: Path) -> list[str]:
    model = dict(walk(disk.root))
    there = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    wrong = [f"{name!r} is only in the {'model' if name in model else 'folder'}" for name in sorted(there ^ set(model))]
    for name in sorted(there & set(model)):
        node = model[name]
        if isinstance(node, File) and (root / name).read_bytes() != node.seen:
            wrong.append(f"{name!r} has another content")
    return wrong


def _clear(root: Path) -> None:
    if root.exists():
        shutil.rmtree(root)
