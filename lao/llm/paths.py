"""Where a model says which file a block of text is: headings, fence info, comments. Knows nothing of the disk."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_NAME = (
    r"(?:[\w@+.\-]+[/\\])*(?:[\w@+.\-]*\.[A-Za-z]\w{0,11}"
    r"|Dockerfile|Makefile|Procfile|Gemfile|Rakefile|LICENSE|README|CMakeLists\.txt)"
)
_PATH = re.compile(rf"(?:\./)?/?{_NAME}")
_LABEL = r"(?:file(?:[ _-]?(?:name|path))?|path)"
_DECORATED = r"[*_`'\"]*"
EXPLICIT = re.compile(
    rf"^\s*(?:#{{1,6}}\s+|[-*]\s+|\d+[.)]\s+|//\s*)?{_DECORATED}{_LABEL}{_DECORATED}(?:\s*:|(?<=FILE)\s){_DECORATED}\s*"
    rf"{_DECORATED}(?P<path>[^\s*`'\":]+){_DECORATED}\s*:?\s*{_DECORATED}\s*$",
    re.IGNORECASE,
)
_COMMENT = re.compile(
    rf"^\s*(?:#+|//+|--|;+|/\*+|<!--|\"\"\")\s*(?:{_LABEL}\s*:\s*)?(?P<path>\S+?)\s*(?:\*/|-->|\"\"\")?\s*$", re.I
)
_LEAD = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+|\d+[.)]\s+|//\s*|#\s*)*")
_TICKED = re.compile(r"`([^`\s]+)`")


def as_path(token: str) -> str:
    """``token`` as a relative POSIX path when it looks like a file's, else ""."""
    token = token.strip().strip("*`'\"").rstrip(":,").strip("*`'\"")
    if not _PATH.fullmatch(token):
        return ""
    return token.replace("\\", "/").removeprefix("./")


def explicit_path(line: str) -> str:
    """The path of a ``FILE: path`` line (also ``FILE path``, ``**File:** `path` ``, ``### Filename: path``), or ""."""
    match = EXPLICIT.match(line)
    return as_path(match["path"]) if match else ""


def heading_path(line: str) -> str:
    """The path that a line directly above a block names: alone, or as its one back-ticked path before a colon."""
    found = explicit_path(line) or as_path(_LEAD.sub("", line, count=1))
    if found:
        return found
    named = [p for p in map(as_path, _TICKED.findall(line)) if p]
    announces = line.rstrip().rstrip("*").endswith(":") or line.lstrip().startswith(("#", "**"))
    return named[0] if announces and len(set(named)) == 1 else ""


def info_path(info: str) -> str:
    """The path in a fence's info string: ``python:src/a.py``, ``python src/a.py``, ``py title="a.py"``, or ""."""
    for token in re.split(r"[\s:={}\"',()]+", info):
        if not token.startswith(".") and (found := as_path(token)):
            return found
    return ""


def comment_path(line: str) -> str:
    """The path in a line that is nothing but a comment naming it, or ""."""
    match = _COMMENT.match(line)
    return as_path(match["path"]) if match else ""


def meant(path: str, expected: tuple[str, ...]) -> str:
    """The expected file that ``path`` means: itself, or the only one with that bare name."""
    if path in expected or "/" in path:
        return path
    same = [e for e in expected if PurePosixPath(e).name == path]
    return same[0] if len(same) == 1 else path
