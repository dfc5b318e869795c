"""What a process tree did to one folder: its system calls recorded by strace, and played to a model of a disk."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.disk import Disk, File, Folder, Link, Node

_TRACED = (
    "open,openat,creat,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,sendfile,copy_file_range,fsync,"
    "fdatasync,sync,syncfs,truncate,ftruncate,fallocate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,"
    "symlinkat,mkdir,mkdirat,rmdir,chdir,fchdir,clone,clone3,fork,vfork"
)
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
_UNFINISHED = " <unfinished ...>"
_RESULT = re.compile(r"\) += (-?\d+|\?)(?:<.*)?(?: .*)?$")
_ARGUMENT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?|(-?\d+|AT_FDCWD)<([^>]*)>(?:\(deleted\))?|([^,\s"{}\[\]()]+)')
_FORKS = re.compile(r"^(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b(.*) = (\d+)")
_FORK = re.compile(r"^(\d+) +(?:clone3?|v?fork)\((.*)")
TOLD = 1
"""The descriptor on which a recorded program tells what is acknowledged."""


def command(log: Path) -> list[str]:
    """What to put before a command so that it and its children are recorded in ``log``."""
    size = "100000000"
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-y", "-s", size, "-e", f"trace={_TRACED}", "-e",
            "signal=none", "-o", str(log)]  # fmt: skip


def can_record() -> str:
    """Why this machine cannot record ("" when it can)."""
    try:
        done = subprocess.run(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"], capture_output=True)
    except FileNotFoundError:
        return "strace is not installed"
    return "" if done.returncode == 0 else f"strace does not work here: {done.stderr.decode()[-200:]}"


@dataclass(frozen=True)
class Call:
    """One system call that succeeded.

    Attributes:
        arguments: strings as bytes, descriptors as their path (bytes) when they have one, anything else as text.
        numbers: of the arguments that are descriptors, the number ("AT_FDCWD" too); else "".
    """

    pid: int
    name: str
    arguments: tuple[bytes | str, ...]
    numbers: tuple[str, ...]
    result: int


def calls(log: Path) -> Iterator[tuple[int, Call | None]]:
    """(number of the line where it began, the call or None where it only begins), in order."""
    open_: dict[int, tuple[int, str, str]] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines):
            match = _LINE.match(line.rstrip("\n"))
            if match is None:
                continue
            pid, resumed, begun, rest = int(match[1]), match[2], match[3], match[4]
            start = number
            if resumed:
                start, name, before = open_.pop(pid, (number, resumed, ""))
                rest = before + rest
            elif rest.endswith(_UNFINISHED):
                open_[pid] = (number, begun, rest.removesuffix(_UNFINISHED))
                yield number, None
                continue
            else:
                name = begun
            call = _parsed(pid, name, rest)
            if call is not None:
                yield start, call


def _parsed(pid: int, name: str, rest: str) -> Call | None:
    found = _RESULT.search(rest)
    if found is None or found[1] in ("?", "-1"):
        return None
    arguments: list[bytes | str] = []
    numbers: list[str] = []
    for item in _ARGUMENT.finditer(rest[: found.start()]):
        assert not item[2], "strace cut a string short"
        if item[1] is not None:
            arguments.append(bytes.fromhex(item[1].replace("\\x", "")))
            numbers.append("")
        elif item[3] is not None:
            arguments.append(bytes.fromhex(item[4].replace("\\x", "")))
            numbers.append(item[3])
        else:
            arguments.append(item[5])
            numbers.append(item[5] if item[5].lstrip("-").isdigit() else "")
    return Call(pid, name, tuple(arguments), tuple(numbers), int(found[1]))


@dataclass(eq=False)
class Opened:
    """An open file description."""

    node: Node
    append: bool = False
    at: int = 0


@dataclass(eq=False)
class Process:
    """What a process (or thread) shares with others: its open files and its folder.

    A closed file stays until its number is given away again: strace may tell of a close after the open that follows it.
    """

    files: dict[int, Opened]
    cwd: list[str]


@dataclass
class Player:
    """Plays recorded calls to a disk.

    Attributes:
        root: the folder of which ``disk`` is the model.
        told: called with what the recorded program itself writes to its standard output.
        counts: calls that concerned the folder, by name.
    """

    root: Path
    disk: Disk
    told: Callable[[bytes], None] = lambda text: None
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._processes: dict[int, Process] = {}
        self._begun: dict[int, int] = {}
        self._forks: dict[int, tuple[int, str]] = {}

    def play(self, log: Path) -> Iterator[str]:
        """Yields the name of each call that concerned the folder, after it was played."""
        self._forks = forks(log)
        for start, call in calls(log):
            if call is None:
                self._begun[start] = self.disk.seq
                continue
            began = self._begun.pop(start, self.disk.seq)
            if self._play(call, began):
                self.counts[call.name] += 1
                yield call.name

    def _process(self, pid: int) -> Process:
        if pid not in self._processes:
            above, flags = self._forks.get(pid, (0, ""))
            parent = self._process(above) if above else Process({}, [str(self.root)])
            files = parent.files if "CLONE_FILES" in flags else dict(parent.files)
            self._processes[pid] = Process(files, parent.cwd if "CLONE_FS" in flags else list(parent.cwd))
        return self._processes[pid]

    def _path(self, call: Call, at: int, folder: int | None = None) -> str | None:
        """The path at an argument, relative to the root; None when it is elsewhere."""
        text = call.arguments[at]
        assert isinstance(text, bytes)
        above = call.arguments[folder] if folder is not None else self._process(call.pid).cwd[0].encode()
        base = above.decode() if isinstance(above, bytes) else self._process(call.pid).cwd[0]
        path = text.decode(errors="surrogateescape")
        parts: list[str] = []
        for part in (path if path.startswith("/") else f"{base}/{path}").split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        whole, root = "/" + "/".join(parts), str(self.root)
        if whole == root:
            return ""
        return whole.removeprefix(root + "/") if whole.startswith(root + "/") else None

    def _opened(self, call: Call, at: int) -> Opened | None:
        """What an open descriptor of the folder stands for; None for one of elsewhere."""
        known = call.arguments[at]
        if not isinstance(known, bytes) or not inside(self.root, known):
            return None
        opened = self._process(call.pid).files.get(int(call.numbers[at]))
        assert opened is not None, f"{call.name} on {known!r}, of which no open was recorded"
        return opened

    def _play(self, call: Call, began: int) -> bool:
        process = self._process(call.pid)
        name = call.name
        if name in ("open", "openat", "creat"):
            return self._open(call, process)
        if name in _ON_FILES:
            return self._on_file(call, began)
        if name in _ON_NAMES:
            return self._on_names(call)
        if name in ("chdir", "fchdir"):
            text = call.arguments[0]
            assert isinstance(text, bytes)
            process.cwd[0] = os.path.normpath(Path(process.cwd[0], os.fsdecode(text)))
        elif name in ("dup", "dup2", "dup3") or (name == "fcntl" and str(call.arguments[1]).startswith("F_DUPFD")):
            self._dup(process, int(call.numbers[0]), call.result)
        elif name in ("sync", "syncfs"):
            self.disk.sync_all()
            return True
        return False

    @staticmethod
    def _dup(process: Process, old: int, new: int) -> None:
        if old in process.files:
            process.files[new] = process.files[old]
        else:
            process.files.pop(new, None)

    def _open(self, call: Call, process: Process) -> bool:
        at = 1 if call.name == "openat" else 0
        flags = "O_CREAT|O_TRUNC|O_WRONLY" if call.name == "creat" else str(call.arguments[at + 1])
        process.files.pop(call.result, None)
        name = self._path(call, at, 0 if at else None)
        if name is None:
            return False
        node, changed = self.disk.find(name), False
        if node is None:
            assert "O_CREAT" in flags and "O_TMPFILE" not in flags, f"{name!r} was opened and not created"
            node, changed = File(int(str(call.arguments[-1]), 8) & ~0o022), True
            self.disk.enter(name, node)
        elif "O_TRUNC" in flags and isinstance(node, File) and node.seen:
            self.disk.truncate(node, 0)
            changed = True
        process.files[call.result] = Opened(node, "O_APPEND" in flags)
        return changed

    def _on_file(self, call: Call, began: int) -> bool:
        if call.name == "truncate":
            name = self._path(call, 0)
            opened = Opened(self.disk.find(name)) if name is not None else None
        else:
            opened = self._opened(call, 0)
        if opened is None:
            if call.name == "write" and call.numbers[0] == str(TOLD) and call.pid not in self._forks:
                self.told(_data(call))
            return False
        node = opened.node
        if call.name in ("fsync", "fdatasync"):
            assert not isinstance(node, Link)
            node.sync(began)
            return True
        if call.name == "lseek":
            opened.at = call.result
            return False
        assert isinstance(node, File), f"{call.name} on something that is no file"
        if call.name == "fallocate":
            raise AssertionError("fallocate is not understood")
        if call.name in ("ftruncate", "truncate"):
            self.disk.truncate(node, int(str(call.arguments[1])))
        elif call.name in ("pwrite64", "pwritev"):
            self.disk.write(node, int(str(call.arguments[-1])), _data(call))
        else:
            self._write(call, opened, node)
        return True

    def _write(self, call: Call, opened: Opened, node: File) -> None:
        data = _data(call) if call.name in ("write", "writev") else self._copied(call)
        at = len(node.seen) if opened.append else opened.at
        self.disk.write(node, at, data)
        opened.at = at + len(data)

    def _copied(self, call: Call) -> bytes:
        """What sendfile wrote: a copy of a whole file of the folder (shutil)."""
        source = self._opened(call, 1)
        assert source is not None and isinstance(source.node, File), "a copy from outside of the folder"
        assert call.name == "sendfile" and str(call.arguments[2]).isdigit(), f"{call} is not understood"
        first = int(str(call.arguments[2]))
        return bytes(source.node.seen[first : first + call.result])

    def _on_names(self, call: Call) -> bool:
        name, at_folder = call.name, "at" in call.name
        step = 2 if at_folder else 1
        first = 1 if at_folder else 0
        if name.startswith("symlink"):
            text = call.arguments[0]
            new = self._path(call, step, 1 if at_folder else None)
            if new is not None:
                assert isinstance(text, bytes)
                self.disk.enter(new, Link(os.fsdecode(text)))
            return new is not None
        old = self._path(call, first, 0 if at_folder else None)
        if name.startswith(("rename", "link")):
            new = self._path(call, first + step, step if at_folder else None)
            return self._named(name, old, new)
        if old is None:
            return False
        self.disk.enter(old, Folder() if name.startswith("mkdir") else None)
        return True

    def _named(self, name: str, old: str | None, new: str | None) -> bool:
        if old is None and new is None:
            return False
        assert old is not None and new is not None, f"{name} over the border of the folder"
        node = self.disk.find(old)
        assert node is not None, f"{name} of {old!r}, which was not recorded"
        gone: list[tuple[str, Node | None]] = [(old, None)] if name.startswith("rename") else []
        self.disk.move([*gone, (new, node)])
        return True


_ON_FILES = frozenset(
    {"write", "writev", "pwrite64", "pwritev", "sendfile", "copy_file_range", "fsync", "fdatasync", "truncate",
     "ftruncate", "fallocate", "lseek"}
)  # fmt: skip
_ON_NAMES = frozenset(
    {"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "mkdir",
     "mkdirat", "rmdir"}
)  # fmt: skip


def inside(root: Path, path: bytes) -> bool:
    """Whether a path is the folder or below it."""
    return (os.fsdecode(path) + "/").startswith(f"{root}/")


def _data(call: Call) -> bytes:
    """What a write really wrote."""
    texts = [a for a, n in zip(call.arguments, call.numbers, strict=True) if isinstance(a, bytes) and not n]
    return b"".join(texts)[: call.result]


def forks(log: Path) -> dict[int, tuple[int, str]]:
    """Of each process or thread that was begun: its parent and how it was begun."""
    found: dict[int, tuple[int, str]] = {}
    begun: dict[str, str] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if start := _FORK.match(line):
                begun[start[1]] = start[2]
            if end := _FORKS.match(line):
                found[int(end[3])] = (int(end[1]), begun.pop(end[1], ""))
    return found
