"""The arguments of bubblewrap: an empty file system with the system, tools and the workspace put into it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Final

from lao.durable.containment import bubblewrap_flags
from lao.durable.sandbox.folders import SECRETS, View, is_there
from lao.durable.sandbox.identity import GIT_FILE
from lao.durable.sandbox.policy import Sandbox

_MB: Final = 1024 * 1024
_KERNEL: Final = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")
_BROKER: Final = "/run/systemd/resolve"


def arguments(sandbox: Sandbox, view: View, cwd: Path, identity: int | None = None) -> list[str]:
    """Everything up to ``--``. What is deeper is put over what is higher, and what is frozen over all.

    Args:
        identity: an open file whose content becomes git's settings in the home folder.
    """
    size = ("--size", str(sandbox.limits.tmp_mb * _MB)) if sandbox.limits.tmp_mb else ()
    argv = ["bwrap", *bubblewrap_flags(), *(() if sandbox.network else ("--unshare-net",))]
    argv += _system(view.system, sandbox.network)
    argv += ["--proc", "/proc", *_settings_of_the_kernel(), "--dev", "/dev", *size, "--tmpfs", "/dev/shm"]  # noqa: S108
    for private in ("/tmp", "/var/tmp"):  # noqa: S108
        argv += [*size, "--tmpfs", private]
    if view.home is not None:
        argv += [*size, "--tmpfs", str(view.home)]
        argv += ["--file", str(identity), str(view.home / GIT_FILE)] if identity is not None else []
    binds = [(path, "--ro-bind") for path in view.tools] + [(path, "--bind") for path in view.writable]
    for path, how in sorted(binds, key=lambda bind: len(bind[0].parts)):
        argv += [how, str(path), str(path)]
    for path in view.frozen:
        argv += ["--ro-bind", str(path), str(path)]
    real = os.path.realpath(cwd)
    if real != str(cwd):
        argv += ["--bind", real, str(cwd)]
        for path in view.frozen:
            if path.is_relative_to(real):
                argv += ["--ro-bind", str(path), str(cwd / path.relative_to(real))]
    return [*argv, "--remount-ro", "/", "--chdir", str(cwd)]


@functools.cache
def _settings_of_the_kernel() -> tuple[str, ...]:
    """Root's own files in /proc, which root may write without any capability: bubblewrap alone leaves some open."""
    return tuple(part for place in _KERNEL if is_there(Path(place)) for part in ("--ro-bind", place, place))


@functools.cache
def _system(folders: tuple[Path, ...], network: bool) -> tuple[str, ...]:
    found: list[str] = []
    for folder in folders:
        if str(folder) == _BROKER and not network:
            continue
        if folder.is_symlink():  # /bin of a system that has it in /usr
            found += ["--symlink", str(folder.readlink()), str(folder)]
        else:
            found += ["--ro-bind", str(folder), str(folder)]
    for secret in map(Path, SECRETS):
        if not is_there(secret) or secret.is_symlink():
            continue
        found += ["--tmpfs", str(secret)] if secret.is_dir() else ["--ro-bind", "/dev/null", str(secret)]
    return tuple(found)
