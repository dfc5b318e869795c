"""``lao doctor``, group Plans: the folder that is watched, and whether the system tells of changes in it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene

_CLOSE_WRITE = 0x8


def examine(scene: Scene) -> list[Check]:
    """The rows ``folder`` and ``watch``."""
    folder = scene.settings.paths.plans
    found = _folder(folder)
    if found.level == "fail":
        return [found, Check("watch", "skipped", "there is nothing to watch")]
    return [found, _watch(next(f for f in (folder, *folder.parents) if f.is_dir()), scene)]


def _folder(folder: Path) -> Check:
    try:
        count = sum(name.suffix == ".md" for name in folder.iterdir())
    except FileNotFoundError:
        return Check("folder", "warn", f"{folder} is not there yet; `lao run` makes it", f"`mkdir -p '{folder}'`")
    except OSError as error:
        return Check("folder", "fail", f"{folder} cannot be read: {error.strerror}", f"`chmod u+rx '{folder}'`")
    return Check("folder", "ok", f"{folder}, {count} plans")


def _watch(folder: Path, scene: Scene) -> Check:
    """A watch is really taken, for a moment."""
    if not sys.platform.startswith("linux"):
        return Check("watch", "skipped", "only Linux has limits for this")
    failed = _try_watch(folder)
    if not failed:
        return Check("watch", "ok", "the system tells of new plans at once")
    every = scene.settings.orchestration.plan_watch_interval_s
    text = f"the system gives no watch ({os.strerror(failed)}): new plans are seen within {every:g} s instead"
    key = "max_user_instances=512" if failed == errno.EMFILE else "max_user_watches=524288"
    return Check("watch", "warn", text, f"`sudo sysctl fs.inotify.{key}`")


def _try_watch(folder: Path) -> int:
    """The errno of the system's refusal, 0 for none."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(0)
    if handle < 0:
        return ctypes.get_errno()
    try:
        watch = libc.inotify_add_watch(handle, os.fsencode(folder), _CLOSE_WRITE)
        return ctypes.get_errno() if watch < 0 else 0
    finally:
        os.close(handle)
