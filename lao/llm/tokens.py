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


class TokenScale:
    """How a model's real token counts compare with the estimates: learned from the ``usage`` of its answers.

    ``ratio`` is real by estimated, 1.0 while nothing is known. A server whose counts jump about (some leave out what
    came from the cache) teaches nothing.
    """

    _LEAST = 150
    _SPREAD = 1.8
    _MEMORY = 0.7

    def __init__(self) -> None:
        self._ratio = 0.0
        self._low = math.inf
        self._high = 0.0

    def observe(self, estimated: int, real: int) -> None:
        """Learn from one answered request; short ones are mostly template and say nothing."""
        if estimated < self._LEAST or real <= 0:
            return
        seen = real / estimated
        self._low, self._high = min(self._low, seen), max(self._high, seen)
        self._ratio = seen if not self._ratio else self._MEMORY * self._ratio + (1 - self._MEMORY) * seen

    @property
    def known(self) -> bool:
        """Whether the counts seen so far agree well enough to go by."""
        return self._ratio > 0 and self._high <= self._low * self._SPREAD

    @property
    def ratio(self) -> float:
        return min(2.0, max(0.5, self._ratio)) if self.known else 1.0

    def allowed(self, limit: int) -> int:
        """The limit of an estimate that keeps the real count under ``limit``. Room won this way is not used fully."""
        ratio = self.ratio
        return int(limit / ratio) if ratio >= 1 else int(limit * (1 + (1 / ratio - 1) / 2))
