"""Runs one command under Landlock and without capabilities: ``python -I -S launcher.py JSON ARGUMENT...``.

A program of its own, run by its path, with the standard library only: its start is part of every command. What the
kernel understands is asked (https://docs.kernel.org/userspace-api/landlock.html); what it does not know is left out.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
from typing import Any, Final

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << n for n in range(6))
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = (1 << n for n in range(6, 13))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_SINCE: Final = ((1, (1 << 13) - 1), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
_ON_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
WRITE: Final = (
    READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM
    | _REFER | _TRUNCATE
)  # fmt: skip
DEVICE: Final = _READ_FILE | _READ_DIR | _WRITE_FILE | _IOCTL_DEV | _TRUNCATE
_TCP: Final = 0b11
_SCOPED: Final = 0b11  # abstract sockets and signals, since version 6
_NO_NEW_PRIVILEGES, _DROP_BOUND, _AMBIENT, _CLEAR_AMBIENT = 38, 24, 47, 4
_BIND, _REMOUNT, _READ_ONLY = 4096, 32, 1
_LOOPBACK_UP = struct.pack("16sH14s", b"lo", 0x1 | 0x40, b"")
_SET_FLAGS = 0x8914


def landlock_abi() -> int:
    """The version of the kernel's Landlock, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(int(ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))), 0)


def calls(plan: dict[str, Any], abi: int) -> dict[str, Any]:
    """What the kernel is asked for: ``handled`` rights, ``net``, ``scoped``, and ``rules`` of (path, rights).

    Args:
        plan: ``read``, ``write``, ``devices``: paths; ``network``: leave TCP open.
        abi: the kernel's version; rights that it does not know are left out.
    """
    handled = 0
    for since, rights in _SINCE:
        handled |= rights if abi >= since else 0
    rules = [(path, READ & handled) for path in plan["read"]]
    rules += [(path, WRITE & handled) for path in plan["write"]]
    rules += [(path, DEVICE & handled) for path in plan["devices"]]
    net = _TCP if abi >= 4 and not plan["network"] else 0
    return {"handled": handled, "net": net, "scoped": _SCOPED if abi >= 6 else 0, "rules": rules}


def _restrict(plan: dict[str, Any], abi: int) -> None:
    asked, libc = calls(plan, abi), ctypes.CDLL(None, use_errno=True)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    raw = struct.pack("QQQ", asked["handled"], asked["net"], asked["scoped"])[:size]
    ruleset = _checked(libc.syscall(_CREATE, raw, ctypes.c_size_t(size), ctypes.c_uint(0)), "create a ruleset")
    for path, rights in asked["rules"]:
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there, or is hidden from this user, needs no right
        usable = rights if os.path.isdir(path) else rights & _ON_FILES  # noqa: PTH112 - pathlib costs 10 ms of start
        rule = struct.pack("=Qi", usable, handle)
        _checked(libc.syscall(_ADD_RULE, ruleset, 1, rule, 0), f"add {path}")
        os.close(handle)
    _checked(libc.syscall(_RESTRICT, ruleset, 0), "restrict itself")
    os.close(ruleset)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"the sandbox cannot {what}: {os.strerror(ctypes.get_errno())}")
    return int(result)


def _raise_loopback() -> None:
    """A new network namespace begins with its own loopback down."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, _SET_FLAGS, _LOOPBACK_UP)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENODEV):
                raise


def _freeze(path: str) -> None:
    """Make a path read-only in this mount namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    name = os.fsencode(path)
    flags = os.statvfs(path).f_flag & 0b1111  # nosuid, nodev and noexec may not be taken away in a user namespace
    _checked(libc.mount(name, name, None, ctypes.c_ulong(_BIND), None), f"bind {path}")
    again = ctypes.c_ulong(_REMOUNT | _BIND | _READ_ONLY | flags)
    _checked(libc.mount(None, name, None, again, None), f"make {path} read-only")


def _give_up_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    for number in range(64):
        libc.prctl(_DROP_BOUND, number, 0, 0, 0)  # fails for numbers above the kernel's last, and without the right
    _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "give up new privileges")


def main(arguments: list[str]) -> None:
    """Restrict this process by the plan in the first argument and become the command in the others."""
    plan = json.loads(arguments[0])
    if plan.get("own_network"):
        _raise_loopback()
    for path in plan.get("frozen", ()):
        _freeze(path)
    _give_up_capabilities()
    if abi := landlock_abi():
        _restrict(plan, abi)
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - the shell is in the arguments


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - the command's own output
        sys.exit(126)
