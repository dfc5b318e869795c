"""Whole files on disk: atomic writes, hashes, the journal's effect for an edit, and a walk over a folder.

Does not decide which paths may be touched (``lao.tools.paths``) nor what is recorded when (the journal).
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import DiskFull
from lao.core.folders import make_folders, sync_folder
from lao.core.words import Json

TEMPORARY: Final = re.compile(r"^\.lao-(\d+)-[0-9a-f]+\.tmp$")
TEMPORARY_GLOB: Final = ".lao-*.tmp"

SKIPPED_FOLDERS: Final = frozenset(
    {
        ".git", ".hg", ".svn", ".lao", "node_modules", ".venv", "venv", "__pycache__", ".mypy_cache", ".pytest_cache",
        ".ruff_cache", ".tox", ".nox", ".cache", ".gradle", ".idea", "bower_components", "target", "dist", "build",
    }
)  # fmt: skip

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_MB: Final = 1024 * 1024


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace ``path`` by ``data`` so that a reader, or a power cut, sees the old or the new file and nothing between.

    Text is written as UTF-8 without newline translation. An existing file keeps its permission bits; missing parent
    folders are created. A symlink at ``path`` is replaced, not followed.

    Raises:
        DiskFull: no space; the old file is untouched.
        OSError: any other failure of the system; the old file is untouched.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    temporary = path.with_name(f".lao-{os.getpid()}-{secrets.token_hex(6)}.tmp")
    try:
        make_folders(path.parent)
        _write_new(temporary, raw, _mode_of(path))
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if exc.errno in _NO_SPACE:
            raise DiskFull(
                f"no space left on the disk to write {str(path)!r}: {max(len(raw) / _MB, 0.1):.1f} MB needed",
                "free some space; LAO goes on by itself",
            ) from exc
        raise


def create_whole(path: Path, text: str) -> bool:
    """Create a file with its whole content, or leave the one that is there; whoever is killed here leaves no half file.

    Returns:
        False when there was something of that name.

    Raises:
        OSError: what the system says; there is no new file.
    """
    if os.path.lexists(path):
        return False
    temporary = path.with_name(f".lao-{os.getpid()}-{secrets.token_hex(6)}.tmp")
    try:
        _write_new(temporary, text.encode("utf-8"), None)
        try:
            os.link(temporary, path)  # fails when there is one meanwhile, which a rename would replace
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _write_new(path: Path, raw: bytes, mode: int | None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(handle, "wb") as file:
        if mode is not None:
            path.chmod(mode)
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _mode_of(path: Path) -> int | None:
    """Permission bits of an existing regular file, None for a new one (the umask decides)."""
    return path.stat().st_mode & 0o7777 if path.is_file() and not path.is_symlink() else None


def sha256_of(path: Path) -> str | None:
    """Hex digest of a regular file's content, or None when there is no such file."""
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            for block in iter(lambda: file.read(_MB), b""):
                digest.update(block)
            return digest.hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def clean_temporaries(folder: Path) -> int:
    """Remove what writers that are dead left in ``folder`` itself; returns how many files and folders went."""
    removed = 0
    for entry in folder.glob(TEMPORARY_GLOB):
        match = TEMPORARY.match(entry.name)
        if match and not pid_exists(int(match.group(1))):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            removed += 1
    return removed


def pid_exists(pid: int) -> bool:
    """Whether some process has this number now; it may be another one than was meant."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


@dataclass(frozen=True)
class FileWrite:
    """Effect (``lao.core.steps.Effect``): the file at ``root/path`` has this content.

    Attributes:
        path: relative to ``root``; only this goes into the journal, so a moved project resumes.
        content: the whole new content, or a function from the old bytes (None: no file) to it, called in ``prepare``.
    """

    root: Path
    path: str
    content: str | bytes | Callable[[bytes | None], str | bytes]

    def prepare(self) -> Json:
        target = self.root / self.path
        before = target.read_bytes() if target.is_file() else None
        content = self.content(before) if callable(self.content) else self.content
        raw = content.encode("utf-8") if isinstance(content, str) else content
        return {
            "path": self.path,
            "before": None if before is None else hashlib.sha256(before).hexdigest(),
            "after": hashlib.sha256(raw).hexdigest(),
            **packed(raw),
        }

    def apply(self, intent: Json) -> Json:
        target = self.root / intent["path"]
        if sha256_of(target) != intent["after"]:
            write_atomic(target, unpacked(intent))
        else:  # a killed process may have written it and not synced its name
            sync_folder(target.parent)
        return _result(intent)

    def probe(self, intent: Json) -> Json | None:
        # Asked only after a crash, so this is the place to look for a half-written temporary of the dead writer.
        target = self.root / intent["path"]
        clean_temporaries(target.parent)
        if sha256_of(target) != intent["after"]:
            return None
        sync_folder(target.parent)
        return _result(intent)


def _result(intent: Json) -> Json:
    return {"path": intent["path"], "before": intent["before"], "after": intent["after"]}


def packed(raw: bytes) -> dict[str, str]:
    """Content as part of an intent: as text where it is UTF-8."""
    try:
        return {"text": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode("ascii")}


def unpacked(intent: Json) -> bytes:
    """The content that an intent holds."""
    return str(intent["text"]).encode("utf-8") if "text" in intent else base64.b64decode(intent["base64"])


def walk_files(root: Path, *, limit: int = 5_000) -> Iterator[str]:
    """Relative POSIX paths of files under ``root``, sorted, at most ``limit``; skips tool folders and symlinks."""
    count = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS and not (Path(folder) / n).is_symlink())
        for name in sorted(files):
            path = Path(folder) / name
            if TEMPORARY.match(name) or path.is_symlink() or not path.is_file():
                continue
            if count >= limit:
                return
            count += 1
            yield path.relative_to(root).as_posix()
