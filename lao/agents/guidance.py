"""Memory and skills as parts of a prompt, within their tokens: what is nearest is kept first, what was cut is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lao.agents.prompt import load
from lao.llm.tokens import clip, estimate
from lao.memory.files import Note
from lao.skills.catalogue import Catalogue

SMALLEST_CONTEXT = 32_768
"""Tokens of context from which a coder is offered skills and memory tools: their schemas and lines take about 600."""

_CONTEXT_SHARE = 16
_LEAST_PART = 60
_DESCRIPTION = 40


@dataclass(frozen=True)
class Shown:
    """A part of a prompt; ``cut``: what was left out or shortened for lack of room, by name."""

    text: str = ""
    cut: tuple[str, ...] = ()


def memory_budget(max_tokens: int, context: int) -> int:
    """Tokens that memory may take in a prompt of a model with this context."""
    return min(max_tokens, context // _CONTEXT_SHARE)


def memory_section(notes: Sequence[Note], facts: Sequence[str], limit: int) -> Shown:
    """The notes and facts within ``limit`` tokens.

    Facts of the project may take a third, the latest first; of the notes the deepest are kept first. They are shown
    from the user's to the deepest, since the later one counts where two disagree.

    Args:
        notes: the least deep first.
        facts: the most useful first.
    """
    if limit < _LEAST_PART or not (notes or facts):
        return Shown("", tuple(_all(notes, facts)))
    head = load("guidance_head")
    left = limit - estimate(head) - _LEAST_PART // 2  # the last line may say what was cut
    lines, cut = _facts(facts, left // 3 if notes else left)
    left -= sum(estimate(line + "\n") for line in lines)
    kept: dict[int, str] = {}
    for at, note in sorted(enumerate(notes), key=lambda pair: -pair[1].depth):
        part = f"## {note.label}\n{note.text}"
        if estimate(part) > left:
            if left < _LEAST_PART:
                cut.append(note.label)
                continue
            part = clip(part, left, tail_share=0.2)
            cut.append(f"{note.label} (shortened)")
        kept[at] = part
        left -= estimate(part + "\n\n")
    parts = [head, *(kept[at] for at in sorted(kept))]
    if lines:
        parts.append("\n".join(("## Facts", *lines)))
    if cut:
        parts.append(clip(f"(Left out for lack of room: {', '.join(cut)}.)", _LEAST_PART))
    return Shown("\n\n".join(parts), tuple(cut)) if kept or lines else Shown("", tuple(cut))


def _all(notes: Sequence[Note], facts: Sequence[str]) -> list[str]:
    return [*(note.label for note in notes), *([f"{len(facts)} facts"] if facts else [])]


def _facts(facts: Sequence[str], limit: int) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    left = limit
    for fact in facts:
        cost = estimate(f"- {fact}\n")
        if cost > left:
            break
        lines.append(f"- {fact}")
        left -= cost
    missing = len(facts) - len(lines)
    return lines, [f"{missing} of {len(facts)} facts"] if missing else []


def skills_section(catalogue: Catalogue, limit: int) -> Shown:
    """One line a skill within ``limit`` tokens. Where they do not fit, long descriptions are shortened first, then the
    last names are left out; skill_list still has all."""
    skills = list(catalogue.skills.values())
    head = load("guidance_skills")
    lines = [f"- {s.name}: {s.description}" for s in skills]
    left = limit - estimate(head)
    if not skills or left <= 0:
        return Shown("", tuple(s.name for s in skills))
    if sum(estimate(line + "\n") for line in lines) > left:
        lines = [f"- {s.name}: {_first(s.description)}" for s in skills]
    shown: list[str] = []
    for line in lines:
        left -= estimate(line + "\n")
        if left < 0:
            break
        shown.append(line)
    cut = tuple(s.name for s in skills[len(shown) :])
    if cut:
        shown.append(f"({len(cut)} more: skill_list)")
    return Shown("\n".join((head, *shown)), cut) if len(shown) > bool(cut) else Shown("", cut)


def _first(description: str) -> str:
    """The beginning of a description, cut at a word."""
    if estimate(description) <= _DESCRIPTION:
        return description
    return description[: int(_DESCRIPTION * 3)].rsplit(" ", 1)[0] + " …"
