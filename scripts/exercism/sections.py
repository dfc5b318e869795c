"""The coder's first message taken apart by its headings, for the prompt-size report. Counts no tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources

SECTIONS = (
    "system",
    "tools",
    "plan",
    "tree",
    "map",
    "other files",
    "task",
    "checks",
    "own files",
    "feedback",
    "memory",
    "skills",
    "hints",
    "closing",
    "history",
    "other",
)
_HEADINGS = (
    ("task", "# Your task: "),
    ("plan", "# The plan that this task belongs to: "),
    ("tree", "# Files in the workspace"),
    ("map", "# Defined in other files of the workspace"),
    ("files", "Current content of "),
    ("files", "Your earlier version of "),
    ("files", "Signatures in "),
    ("files", "(not shown for lack of space: "),
    ("checks", "These commands will check your work"),
    ("feedback", "# An earlier attempt was rejected"),
    ("feedback", "# This version fails the checks"),
    ("memory", "# Known about this project"),
    ("skills", "# Skills"),
    ("hints", "Hints:"),
    ("hints", "# What went wrong before"),
    ("hints", "Solve this first: "),
)
_LEAST_MARK = 12


def split_user(text: str) -> Iterator[tuple[str, str]]:
    """(section, text) in order; what stands before the first known heading is "other".

    Files before the task's heading are those that it does not name.
    """
    starts = sorted({(m.start(), name) for name, mark in _marks() for m in _line_starts(mark, text)})
    if not starts or starts[0][0] > 0:
        yield "other", text[: starts[0][0] if starts else None]
    task = next((start for start, name in starts if name == "task"), 0)
    for (start, name), (end, _) in zip(starts, [*starts[1:], (len(text), "")], strict=True):
        files = "other files" if start < task else "own files"
        yield files if name == "files" else name, text[start:end]


def _line_starts(mark: str, text: str) -> Iterator[re.Match[str]]:
    return re.finditer(f"^{re.escape(mark)}", text, re.M)


def _marks() -> Iterator[tuple[str, str]]:
    """The headings, and how each of the coder's prompts begins that may close a message."""
    yield from _HEADINGS
    for file in sorted(resources.files("lao.agents.prompts").iterdir(), key=lambda f: f.name):
        if file.name.startswith("coder_") and file.name.endswith(".md"):
            line = file.read_text("utf-8").lstrip().splitlines()[0].partition("$")[0]
            if len(line) >= _LEAST_MARK and not line.startswith("LAO role"):
                yield "closing", line
