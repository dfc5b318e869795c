"""Where a plan's report lies: in its folder, unseen by git, and under ``.lao/reports``. A view that can be made again.

The files are never part of a commit: the last commit stays the one that commands ran on. A folder without a repository
gets none, as it gets no other trace of LAO.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import LaoError
from lao.durable.files import TEMPORARY_GLOB, clean_temporaries, write_atomic
from lao.reports import markdown, quality
from lao.reports.model import SCHEMA_VERSION, PlanReport
from lao.workspace.git_calls import Git

PAGE: Final = "report.html"
NAMES: Final = (quality.FILE, markdown.FILE)
_STAMP: Final = "made"
_IGNORED: Final = (f"/{quality.FILE}", "/quality_report.*.json", f"/{markdown.FILE}", f"/{TEMPORARY_GLOB}")
_HEAD: Final = 4096
_MARKS: Final = {quality.FILE: '"report_meta"', markdown.FILE: markdown.MARK}


@dataclass(frozen=True)
class Published:
    """What was written where. ``foreign``: files of somebody else in the plan's folder, which were left alone."""

    folder: Path
    files: tuple[Path, ...]
    foreign: tuple[Path, ...]


def folder_of(state_dir: Path, plan_id: str) -> Path:
    """Where the copies of a plan's report are."""
    return state_dir / "reports" / plan_id


def places(state_dir: Path, workspace: Path, plan_id: str) -> tuple[Path, ...]:
    """The files of a plan's report: the copies, and those in its folder that are LAO's."""
    here = [workspace / name for name in NAMES if (workspace / name).is_file() and is_ours(workspace / name)]
    return (*(folder_of(state_dir, plan_id) / name for name in NAMES), *here)


def stamp(state: str, moved: float) -> str:
    """What a report is made of: a plan that has moved since has another one."""
    return f"{SCHEMA_VERSION} {state} {moved!r}"


def is_made(state_dir: Path, workspace: Path, plan_id: str, wanted: str, *, in_folder: bool = True) -> bool:
    """Whether the files are there and of this stamp."""
    own = folder_of(state_dir, plan_id)
    try:
        fresh = (own / _STAMP).read_text(encoding="utf-8") == wanted
    except (OSError, UnicodeDecodeError):
        return False
    return fresh and all((own / name).exists() and (not in_folder or _lies_in(workspace, name)) for name in NAMES)


def publish(report: PlanReport, state_dir: Path, *, in_folder: bool = True) -> Published:
    """Write the report of a plan that is over; what is there already and equal is left as it is.

    Args:
        in_folder: also in the plan's folder, if that is a repository.

    Raises:
        OSError, DiskFull: it could not be written; the next pass makes it again.
    """
    texts = {quality.FILE: quality.text_of(quality.document(report)), markdown.FILE: markdown.plan_markdown(report)}
    workspace, own = Path(report.workspace), folder_of(state_dir, report.id)
    written, foreign = [], []
    for name, text in texts.items():
        _write(own / name, text)
    if in_folder and _takes(workspace):
        _hide(workspace)
        clean_temporaries(workspace)
        for name, text in texts.items():
            place = workspace / name
            if is_ours(place) and not _is_tracked(workspace, name):
                _write(place, text)
                written.append(place)
            else:
                foreign.append(place)
    _write(own / _STAMP, stamp(report.state, report.ended or 0.0))  # last: what a kill left half is made again
    return Published(own, (*written, *(own / name for name in NAMES)), tuple(foreign))


def is_ours(place: Path) -> bool:
    """Whether nothing is there, or a report by LAO (of any version)."""
    if place.is_symlink() or (place.exists() and not place.is_file()):
        return False
    try:
        with place.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return _MARKS[place.name] in head if place.name == quality.FILE else head.startswith(_MARKS[place.name])


def _lies_in(workspace: Path, name: str) -> bool:
    """Whether something of the name is in the plan's folder; one that is gone, or no repository, wants none."""
    return not _takes(workspace) or os.path.lexists(workspace / name)


def _takes(workspace: Path) -> bool:
    return (workspace / ".git").exists()


def _write(place: Path, text: str) -> None:
    raw = text.encode("utf-8", "backslashreplace")  # half a character of some command's output
    if not (place.is_file() and place.stat().st_size == len(raw) and place.read_bytes() == raw):
        write_atomic(place, raw)


def _hide(workspace: Path) -> None:
    """Let git not see the files, by the repository's own exclude list, which is no file of the work."""
    folder = Git(workspace).common_dir
    if not folder.is_dir():  # a .git that points nowhere
        raise FileNotFoundError(f"{str(folder)!r} is not there")
    place = folder / "info" / "exclude"
    text = place.read_text(encoding="utf-8", errors="surrogateescape") if place.is_file() else ""
    missing = [line for line in _IGNORED if line not in text.splitlines()]
    if missing:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        write_atomic(place, f"{start}{chr(10).join(missing)}\n".encode("utf-8", "surrogateescape"))


def _is_tracked(workspace: Path, name: str) -> bool:
    """Whether somebody has committed a file of this name; then it is theirs."""
    try:
        return Git(workspace).call("ls-files", "--error-unmatch", "--", name, ok=(0, 1, 128))[0] == 0
    except LaoError:  # a broken repository: nothing in it is touched
        return True
