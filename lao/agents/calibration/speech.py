"""Probes of plain talk: is the system role followed, and where does thinking go? Judges no tools."""

from __future__ import annotations

import re

from lao.agents.calibration.bench import Bench
from lao.agents.prompt import load
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed
from lao.core.words import Json
from lao.llm.clean import clean

_TOKENS = 60
_PATIENCE, _QUICK_PATIENCE = 3, 10
"""Factors on the limits for a model that thinks before it answers; a quick one may think longer."""

_QUICK_TOKENS_S = 60.0
_TAG = re.compile(r"</?(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


def probe(bench: Bench) -> dict[str, Json]:
    """``system_role`` and ``thinking``; sets what the later probes must know about both.

    Raises:
        AttemptFailed: the model answers neither with nor without a system message.
    """
    system, user = load("calibrate_system"), load("calibrate_system_user")
    try:
        answer = bench.ask(user, _TOKENS, system=system)
    except AttemptFailed as error:
        if error.kind != "template":
            raise
        bench.folds_system = True
        answer = bench.ask(user, _TOKENS, system=system)
    thinking = thinking_of(answer)
    if thinking != "none":
        bench.patience = _QUICK_PATIENCE if (bench.decode_tokens_s or 0.0) >= _QUICK_TOKENS_S else _PATIENCE
        if answer.finish_reason == "length":
            answer = bench.ask(user, _TOKENS, system=system)
    followed = "pelican" in clean(answer.text).lower()
    role = "refused" if bench.folds_system else "followed" if followed else _accepted(answer)
    return {"system_role": role, "thinking": thinking}


def thinking_of(answer: ChatAnswer) -> str:
    """ "field", "tags" or "none"."""
    if answer.reasoning.strip():
        return "field"
    return "tags" if _TAG.search(answer.text) else "none"


def _accepted(answer: ChatAnswer) -> str:
    """A model that only thought, or said nothing, has not shown what it makes of the system message."""
    return "accepted" if clean(answer.text) else ""
