"""Questions that begin with ``/ideate`` or ``/spec``: what the model is asked in their place. Knows no terminal."""

from __future__ import annotations

from typing import Final

from lao.agents import prompt

IDEATE: Final = "/ideate"
SPEC: Final = "/spec"
_PROMPTS: Final = {IDEATE: "pilot_ideate", SPEC: "pilot_spec"}


def is_guided(question: str) -> bool:
    """Whether it is one of them; such a turn is talk only and is offered no tools."""
    return question.partition(" ")[0].strip() in _PROMPTS


def framed(question: str) -> str:
    """The question as the model gets it: what follows ``/ideate`` or ``/spec`` in that prompt, any other as it is."""
    word, _, rest = question.partition(" ")
    name = _PROMPTS.get(word.strip())
    return prompt.load(name, text=rest.strip()).rstrip() if name else question
