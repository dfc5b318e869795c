"""Probes of speed and size: prefill, reuse of a prompt's prefix, and the context where the server does not tell it."""

from __future__ import annotations

from lao.agents.calibration.bench import Bench
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed
from lao.core.words import Json
from lao.llm.faults import ContextOverflow

_LINES = 28
_ANSWER_TOKENS = 2
_LEAST_TIME_S = 0.15
"""Shorter first waits are noise; no ratio is taken from them."""

_LEAST_FRESH = 150
"""Tokens that were really read; fewer say little about the speed."""

_QUICKER = 0.5
_CHEAP_S = 8.0
"""How long reading an overlong prompt may take, should the server not refuse it at once."""


def filler(lines: int, seed: int) -> str:
    """Numbered lines of about fifteen tokens each: like code, and with another seed different from the first line."""
    return "\n".join(f"value_{seed + n} = compute(source[{n * 7}], factor={n * 3})" for n in range(lines))


def probe_prefill(bench: Bench) -> dict[str, Json]:
    """``prefill_tokens_s`` of a long prompt, and ``cache_reuse`` from sending its beginning a second time."""
    # Different each time: what an earlier calibration left in the server's cache would look like speed.
    text = filler(_LINES, int(bench.clock.now()) % 100_000)
    first = bench.ask(f"{text}\n\nHow many lines are there?", _ANSWER_TOKENS)
    found: dict[str, Json] = {}
    fresh = first.usage.prompt - (first.usage.cached or 0)
    if first.first_token_s > 0 and fresh >= _LEAST_FRESH and not first.usage.estimated:
        found["prefill_tokens_s"] = round(fresh / first.first_token_s, 1)
    second = bench.ask(f"{text}\n\nWhat is the first name?", _ANSWER_TOKENS)
    reused = reuse(first, second)
    return found if reused is None else {**found, "cache_reuse": reused}


def reuse(first: ChatAnswer, second: ChatAnswer) -> bool | None:
    """Whether the second prompt, which begins as the first, was read from a cache; None when nothing shows it."""
    if second.usage.cached:
        return second.usage.cached > second.usage.prompt * _QUICKER
    if first.first_token_s < _LEAST_TIME_S:
        return None
    return second.first_token_s < first.first_token_s * _QUICKER


def probe_context(bench: Bench, wanted: int, prefill_tokens_s: float | None) -> dict[str, Json]:
    """``context`` from what the server says to a prompt of more than ``wanted`` tokens.

    Only where reading such a prompt would be quick: a server that does not refuse it reads it.
    """
    if not prefill_tokens_s or wanted / prefill_tokens_s > min(_CHEAP_S, bench.left_s / 2):
        return {}
    try:
        answer = bench.ask(filler(wanted // 10, 1), 1)
    except ContextOverflow as error:
        return {"context": error.context} if error.context else {}
    except AttemptFailed:
        return {}
    told = answer.usage.prompt if not answer.usage.estimated else 0
    return {"context": told} if told >= wanted else {}
