"""Patches as data: unified diffs and the "*** Begin Patch" form, read tolerantly. Applies nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from lao.core.errors import BadInput

_FILE_OP: Final = re.compile(r"^\*\*\* (?P<op>Update|Add|Delete) File: *(?P<path>.+?)\s*$")
_MOVE: Final = re.compile(r"^\*\*\* Move to: *(?P<path>.+?)\s*$")
_FRAME: Final = re.compile(r"^\*\*\* (?:Begin|End) Patch\s*$")
_END_OF_FILE: Final = "*** End of File"
_OLD: Final = re.compile(r"^--- (?P<path>\S.*?)(?:\t.*)?\s*$")
_NEW: Final = re.compile(r"^\+\+\+ (?P<path>\S.*?)(?:\t.*)?\s*$")
_NUMBERS: Final = re.compile(r"^@@+ -(?P<line>\d+)(?:,\d+)? \+\d+(?:,\d+)? @@+ ?(?P<heading>.*)$")
_ANCHOR: Final = re.compile(r"^@@+ ?(?P<anchor>.*?)(?:\s*@@+)?\s*$")
_GIT: Final = re.compile(
    r"^(?:diff --git .*|index [0-9a-f]+\.\..*|(?:new|deleted) file mode \d+|(?:old|new) mode \d+"
    r"|similarity index .*|rename (?:from|to) .*)$"
)
_NULL: Final = "/dev/null"
_FIRST: Final = re.compile(r"^(?:\*\*\* (?:Begin Patch|(?:Update|Add|Delete) File:)|diff --git |@@)")


@dataclass(frozen=True)
class Hunk:
    """One place of a file.

    Attributes:
        search, replace: the lines as they are and as they shall be; ``search`` is empty for a pure insertion.
        anchors: lines above the place, outermost first.
        line: where a header puts it, from 1; a hint only, 0 when there is none.
        at_end: the place is at the file's end.
    """

    search: tuple[str, ...]
    replace: tuple[str, ...]
    anchors: tuple[str, ...] = ()
    line: int = 0
    at_end: bool = False


@dataclass(frozen=True)
class FileDiff:
    """What a patch does to one file. ``content`` is the whole text of a file that it adds, else None."""

    path: str
    hunks: tuple[Hunk, ...] = ()
    content: str | None = None


@dataclass
class _File:
    path: str
    op: str = "update"
    hunks: list[Hunk] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    line: int = 0
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    touched: bool = False

    def close(self, *, at_end: bool = False) -> None:
        """End the hunk that is being read. One without a change is dropped, and its anchors are kept."""
        if self.touched:
            old, new = _trimmed(self.old, self.new)
            self.hunks.append(Hunk(tuple(old), tuple(new), tuple(self.anchors), self.line, at_end))
            self.anchors = []
        elif self.line:
            self.anchors = []
        self.old, self.new, self.touched, self.line = [], [], False, 0


def looks_like_patch(text: str) -> bool:
    """Whether ``text`` begins like a patch and not like a file's content."""
    lines = [line for line in text.splitlines() if line.strip()][:3]
    if not lines:
        return False
    return bool(_FIRST.match(lines[0]) or (len(lines) > 1 and _OLD.match(lines[0]) and _NEW.match(lines[1])))


def parse_patch(text: str, path: str = "") -> tuple[FileDiff, ...]:
    """The files of a patch, in order.

    Args:
        path: the file that a patch without a file header is about.

    Raises:
        BadInput: it has no change, a change without a file, a deletion or a renaming.
    """
    files = [_File(path)]
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    for n, line in enumerate(lines):
        _read_line(files, line, lines[n + 1] if n + 1 < len(lines) else "")
    files[-1].close()
    found = [f for f in files if f.hunks or f.op != "update"]
    if not found:
        raise BadInput("the patch changes nothing", "lines to take away begin with '-', new lines with '+'")
    return tuple(_finished(f) for f in found)


def render(diff: FileDiff) -> str:
    """One file's part of a patch as a patch of its own."""
    lines = ["*** Begin Patch"]
    if diff.content is not None:
        lines += [f"*** Add File: {diff.path}", *("+" + line for line in diff.content.splitlines())]
    else:
        lines.append(f"*** Update File: {diff.path}")
    for hunk in diff.hunks:
        if hunk.line:
            lines.append(f"@@ -{hunk.line} +{hunk.line} @@ {' '.join(hunk.anchors)}".rstrip())
        else:
            lines += [f"@@ {anchor}" for anchor in hunk.anchors] or ["@@"]
        lines += ["-" + line for line in hunk.search] + ["+" + line for line in hunk.replace]
        lines += [_END_OF_FILE] if hunk.at_end else []
    return "\n".join([*lines, "*** End Patch"]) + "\n"


def _read_line(files: list[_File], line: str, following: str) -> None:
    current = files[-1]
    if _FRAME.match(line) or _GIT.match(line) or line.startswith("\\ No newline"):
        if _GIT.match(line):
            current.close()
        return
    if op := _FILE_OP.match(line):
        _open(files, _plain(op["path"]), op["op"].lower())
    elif (old := _OLD.match(line)) and _NEW.match(following):
        _open(files, _plain(old["path"]))
    elif (new := _NEW.match(line)) and not current.touched:
        target = _plain(new["path"])
        current.op = "delete" if target == _NULL else "add" if current.path == _NULL else current.op
        current.path = current.path if target == _NULL else target
    elif _MOVE.match(line):
        raise BadInput(
            f"the patch renames {current.path!r}", "write the new file; a patch only changes what is in files"
        )
    elif line.rstrip() == _END_OF_FILE:
        current.close(at_end=True)
    elif line.startswith("@@"):
        _head(current, line)
    else:
        _body(current, line)


def _open(files: list[_File], path: str, op: str = "update") -> None:
    files[-1].close()
    files.append(_File(path, op))


def _head(current: _File, line: str) -> None:
    current.close()
    if numbers := _NUMBERS.match(line):
        current.line = int(numbers["line"])
        current.anchors = [numbers["heading"].strip()] if numbers["heading"].strip() else []
    elif (match := _ANCHOR.match(line)) and (anchor := match["anchor"].strip()) and anchor.strip(".… "):
        current.anchors.append(anchor)


def _body(current: _File, line: str) -> None:
    mark, text = line[:1], line[1:]
    if mark == "-" and current.op != "add":
        current.old.append(text)
        current.touched = True
    elif mark == "+":
        current.new.append(text)
        current.touched = True
    else:  # context; models forget the blank before it
        text = text if mark == " " else line
        current.old.append(text)
        current.new.append(text)


def _trimmed(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Without the blank lines that both end with: they come from the answer's layout."""
    while old and new and not old[-1].strip() and not new[-1].strip():
        old, new = old[:-1], new[:-1]
    return old, new


def _plain(path: str) -> str:
    path = path.strip().strip("`'\"")
    if path == _NULL:
        return path
    return re.sub(r"^(?:[ab]/|\./)", "", path)


def _finished(file: _File) -> FileDiff:
    if not file.path:
        raise BadInput("the patch does not say which file it changes", "begin it with '--- a/PATH' and '+++ b/PATH'")
    if file.op == "delete":
        raise BadInput(f"the patch deletes {file.path!r}", "a patch only changes what is in files")
    if file.op == "add":
        lines = [line for hunk in file.hunks for line in hunk.replace]
        return FileDiff(file.path, (), "\n".join(lines) + "\n" if lines else "")
    return FileDiff(file.path, tuple(file.hunks))
