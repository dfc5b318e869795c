"""Token counts without a tokenizer: estimates that err on the high side. Decides nothing about what to drop."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence

from lao.core.words import Json

CHARS_PER_TOKEN = 3.3
"""Of ASCII text. Source code measures 3.0 to 4.0 characters a token on the usual 32k to 150k vocabularies."""

PER_MESSAGE = 6
"""Role markers and separators of one message in the usual chat templates."""


def estimate(text: str) -> int:
    """Tokens of ``text``, rounded up. A character outside ASCII counts as a token of its own."""
    wide = sum(1 for c in text if c > "\x7f") if not text.isascii() else 0
    return math.ceil((len(text) - wide) / CHARS_PER_TOKEN) + wide


def estimate_messages(messages: Iterable[Mapping[str, Json]], tools: Sequence[Mapping[str, Json]] = ()) -> int:
    """Tokens of a whole request: contents, tool calls, tool descriptions and the template's own marks."""
    total = estimate(json.dumps(list(tools))) if tools else 0
    for message in messages:
        total += PER_MESSAGE + estimate(str(message.get("content") or ""))
        if message.get("tool_calls"):
            total += estimate(json.dumps(message["tool_calls"]))
    return total


def fits(
    messages: Iterable[Mapping[str, Json]], context: int, reserve: int, tools: Sequence[Mapping[str, Json]] = ()
) -> bool:
    """Whether the messages leave ``reserve`` tokens of a window of ``context`` tokens for the answer."""
    return estimate_messages(messages, tools) <= context - reserve


def clip(text: str, limit: int, *, tail_share: float = 0.5) -> str:
    """``text`` within ``limit`` tokens: beginning and end, with a line that says how much of the middle is left out."""
    if estimate(text) <= limit:
        return text
    keep = max(0, int(limit * CHARS_PER_TOKEN) - 60)
    while True:
        tail = int(keep * tail_share)
        gap = f"\n[... {len(text) - keep} characters left out ...]\n"
        clipped = text[: keep - tail] + gap + (text[-tail:] if tail else "")
        if keep <= 0 or estimate(clipped) <= limit:
            return clipped
        keep = int(keep * 0.8)
