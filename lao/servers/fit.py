"""Whether a model fits into memory, and with how much context, by the catalogue's figures and the gate's formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lao.servers.gate.formula import CACHE_ELEMENT_BYTES, NEED_FACTOR, Shape, need_bytes
from lao.servers.memory.apple import wired_limit
from lao.servers.memory.reading import MemoryReading
from lao.servers.protocol import ModelInfo
from models_cfg.entries import Entry
from models_cfg.rungs import Rung, rungs
from models_cfg.spelling import find, quantisation

GIB = 1024**3
CARD_SHARE = 0.94
"""Of a card's memory: what the driver and a display leave."""

CONTEXTS = (262144, 131072, 98304, 65536, 49152, 32768, 24576, 16384, 12288, 8192, 6144, 4096)
"""Tokens that are tried, the largest first; with less than the last nothing can be shown to a model."""

SMALL_CONTEXT = 2048
"""Tokens that an embedder is loaded with."""


@dataclass(frozen=True)
class Fit:
    """How a model stands to the memory.

    Attributes:
        how: "fits" with the wanted context, "less" with ``context`` tokens, "no", or "unknown" (size or memory).
        context: tokens, 0 where it does not fit or where nothing is known of its cache.
        need_bytes: with that context; with the smallest where it does not fit; 0 when unknown.
        guess: reckoned from the file's size alone.
    """

    how: Literal["fits", "less", "no", "unknown"]
    context: int = 0
    need_bytes: int = 0
    guess: bool = False

    @property
    def usable(self) -> bool:
        """Nothing says that it will not load."""
        return self.how != "no"


def shape_of_entry(entry: Entry, weights_bytes: int) -> Shape | None:
    """The shape that the memory gate's formula takes, None when the catalogue does not know the layers."""
    cache = entry.cache
    if cache is None or not weights_bytes:
        return None
    layer = cache.kv_heads * 2 * cache.head_dim * CACHE_ELEMENT_BYTES
    return Shape(weights_bytes, cache.layers * layer, cache.window_layers * layer, cache.window)


def need_of(entry: Entry, weights_bytes: int, context: int) -> int:
    """Bytes that the model takes with so many tokens; its size and a tenth when its layers are not known."""
    shape = shape_of_entry(entry, weights_bytes)
    return need_bytes(shape, context) if shape else int(weights_bytes * NEED_FACTOR)


def weights_of(info: ModelInfo) -> int:
    """Bytes of a server's model: as the server says, else the catalogue's file of that quantisation, else 0."""
    entry = find(info.key)
    return info.size_bytes or (entry.files.get(quantisation(info.key), 0) if entry else 0)


def fit(info: ModelInfo, budget_bytes: int, wanted: int, beside_bytes: int = 0) -> Fit:
    """How a server's model fits.

    Args:
        budget_bytes: what models may take in all, 0 when unknown.
        wanted: tokens of context.
        beside_bytes: what stays loaded beside it, such as the embedder.
    """
    weights, entry = weights_of(info), find(info.key)
    most = info.max_context_length or (entry.context if entry else 0) or wanted
    wanted = min(wanted, most)
    if not weights or not budget_bytes:
        return Fit("unknown", wanted)
    room = budget_bytes - beside_bytes
    shape = shape_of_entry(entry, weights) if entry else None
    if shape is None:
        need = int(weights * NEED_FACTOR)
        return Fit("fits" if need <= room else "no", wanted if need <= room else 0, need, guess=True)
    for context in (wanted, *(c for c in CONTEXTS if c < wanted)):
        need = need_bytes(shape, context)
        if need <= room:
            return Fit("fits" if context == wanted else "less", context, need)
    return Fit("no", 0, need_bytes(shape, min(wanted, CONTEXTS[-1])))


def budget_of(reading: MemoryReading, resident_bytes: int = 0) -> int:
    """Bytes that models may take in all: of cards nearly all there is, of a Mac what its GPU may hold, else what the
    system can give and what the loaded models give back; 0: unknown.

    Args:
        resident_bytes: of the models that are loaded now.
    """
    if reading.source in ("nvidia", "amdgpu"):
        return int(reading.total_bytes * CARD_SHARE)
    if reading.source == "vm_stat" and reading.total_bytes:
        return reading.total_bytes
    if reading.available_bytes is None:
        return 0
    room = reading.available_bytes + resident_bytes
    return min(room, reading.total_bytes) if reading.total_bytes else room


def budget_of_rung(rung: Rung) -> int:
    """Bytes that the memory a preset is made for gives to models."""
    if rung.memory == "card":
        return int(rung.gb * GIB * CARD_SHARE)
    return wired_limit(rung.gb * GIB, 0)


def need_of_rung(rung: Rung) -> int:
    """Bytes that a preset takes: its model with its context, and the embedder beside it."""
    embedder = rung.embedder.files[rung.embedder_quantisation]
    model = need_of(rung.model, rung.model.files[rung.quantisation], rung.context)
    return model + need_of(rung.embedder, embedder, SMALL_CONTEXT)


def rung_for(budget_bytes: int) -> Rung | None:
    """The largest preset that fits into so many bytes, or None."""
    fitting = [rung for rung in rungs().values() if need_of_rung(rung) <= budget_bytes]
    return max(fitting, key=need_of_rung, default=None)
