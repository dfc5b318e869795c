"""One command put into its sandbox: its arguments, its environment, its limits, and what is tidied up after it."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lao.durable.containment import Containment, unshare_prefix
from lao.durable.files import pid_exists
from lao.durable.sandbox import bubblewrap, doorway, launcher, rights, seatbelt
from lao.durable.sandbox.environment import allowed, at_home, by_proxy
from lao.durable.sandbox.folders import SECRETS, View, view_of
from lao.durable.sandbox.identity import GIT_FILE, git_identity
from lao.durable.sandbox.policy import Limits, Sandbox
from lao.durable.sandbox.proxy import Proxy, Record
from lao.durable.sandbox.refusals import explained

_PRIVATE: Final = re.compile(r"^lao-sandbox-(\d+)-")
_DEVICES: Final = (
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts",
)  # fmt: skip
_FREEZING: Final = (Containment.BUBBLEWRAP, Containment.UNSHARE, Containment.SEATBELT)
_LIBRARY_FLAGS: Final = ("-I", "-S")
PORT: Final = 30128
"""Where a command finds its proxy, on its own loopback; below the ports that the system gives out."""


@dataclass
class Enclosed:
    """A command as it is started.

    Attributes:
        argv: for ``Popen``.
        environment: all that it gets.
        handles: open files that it is started with.
        restored: filled at the end of the block.
        record: what it asked the proxy for; None where it has none.
    """

    argv: list[str]
    environment: dict[str, str]
    sandbox: Sandbox
    restored: rights.Restored
    handles: tuple[int, ...] = ()
    record: Record | None = None

    @property
    def isolation(self) -> str:
        """What surrounded it and what it reached, in one line for the record; it may go on until it has ended."""
        asked = self.record.text if self.record else ""
        return f"{self.sandbox.told}{f' ({asked})' if asked else ''}"

    def note(self, output: str, exit_code: int) -> str:
        """Lines to be put after the output: what the sandbox has refused or taken back; "" for none."""
        refused = tuple(self.record.refused) if self.record else ()
        told = [self.restored.text, explained(self.sandbox, output, exit_code, refused) if exit_code else ""]
        return "\n".join(line for line in told if line)


@contextmanager
def enclosed(
    sandbox: Sandbox, command: str, cwd: Path, always: Mapping[str, str], extra: Mapping[str, str] | None
) -> Iterator[Enclosed]:
    """Everything for one run of a shell command line in ``cwd``.

    Args:
        always: variables that it gets and that no other replaces.
        extra: variables from the caller, taken as they are.
    """
    environment = allowed(os.environ, sandbox.environment, network=sandbox.network or not sandbox.isolates)
    with ExitStack() as stack:
        private = stack.enter_context(_private(sandbox.how))
        restored = stack.enter_context(rights.kept(cwd, frozen=sandbox.how in _FREEZING))
        record, channel, handles = None, None, []
        if sandbox.by_list:
            proxy = Proxy(sandbox.hosts, sandbox.resolve)
            record, channel = proxy.record, stack.enter_context(proxy.serving())
            handles.append(channel)
            environment |= by_proxy(PORT)
        if private is not None:
            environment |= at_home(private)
            (private / "home" / GIT_FILE).write_text(git_identity(), encoding="utf-8")
        elif sandbox.how is Containment.BUBBLEWRAP:
            environment.pop("TMPDIR", None)
        if sandbox.isolates:
            environment["LAO_SANDBOX"] = sandbox.how.value
            environment["GIT_OPTIONAL_LOCKS"] = "0"  # git status would like to write its index
        identity = stack.enter_context(_identity()) if sandbox.how is Containment.BUBBLEWRAP else None
        handles += [identity] if identity is not None else []
        argv = [*_argv(sandbox, cwd, private, identity), *_door(channel), *_shell(command, sandbox)]
        given = {**environment, **(extra or {}), **always}
        yield Enclosed(argv, given, sandbox, restored, tuple(handles), record)


def _argv(sandbox: Sandbox, cwd: Path, private: Path | None, identity: int | None) -> list[str]:
    if not sandbox.isolates:
        return []
    view = view_of(cwd, sandbox.read_only, sandbox.writable)
    if sandbox.how is Containment.BUBBLEWRAP:
        return [*bubblewrap.arguments(sandbox, view, cwd, identity), "--"]
    assert private is not None
    if sandbox.how is Containment.SEATBELT:
        return ["sandbox-exec", "-p", seatbelt.profile(view, private, network=sandbox.network)]
    prefix = unshare_prefix(sandbox.network) if sandbox.how is Containment.UNSHARE else ()
    plan = landlock_plan(sandbox, view, private)
    return [*prefix, *_python(), launcher.__file__, json.dumps(plan)]


def _python() -> list[str]:
    return [os.path.realpath(sys.executable), *_LIBRARY_FLAGS]


def _door(channel: int | None) -> list[str]:
    """Opens the way to the proxy before the command begins; as text, since LAO's own files may not be there to read."""
    return [] if channel is None else [*_python(), "-c", _doorway(), str(channel), str(PORT)]


@functools.cache
def _doorway() -> str:
    return Path(doorway.__file__).read_text(encoding="utf-8")


@contextmanager
def _identity() -> Iterator[int]:
    """git's settings as a file to be read once by its number."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as file:
            file.write(git_identity())
        yield reading
    finally:
        os.close(reading)


def landlock_plan(sandbox: Sandbox, view: View, private: Path) -> dict[str, Any]:
    """What ``launcher`` takes. Landlock cannot take away below what it gives: of ``/etc`` the entries are named."""
    shut = {Path(s) for s in SECRETS}
    system = [p for p in view.system if p != Path("/etc")]
    spaces = sandbox.how is Containment.UNSHARE
    return {
        "read": [str(p) for p in (*system, *_without(Path("/etc"), shut), Path("/proc"), *view.tools)],
        "write": [str(p) for p in (*view.writable, private)],
        "devices": list(_DEVICES),
        "network": sandbox.network or spaces,  # a network namespace has its own, with a loopback that may be used
        "own_network": sandbox.own_network,
        "frozen": [str(p) for p in view.frozen] if spaces else [],
    }


def _without(folder: Path, shut: Collection[Path]) -> list[Path]:
    """What there is in a folder but for some places in it, in as few paths as that takes."""
    found: list[Path] = []
    for entry in folder.iterdir() if os.access(folder, os.R_OK) else ():
        if entry in shut:
            continue
        holds = any(place.is_relative_to(entry) for place in shut) and entry.is_dir() and not entry.is_symlink()
        found += _without(entry, shut) if holds else [entry]
    return found


def _shell(command: str, sandbox: Sandbox) -> list[str]:
    # The first process of a namespace ignores signals: that must not be the command itself.
    plain = ["/bin/sh", "-c", command]
    limits = _ulimits(sandbox.limits)
    if sandbox.how is Containment.UNSHARE:
        return ["/bin/sh", "-c", f'{limits}/bin/sh -c "$1"; exit $?', "sh", command]
    if limits:
        return ["/bin/sh", "-c", f'{limits}exec /bin/sh -c "$1"', "sh", command]
    return plain


def _ulimits(limits: Limits) -> str:
    """Shell words that set them, for any POSIX shell; sizes of files are in blocks of 512 bytes."""
    if limits == Limits():
        return ""
    found = ["ulimit -c 0"]
    found += [f"ulimit -d {limits.memory_mb * 1024}"] if limits.memory_mb else []
    found += [f"ulimit -t {limits.cpu_s}"] if limits.cpu_s else []
    found += [f"ulimit -f {limits.file_mb * 2048}"] if limits.file_mb else []
    return "; ".join(found) + "; "


@contextmanager
def _private(how: Containment) -> Iterator[Path | None]:
    """A folder for HOME and TMPDIR where they cannot be in memory; removed, also what a killed worker has left."""
    if how in (Containment.NONE, Containment.BUBBLEWRAP):
        yield None
        return
    base = Path(tempfile.gettempdir())
    for left in base.glob("lao-sandbox-*"):
        owner = _PRIVATE.match(left.name)
        if owner and not pid_exists(int(owner.group(1))) and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"lao-sandbox-{os.getpid()}-", dir=base))
    try:
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
