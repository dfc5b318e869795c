"""A project as a kill left it, packed into one small archive without anything of the machine that it was made on, and
laid out again in another folder. Does not run anything.

In an archive the project lies in ``/project`` on a machine called ``elsewhere``; ``history.json`` beside it tells which
version made it and what it was doing.
"""

from __future__ import annotations

import io
import json
import shutil
import socket
import sqlite3
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lao import __version__
from lao.durable.owners import boot_id
from workflows.takeover import is_lasting

HERE: Final = Path(__file__).parent
ROOT: Final = "/project"
HOST: Final = "elsewhere"
STATE: Final = ("state.db", "queue.db")
_LEFT_OUT: Final = (".lock", ".tmp", "-shm", "-wal")
_TEXTS: Final = ("alternates", "gitdir", "commondir", "config", ".git", "boot")
"""Files, by name, that may hold paths of the project."""


@dataclass(frozen=True)
class History:
    """What is known of an archive.

    Attributes:
        version, schema: of LAO and of its state file.
        tasks: how many the plan ``parts`` has.
        cut: where it was killed.
        at_work: the phases that were at work.
    """

    version: str
    schema: int
    tasks: int
    cut: str
    at_work: tuple[str, ...]


def archives(version: str = "*") -> list[Path]:
    """The archives of a version, or of all, in order."""
    return sorted(HERE.glob(f"{version}/*.tar.xz"))


def history_of(archive: Path) -> History:
    with tarfile.open(archive) as tar:
        member = tar.extractfile("history.json")
        assert member is not None
        told = json.load(member)
    return History(**{**told, "at_work": tuple(told["at_work"])})


def rows(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def pack(root: Path, archive: Path, history: History) -> None:
    """Pack the project below ``root``, whose processes are dead; its state is changed by it."""
    for name in STATE:
        _replace_in_database(root / ".lao" / name, str(root), ROOT, socket.gethostname(), HOST)
    for path in _texts(root):
        path.write_text(path.read_text().replace(str(root), ROOT))
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        _add(tar, "history.json", json.dumps(asdict(history), indent=1).encode())
        for path in sorted(p for p in root.rglob("*") if not p.name.endswith(_LEFT_OUT)):
            if path.name not in STATE and "hooks" not in path.parts:
                tar.add(path, f"project/{path.relative_to(root)}", recursive=False, filter=_nobodys)
        for name in STATE:
            copy = archive.with_name(f".{name}")
            with closing(sqlite3.connect(root / ".lao" / name)) as db:
                db.execute("VACUUM INTO ?", (str(copy),))
            _add(tar, f"project/.lao/{name}", copy.read_bytes())
            copy.unlink()


def lay_out(archive: Path, root: Path, *, version: str | None = None) -> int:
    """Put an archive in the place of the project at ``root``, keeping its factory.yaml; returns how many recorded model
    calls will be asked for again, because another version recorded them in a phase that can be made again.

    Args:
        version: let it be one of this version of LAO.
    """
    settings = (root / "factory.yaml").read_bytes()
    shutil.rmtree(root)
    with tarfile.open(archive) as tar:
        more = {"filter": "tar"} if sys.version_info >= (3, 12) else {}
        tar.extractall(root.parent, **more)  # type: ignore[arg-type]
    (root.parent / "history.json").unlink()
    (root / "factory.yaml").write_bytes(settings)
    state = root / ".lao" / "state.db"
    for name in STATE:
        _replace_in_database(root / ".lao" / name, ROOT, str(root), HOST, HOST)
    for path in _texts(root):
        text = boot_id() if path.name == "boot" else path.read_text().replace(ROOT, str(root))
        path.write_text(text)
    if version is not None:
        with closing(sqlite3.connect(state)) as db, db:
            db.execute("UPDATE lao_run SET version = ? WHERE version != ''", (version,))
    return _asked_again(state)


def _asked_again(state: Path) -> int:
    sql = (
        """SELECT run_id, lao_step.label, lao_step.kind = 'model' AND lao_step.state = 'done' FROM lao_step
        JOIN lao_run ON lao_run.id = run_id
        WHERE lao_run.state IN ('ready', 'running') AND lao_run.version != '"""
        + f"{__version__}'"
    )
    steps = rows(state, sql)
    kept = {run for run, label, _ in steps if is_lasting(label)}
    return sum(called for run, _, called in steps if run not in kept)


def _texts(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.name in _TEXTS and path.is_file():
            yield path


def _replace_in_database(path: Path, old: str, new: str, host: str, new_host: str) -> None:
    """In every text of the state; the queue's messages hold none."""
    with closing(sqlite3.connect(path)) as db, db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not table.startswith("lao_"):
                continue
            for column in [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"]:
                replaced = f'replace(replace("{column}", ?, ?), ?, ?)'
                values = (old, new, f":{host}", f":{new_host}")
                db.execute(f'UPDATE {table} SET "{column}" = {replaced} WHERE "{column}" IS NOT NULL', values)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
