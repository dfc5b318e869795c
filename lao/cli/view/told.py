"""What has happened as one permanent line each: the log of a run for a person."""

from __future__ import annotations

import datetime as dt
from typing import Final

from lao.cli.look import MARKS, Look, Piece, count, duration, printable
from workflows.progress import Happening

LONGEST: Final = 400
_WORDS: Final = {
    "proved": "proved",
    "checked": "checked",
    "none": "done, no check says so",
    "needs_human": "parked, needs a person",
}


def told(item: Happening, look: Look) -> str:
    """The line, with the time of day; longer ones than ``LONGEST`` cells are cut."""
    when = dt.datetime.fromtimestamp(item.at, dt.timezone.utc).astimezone().strftime("%H:%M:%S")
    return look.line([(f"{when} ", "quiet"), look.piece(item.state), (" ", ""), *_pieces(item)], LONGEST)


def _pieces(item: Happening) -> list[Piece]:
    style = MARKS[item.state].style
    if item.kind == "phase":
        return [(f"{item.phase:<6} ", ""), (_subject(item), ""), *_ended(item), (_figures(item), "quiet")]
    if item.kind == "task":
        commit = f", commit {item.commit[:10]}" if item.commit else ""
        why = f": {_first(item.text)}" if item.text and item.state not in ("proved", "checked", "none") else ""
        word = _WORDS.get(item.state, item.state)
        return [("TASK   ", "strong"), (f"{_subject(item)} ", "strong"), (word, style), (commit, ""), (why, "")]
    if item.kind == "plan":
        why = f": {_first(item.text)}" if item.text else ""
        took = f" in {duration(item.seconds)}" if item.seconds is not None else ""
        word = _WORDS.get(item.state, item.state)
        return [("PLAN   ", "strong"), (f"{item.plan} ", "strong"), (word, style), (took, ""), (why, "")]
    if item.kind == "finding":
        return [("finds  ", ""), (f"{_subject(item)}  ", ""), (item.state, style), (f": {_first(item.text)}", "")]
    return _other(item)


def _other(item: Happening) -> list[Piece]:
    if item.kind == "load":
        return [("swap   ", ""), (item.model, "busy"), (f" loaded in {duration(item.seconds or 0.0)}", "")]
    if item.kind == "pause":
        word = "paused" if item.state == "paused" else "goes on"
        return [("pause  ", ""), (f"{item.plan or 'everything'} ", ""), (word, MARKS[item.state].style)]
    if item.kind == "taken":
        return [("PLAN   ", "strong"), (f"{item.plan} ", "strong"), ("taken in", "")]
    word = {"gate": "gate   ", "rejected": "refused"}.get(item.kind, f"{item.kind:<7}")
    return [(f"{word} " if item.kind == "rejected" else word, "warn"), (_first(item.text), "")]


def _subject(item: Happening) -> str:
    task = f" #{item.task}" if item.task is not None else ""
    return f"{item.plan}{task}" + (f" {item.title}" if item.title else "")


def _ended(item: Happening) -> list[Piece]:
    if item.state == "done":
        return []
    why = f": {_first(item.text)}" if item.text else ""
    return [(f"  {item.state}", MARKS[item.state].style), (why, "")]


def _figures(item: Happening) -> str:
    parts = [duration(item.seconds)] if item.seconds is not None else []
    parts += [f"{count(item.tokens)} tok"] if item.tokens else []
    parts += [item.model] if item.model and item.tokens else []
    return f"  ({', '.join(parts)})" if parts else ""


def _first(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return printable(lines[0].strip()) if lines else ""
