"""Looks at the draft of a plan before GPU hours are spent: title, numbered criteria, a check for each. No model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lao.agents.plan_text import body, is_command, plan_commands, sections

_ACCEPTANCE: Final = re.compile(r"\b(acceptance|criteria|criterion|done when|definition of done)\b", re.IGNORECASE)
_NUMBERED: Final = re.compile(
    r"^ {0,3}(?:[-*+]\s+)?(?:\*\*)?(?:AC[- ]?)?(\d{1,3})(?:\*\*)?[.):](?:\*\*)?\s+(.*)$", re.IGNORECASE
)
_TICKED: Final = re.compile(r"`([^`\n]+)`")
_FILE: Final = re.compile(r"^(?!-)[\w@+~.-]*(?:/[\w@+~.-]+)*(?:\.\w{1,8}|/[\w@+~.-]+|/)$")
_FENCED: Final = re.compile(r"^\s*(`{3,})(?:markdown|md)?[ \t]*\n(.*?)^\s*\1[ \t]*$", re.DOTALL | re.MULTILINE)
VAGUE: Final = (
    "adequate", "and so on", "appropriate", "as needed", "as required", "beautiful", "better", "clean code",
    "cleaner", "easily", "easy to use", "efficient", "elegant", "etc", "fast", "faster", "flexible", "good",
    "high quality", "if possible", "improve", "intuitive", "maintainable", "modern", "nice", "nicer", "optimal",
    "optimize", "performant", "production-ready", "properly", "quickly", "reasonable", "robust", "scalable",
    "seamless", "simple", "smooth", "some", "sufficient", "user-friendly", "various", "well-tested",
    "works correctly", "works well",
)  # fmt: skip
"""Words that nobody can check."""

VAGUE_WORD: Final = re.compile(r"\b(" + "|".join(re.escape(word) for word in VAGUE) + r")\b", re.IGNORECASE)


@dataclass(frozen=True)
class Criterion:
    """One acceptance criterion: what the plan's author has numbered it, its text, what would show it."""

    number: int
    text: str
    commands: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def checkable(self) -> bool:
        """Whether a command, or a file that can be looked at, decides about it."""
        return bool(self.commands or self.files)


@dataclass(frozen=True)
class Draft:
    """A draft and what was found.

    Attributes:
        errors: what must be mended before it can be a plan.
        notes: what may well be meant so.
    """

    title: str
    criteria: tuple[Criterion, ...]
    errors: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether it can be filed as a plan."""
        return not self.errors


def of_answer(answer: str) -> str:
    """The draft in a model's answer: a fenced block with a heading, else from its first heading on, else all."""
    fenced = next((found[2] for found in _FENCED.finditer(answer) if re.search(r"^#\s", found[2], re.MULTILINE)), None)
    text = fenced if fenced is not None else answer
    heading = re.search(r"^#{1,2}\s+\S", text, re.MULTILINE)
    return (text[heading.start() :] if heading else text).strip() + "\n"


def check(text: str) -> Draft:
    """What stands against a draft; the same text always gives the same answer."""
    plain = body(text)
    every = sections(plain)
    title = next((section.title for section in every if section.level == 1 and section.title), "")
    found = [section for section in every if section.level and _ACCEPTANCE.search(section.title)]
    criteria = tuple(item for section in found for item in _criteria(section.text.split("\n")[1:]))
    errors = [] if title else ["it has no title: begin with '# What is to be built'"]
    if not found:
        errors.append("it has no section '## Acceptance criteria'")
    elif not criteria:
        errors.append("its acceptance section has no numbered criteria ('1. …')")
    errors += _numbering(criteria)
    errors += [
        f"criterion {item.number} has no check: add a line 'Check: `command`', or name the file to look at in backticks"
        for item in criteria
        if not item.checkable
    ]
    return Draft(title, criteria, tuple(errors), tuple(_notes(text, criteria)))


def report(draft: Draft) -> str:
    """The result in words, a line each."""
    lines = [f"{draft.title or 'no title'}: {len(draft.criteria)} criteria, {'ready' if draft.ready else 'not ready'}"]
    for item in draft.criteria:
        what = item.commands[0] if item.commands else item.files[0] if item.files else "no check"
        lines.append(f"  {'✓' if item.checkable else '✗'} {item.number}. {what}")
    lines += [f"  ✗ {error}" for error in draft.errors]
    return "\n".join(lines + [f"  · {note}" for note in draft.notes])


def slug(title: str) -> str:
    """The plan's name: of letters, digits and dashes, at most 60; ``plan`` when the title has none."""
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return words[:60].rstrip("-") or "plan"


def _criteria(lines: list[str]) -> list[Criterion]:
    items: list[tuple[int, list[str]]] = []
    for line in lines:
        numbered = _NUMBERED.match(line)
        if numbered:
            items.append((int(numbered[1]), [numbered[2]]))
        elif items:
            items[-1][1].append(line)
    return [_criterion(number, "\n".join(rest).strip()) for number, rest in items]


def _criterion(number: int, text: str) -> Criterion:
    ticked = [word.strip() for word in _TICKED.findall(text)]
    labelled = [command for _, command in plan_commands(text)]
    commands = tuple(dict.fromkeys([*labelled, *(word for word in ticked if " " in word and is_command(word))]))
    return Criterion(
        number, text, commands, tuple(word for word in ticked if _FILE.match(word) and word not in commands)
    )


def _numbering(criteria: tuple[Criterion, ...]) -> list[str]:
    given = [item.number for item in criteria]
    if given == list(range(1, len(given) + 1)):
        return []
    return [f"its criteria are numbered {', '.join(map(str, given))}: number them 1 to {len(given)}"]


def _notes(text: str, criteria: tuple[Criterion, ...]) -> list[str]:
    notes = []
    run = {command for _, command in plan_commands(text)}
    for item in criteria:
        words = sorted({word.lower() for word in VAGUE_WORD.findall(_TICKED.sub("", item.text))})
        if words:
            notes.append(
                f"criterion {item.number} is vague: {', '.join(map(repr, words))}; say how much, or how it shows"
            )
        if item.commands and not run & set(item.commands):
            notes.append(f"criterion {item.number}: LAO runs only commands on lines of their own, 'Check: `command`'")
    return notes
