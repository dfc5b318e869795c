"""``lao doctor``, group Disk: room, permission to write, what kind of disk, and whether its fsync waits.

The only thing it writes is a file without a name, which is gone with this process.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.durable import space

FSYNCS: Final = 5
TOO_FAST_MS: Final = 0.02
TOO_SLOW_MS: Final = 200.0
REMOTE: Final = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.rclone"))
PASSING: Final = {"tmpfs": "a restart empties it", "overlay": "it goes with its container", "ramfs": "it is memory"}

_FULL_HINT: Final = "orchestration.min_free_disk_mb"


def examine(scene: Scene) -> list[Check]:
    """The rows ``space``, ``writable``, ``fsync`` and ``filesystem`` of the folder with the state."""
    settings = scene.settings
    folder = next(f for f in (settings.paths.state_dir, *settings.paths.state_dir.parents) if f.exists())
    return [
        _space(folder, settings.orchestration.min_free_disk_mb),
        *_writing(folder),
        judged(folder, filesystem(folder)),
    ]


def _space(folder: Path, least_mb: int) -> Check:
    free = space.free_mb(folder)
    text = f"{free:.0f} MB free where the state is"
    if free < least_mb:
        remedy = f"free some space there: below {least_mb} MB ({_FULL_HINT}) plans wait"
        return Check("space", "warn", text, remedy)
    return Check("space", "ok", text)


def _writing(folder: Path) -> list[Check]:
    try:
        took_ms = fsync_ms(folder)
    except OSError as error:
        text = f"nothing can be written in {folder}: {error.strerror}"
        return [Check("writable", "fail", text, f"`chmod u+rwx '{folder}'`, or mount its disk read-write")]
    writable = Check("writable", "ok", f"{folder} can be written")
    return [writable, fsync_row(took_ms)]


def fsync_row(took_ms: float) -> Check:
    """What the time of an fsync says of the disk."""
    text = f"one fsync takes {took_ms:.2f} ms (median of {FSYNCS})"
    if took_ms < TOO_FAST_MS:
        remedy = "put `paths.database` on a disk whose fsync waits: a power cut may take acknowledged work here"
        return Check("fsync", "warn", f"{text}: the disk does not wait", remedy)
    if took_ms > TOO_SLOW_MS:
        remedy = "put `paths.database` on a local disk: each step of a phase waits for one or more"
        return Check("fsync", "warn", text, remedy)
    return Check("fsync", "ok", text)


def fsync_ms(folder: Path) -> float:
    """The median time of an fsync of 4 KB in this folder, in ms. Raises OSError where nothing can be written."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            file.write(os.urandom(4096))
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def judged(folder: Path, kind: str) -> Check:
    """What the type of its file system says of the folder of the state."""
    if not kind:
        return Check("filesystem", "skipped", "this system does not tell")
    if kind in REMOTE:
        text = f"{folder} is on {kind}: locks and the write-ahead log of SQLite do not hold over a network"
        return Check("filesystem", "fail", text, "set `paths.database` in factory.yaml to a file on a local disk")
    if kind in PASSING:
        text = f"{folder} is on {kind}: {PASSING[kind]}"
        return Check("filesystem", "warn", text, "set `paths.database` in factory.yaml to a file on a lasting disk")
    return Check("filesystem", "ok", kind)


def filesystem(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that a folder is on (``"ext4"``), "" where it cannot be told."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
        place = folder.resolve()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        before, there, after = line.partition(" - ")
        if not there:
            continue
        point = Path(before.split()[4].replace("\\040", " "))
        if len(point.parts) >= best and (place == point or point in place.parents):
            best, kind = len(point.parts), after.split()[0]
    return kind
