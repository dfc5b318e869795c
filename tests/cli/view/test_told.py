"""Promise: what has happened is one line each, in words, with nothing in it that could move the cursor."""

from __future__ import annotations

import re
import time

import pytest

from lao.cli.look import Look
from lao.cli.view.told import LONGEST, told
from workflows.progress import Happening

AT = time.mktime((2026, 11, 23, 16, 4, 5, 0, 0, -1))
PART = {"plan": "shop", "task": 4, "title": "Parser"}


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (Happening(AT, "taken", "queued", "shop"), "· PLAN   shop taken in"),
        (Happening(AT, "load", "swap", model="qwen", seconds=12.2), "⇄ swap   qwen loaded in 12 s"),
        (
            Happening(AT, "phase", "done", **PART, phase="code", model="qwen", seconds=92, tokens=19_400),
            "✓ code   shop #4 Parser  (1:32, 19k tok, qwen)",
        ),
        (
            Happening(AT, "phase", "failed", **PART, phase="verify", text="exit code 1\nmore", seconds=3),
            "✗ verify shop #4 Parser  failed: exit code 1  (3 s)",
        ),
        (Happening(AT, "phase", "done", "shop", phase="ingest", seconds=0.2), "✓ ingest shop  (0 s)"),
        (
            Happening(AT, "task", "proved", **PART, commit="0123456789abcdef"),
            "✓ TASK   shop #4 Parser proved, commit 0123456789",
        ),
        (Happening(AT, "task", "checked", **PART), "✓ TASK   shop #4 Parser checked"),
        (Happening(AT, "task", "none", **PART), "✓ TASK   shop #4 Parser done, no check says so"),
        (
            Happening(AT, "task", "needs_human", **PART, text="not solved in 9 rounds"),
            "! TASK   shop #4 Parser parked, needs a person: not solved in 9 rounds",
        ),
        (Happening(AT, "finding", "major", "shop", 4, text="a.py: no test"), "✗ finds  shop #4  major: a.py: no test"),
        (Happening(AT, "gate", "wait", text="waits for memory"), "… gate   waits for memory"),
        (Happening(AT, "fault", "warn", text="said nothing"), "! fault  said nothing"),
        (Happening(AT, "rejected", "warn", text="x.md: empty"), "! refused x.md: empty"),
        (Happening(AT, "pause", "paused"), "‖ pause  everything paused"),
        (Happening(AT, "pause", "ready", "shop"), "· pause  shop goes on"),
        (Happening(AT, "plan", "completed", "shop", seconds=250), "✓ PLAN   shop completed in 4:10"),
        (
            Happening(AT, "plan", "needs_human", "shop", text="1 of 3", seconds=5),
            "! PLAN   shop parked, needs a person in 5 s: 1 of 3",
        ),
    ],
)
def test_each_kind_has_its_line(item: Happening, line: str) -> None:
    """The time, the mark, the word; the same with colours, and ASCII where that is wanted."""
    assert told(item, Look()) == f"16:04:05 {line}"
    assert re.sub(r"\x1b\[[0-9;]*m", "", told(item, Look(colour=True))) == f"16:04:05 {line}"
    assert told(item, Look(ascii=True)).isascii()


def test_a_model_cannot_write_to_the_terminal() -> None:
    """OSC 52, cursor movements, line ends and reversed text in titles and findings are made harmless."""
    evil = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b1A\rok\u202e"
    for kind, state in (("phase", "failed"), ("task", "needs_human"), ("finding", "major"), ("gate", "wait")):
        line = told(Happening(AT, kind, state, evil, 1, evil, evil, phase="code", model=evil), Look())
        assert all(char.isprintable() for char in line)


def test_endless_text_is_cut() -> None:
    """A line stays a line."""
    assert len(told(Happening(AT, "finding", "info", text="x" * 5000), Look())) == LONGEST
