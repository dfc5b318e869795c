"""Vectors of texts for ``/v1/embeddings``: the same text always the same, similar words similar. No model."""

from __future__ import annotations

import hashlib
import math
import re

from lao.core.words import Json
from lao.servers.simulated.request import tokens

_SIZE = 256
_WORD = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")


def vector(text: str) -> list[float]:
    """A unit vector: every word adds to one dimension and sign that its hash chooses."""
    found = [0.0] * _SIZE
    for word in _WORD.findall(text.lower()) or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        found[int.from_bytes(digest[:4], "big") % _SIZE] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(v * v for v in found)) or 1.0
    return [round(v / length, 6) for v in found]


def answer(model: str, texts: list[str]) -> dict[str, Json]:
    """The body for the texts, in their order."""
    data = [{"object": "embedding", "index": n, "embedding": vector(text)} for n, text in enumerate(texts)]
    used = sum(map(tokens, texts))
    return {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }
