"""What a plan's text leaves open, told before a model is asked: checks, files, vague words, work that no task has."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lao.agents import plan_items
from lao.agents.plan_coverage import parts
from lao.agents.plan_draft import VAGUE
from lao.agents.plan_text import body, plan_commands, sections
from lao.core.words import TaskSpec

LEAST_WORDS: Final = 8
LARGE_SHARE: Final = 0.5
"""A single section that takes more of what the planner is shown at once is too large to be one piece of work."""

_VAGUE: Final = re.compile(r"\b(" + "|".join(re.escape(word) for word in VAGUE) + r")\b", re.IGNORECASE)
_WORK: Final = re.compile(
    r"\b(?:write|create|add|implement|build|make|provide|generate|extend|change|fix|move|put|must|should|shall)\b", re.I
)
_MADE: Final = re.compile(
    r"\b(?:write|writes|create|creates|add|implement|build|make|provide|generate|new|put|save|output)\b[^.!?\n]{0,80}?$",
    re.I,
)
_WORD: Final = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True)
class Files:
    """Files that a plan names in backticks: those that are there, those it orders, and those of which neither is so."""

    there: tuple[str, ...]
    ordered: tuple[str, ...]
    missing: tuple[str, ...]


def gaps(plan_text: str) -> list[str]:
    """What a weak model would have to guess, a line each, in the plan's order."""
    plain = body(plan_text)
    found = []
    if len(plain.split()) < LEAST_WORDS:
        found.append("the text is very short: the planner will have to guess")
    if not plan_items.TICKED_FILE.search(plain) and "file:" not in plain:
        found.append("no file is named in backticks: say which files each piece of work writes")
    for section in sections(plain, 2):
        words = sorted({word.lower() for word in _VAGUE.findall(section.text)})
        if words and _WORK.search(section.text) and not plan_commands(section.text):
            where = section.title or "the beginning"
            found.append(f"{where!r} has no command and is vague: {', '.join(map(repr, words[:4]))}")
    return found


def oversized(plan_text: str, limit: int, estimate: Callable[[str], int]) -> list[str]:
    """Titles of sections that are large beside what the planner is shown at once.

    Args:
        limit: tokens of the plan that it is shown.
        estimate: tokens of a text (``lao.llm.tokens.estimate``).
    """
    every = [section for section in sections(body(plan_text)) if section.title]
    return [section.title for section in every if len(every) > 1 and estimate(section.text) > limit * LARGE_SHARE]


def files(plan_text: str, existing: Collection[str]) -> Files:
    """The files that the plan names, by what becomes of them."""
    plain = body(plan_text)
    names = {path.rsplit("/", 1)[-1] for path in existing}
    there, ordered, missing = [], [], []
    by_parts = {path for part in parts(plan_text) for path in part.files}
    for found in plan_items.TICKED_FILE.finditer(plain):
        path = found[1]
        before = plain[: found.start()].rsplit("\n\n", 1)[-1].replace("\n", " ")
        if path in existing or path.rsplit("/", 1)[-1] in names:
            there.append(path)
        elif path in by_parts or _MADE.search(before) or _heads_a_section(plain, found.start()):
            ordered.append(path)
        else:
            missing.append(path)
    kept = tuple(dict.fromkeys(path for path in missing if path not in ordered))
    return Files(tuple(dict.fromkeys(there)), tuple(dict.fromkeys(ordered)), kept)


def _heads_a_section(text: str, at: int) -> bool:
    """Whether the file stands in a heading or at the beginning of a list item: then it is what the piece is about."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(re.fullmatch(r"\s*(?:#{1,6}\s.*|[-*+]\s+|\d+[.)]\s+)", line))


def uncovered(plan_text: str, tasks: Sequence[TaskSpec]) -> tuple[int, list[str]]:
    """(how many sentences of the plan order work, those of which no task speaks).

    A task speaks of a sentence when it has one of its files, or half of its longer words.
    """
    told = " ".join(f"{task.title} {task.description} {' '.join(task.file_paths)}" for task in tasks).lower()
    known = set(_WORD.findall(told))
    sentences = [s for s in _sentences(body(plan_text)) if _WORK.search(s)]
    left = []
    for sentence in sentences:
        words = {word for word in _WORD.findall(sentence.lower()) if not _WORK.fullmatch(word)}
        named = [found[1].lower() for found in plan_items.TICKED_FILE.finditer(sentence)]
        spoken = any(path in told for path in named) or (words and 2 * len(words & known) >= len(words))
        if words and not spoken:
            left.append(" ".join(sentence.split()))
    return len(sentences), left


def _sentences(text: str) -> list[str]:
    plain = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(line for line in plain.split("\n") if not line.lstrip().startswith("#"))
    pieces = re.split(r"(?<=[.!?])\s+(?=[A-Z`*\d-])|\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)", lines)
    return [piece.strip(" -*+\n") for piece in pieces if piece.strip(" -*+\n")]
