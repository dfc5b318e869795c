"""Where a weak model's turn ends: what it has looked at already, what is no answer, what the record says instead."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from lao.agents.plan_text import plan_commands
from lao.core.tool_names import READING
from lao.core.words import Json
from lao.llm.tokens import clip

MOST_LOOKS: Final = 6
"""Calls that only look, of a model that makes no native calls; then the answer is due."""

_SAID: Final = 900
_ASKED: Final = re.compile(
    r"^\W*(?:please\s+|can you\s+|could you\s+|now\s+)*(?:"
    r"plan\s+(?:a|an|the|for|how|me)\b"
    r"|(?:make|create|write|draft|prepare|file|add|set up|give|i\s+(?:need|want|would like)|let'?s\s+(?:make|write))\b"
    r"[^.?!]{0,40}?\bplan\b)",
    re.IGNORECASE,
)
_FENCED: Final = re.compile(r"\A\s*(`{3,})[ \t]*(?:markdown|md)?[ \t]*\n(.*?)\n?\1?\s*\Z", re.DOTALL | re.IGNORECASE)
_FENCES: Final = re.compile(r"`{3,}[^\n]*")
_HEADING: Final = re.compile(r"^#{1,3}\s+(.+?)\s*#*$", re.MULTILINE)
_WHY: Final = re.compile(r"\b(?:fail|wrong|why\b|brok|reason|explain|error|problem|not finish|went\b)", re.IGNORECASE)
_COMMAND: Final = re.compile(r"""^\s+command (['"])(.+)\1: """, re.MULTILINE)
_SENTENCE: Final = re.compile(r"[.!?\n]+")
_CIRCLE: Final = 4
_CALL: Final = re.compile(r'"(?:tool|function|name|arguments|parameters)"\s*:')


class Looks:
    """What a turn has looked at. Nothing of it depends on time, so that a resumed turn decides the same.

    Args:
        most: looks that are allowed.
        patience: which repetition makes it enough.
    """

    def __init__(self, most: int = MOST_LOOKS, patience: int = 1) -> None:
        self._most, self._patience = most, patience
        self._seen: set[str] = set()
        self._made = 0
        self.enough = False

    def again(self, name: str, arguments: Mapping[str, Json]) -> bool:
        """Whether a call that only looks was made already and nothing has been done since."""
        if name not in READING:
            self._seen.clear()
            return False
        key = f"{name} {json.dumps(arguments, sort_keys=True)}"
        known = key in self._seen
        self._seen.add(key)
        self._made += not known
        self._patience -= known
        self.enough = self.enough or self._patience <= 0 or self._made >= self._most
        return known


def asks_for_plan(question: str) -> bool:
    """Whether somebody orders a plan ("make a plan that ..."), rather than asks about one."""
    return bool(_ASKED.match(question))


def plan_in(answer: str, question: str) -> tuple[str, str]:
    """Title and text of the plan in an answer that is to be one; the text is "" when there is none.

    The person's own words stand below the title, since weak models lose file names.
    """
    fenced = _FENCED.match(answer)
    text = (fenced[2] if fenced else answer).strip()
    if not text or _CALL.search(text):
        return "", ""
    heading = _HEADING.search(text)
    title = heading[1] if heading else " ".join(question.split()[:8])
    rest = (text[: heading.start()] + text[heading.end() :]).strip() if heading else text
    return title.strip("`*_ "), f"# {title}\n\nAsked for: {' '.join(question.split())}\n\n{rest}"


def has_check(plan: str) -> bool:
    """Whether a plan names a command that decides."""
    return bool(plan_commands(plan))


def usable(text: str) -> bool:
    """Whether an answer says something to a person: no lone call, no empty fences, no sentence again and again."""
    rest = _FENCES.sub("", text).strip()
    if not re.search(r"\w", rest):
        return False
    said = Counter(part.strip() for part in _SENTENCE.split(rest) if len(part.split()) > 2)
    if said and said.most_common(1)[0][1] >= _CIRCLE:  # it speaks in circles
        return False
    return not (rest[0] in "{[" and _CALL.search(rest))


def with_evidence(answer: str, question: str, failures: str) -> str:
    """An answer to a question about what failed, with the record's words where it names none of the failed commands."""
    if not failures or not _WHY.search(question):
        return answer
    if any(command in answer for _, command in _COMMAND.findall(failures)):
        return answer
    return f"{answer}\n\nThe record says:\n\n{clip(failures.strip(), _SAID)}"


def from_record(record: str) -> str:
    """What a turn says when its model has no usable answer: nothing of it is the model's."""
    return f"The model gave no usable answer. What the record says:\n\n{clip(record.strip(), _SAID)}"
