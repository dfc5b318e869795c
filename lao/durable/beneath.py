"""Files below a folder, reached name by name through open folders, so that no link is followed on the way.

A path that was looked at may be another one when it is used: a command that still runs can put a link there. Here
the look and the use are the same thing. Which paths may be touched is decided elsewhere (``lao.tools.paths``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.errors import BadInput, DiskFull
from lao.core.words import Json
from lao.durable.files import FileWrite, clean_temporaries, packed, unpacked

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_A_LINK: Final = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def folder(root: Path, relative: str | PurePosixPath, *, create: bool = False) -> Iterator[int]:
    """The descriptor of a folder below ``root``; missing ones are made, and their names synced, if asked.

    Raises:
        BadInput: a link, or a file, is on the way.
        FileNotFoundError: it is not there.
    """
    at = os.open(os.path.realpath(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in PurePosixPath(relative).parts:
            at = _step(at, name, str(relative), create=create)
        yield at
    finally:
        os.close(at)


def _step(at: int, name: str, shown: str, *, create: bool) -> int:
    """One name further down; closes ``at`` when it could."""
    if name in ("..", "/"):
        raise BadInput(f"path {shown!r} leaves its folder", "give a path relative to the workspace")
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=at)
            os.fsync(at)
    try:
        deeper = os.open(name, _FOLDER, dir_fd=at)
    except OSError as exc:
        raise _told(exc, shown) from exc
    os.close(at)
    return deeper


def _told(exc: OSError, shown: str) -> Exception:
    if exc.errno not in _A_LINK:
        return exc
    return BadInput(f"path {shown!r} is a link, or a file is on its way; it was none a moment ago", "look at it again")


def read(root: Path, relative: str, *, most: int | None = None) -> bytes | None:
    """The content of a regular file, None when there is none.

    Args:
        most: bytes; one more is read, so that the caller sees that there is more.

    Raises:
        BadInput: it is a link, a folder, a device, a pipe, or such a thing is on its way.
    """
    path = PurePosixPath(relative)
    try:
        with folder(root, path.parent) as at:
            handle = os.open(path.name, _FILE, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _told(exc, relative) from exc
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadInput(f"path {relative!r} is not a regular file", "devices, pipes and folders are not read here")
    with os.fdopen(handle, "rb") as file:
        return file.read() if most is None else file.read(most + 1)


def write(root: Path, relative: str, data: bytes) -> None:
    """Replace a file as ``lao.durable.files.write_atomic`` does; a link in its place is replaced, none is followed.

    Raises:
        BadInput: a link, or a file, is on the way.
        DiskFull: no space; the old file is untouched.
        OSError: any other failure of the system; the old file is untouched.
    """
    path = PurePosixPath(relative)
    temporary = f".lao-{os.getpid()}-{secrets.token_hex(6)}.tmp"
    try:
        with folder(root, path.parent, create=True) as at:
            try:
                _write_new(at, temporary, path.name, data)
                os.replace(temporary, path.name, src_dir_fd=at, dst_dir_fd=at)
                os.fsync(at)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=at)
                raise
    except OSError as exc:
        if exc.errno in _NO_SPACE:
            raise DiskFull(
                f"no space left on the disk to write {relative!r}: {max(len(data) / 1_048_576, 0.1):.1f} MB needed",
                "free some space; LAO goes on by itself",
            ) from exc
        raise


def _write_new(at: int, temporary: str, name: str, data: bytes) -> None:
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=at)
    with os.fdopen(handle, "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            old = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISREG(old.st_mode):
                os.fchmod(handle, stat.S_IMODE(old.st_mode))
        file.write(data)
        file.flush()
        os.fsync(handle)


@dataclass(frozen=True)
class BeneathWrite(FileWrite):
    """``FileWrite`` whose path no link can lead elsewhere, also when it appears between the look and the write."""

    def prepare(self) -> Json:
        before = read(self.root, self.path)
        content = self.content(before) if callable(self.content) else self.content
        raw = content.encode("utf-8") if isinstance(content, str) else content
        return {"path": self.path, "before": _digest(before), "after": _digest(raw), **packed(raw)}

    def apply(self, intent: Json) -> Json:
        if _digest(read(self.root, intent["path"])) != intent["after"]:
            write(self.root, intent["path"], unpacked(intent))
        else:  # a killed process may have written it and not synced its name
            self._sync(intent["path"])
        return {key: intent[key] for key in ("path", "before", "after")}

    def probe(self, intent: Json) -> Json | None:
        try:
            with folder(self.root, PurePosixPath(intent["path"]).parent):
                clean_temporaries((self.root / intent["path"]).parent)
        except FileNotFoundError:
            return None
        if _digest(read(self.root, intent["path"])) != intent["after"]:
            return None
        self._sync(intent["path"])
        return {key: intent[key] for key in ("path", "before", "after")}

    def _sync(self, path: str) -> None:
        with folder(self.root, PurePosixPath(path).parent) as at:
            os.fsync(at)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
