"""What a model takes in memory: weights, the cache of its context, buffers. Arithmetic only; needs.py chooses a figure.

Formula: cache bytes a token = layers x key-value heads x (key length + value length) x bytes of an element.
"""

from __future__ import annotations

from dataclasses import dataclass

from lao.servers.gate.gguf import GgufHeader, Value

CACHE_ELEMENT_BYTES = 2
"""f16, what servers take unless told otherwise."""

NEED_FACTOR = 1.1
"""Where only the file's size is known: weights plus a tenth for the context's cache and the engine's buffers."""

BUFFER_BYTES = 256 * 1024**2
BUFFER_FRACTION = 0.05
"""The engine's buffers grow with the model; of a 30B one (17.9 GiB) llama.cpp tells 0.9 GiB."""

MOST_LAYERS = 4096

WINDOW_BATCH = 512
"""Tokens that a layer with a sliding window holds beside its window."""

WINDOW_PERIODS = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4}
"""Of so many layers one, the last, sees the whole context: llama.cpp's ``set_swa_pattern``, where the file's own
``sliding_window_pattern`` says nothing. Of other models with a window every layer counts as one that does."""


_SAVING = ("attention.kv_lora_rank", "attention.shared_kv_layers", "ssm.state_size", "wkv.head_size")
"""Latent attention, layers that share a cache, and layers with a constant state."""


@dataclass(frozen=True)
class Shape:
    """What the memory of a model depends on.

    Attributes:
        weights_bytes: all files of the model together.
        token_bytes: cache of one token in the layers that hold the whole context.
        window_token_bytes: the same in the layers that hold the last ``window`` tokens only.
        bound: the model may take less, as its layers hold less than a whole context in a way that is not known here.
    """

    weights_bytes: int
    token_bytes: int
    window_token_bytes: int = 0
    window: int = 0
    bound: bool = False


def shape_of(header: GgufHeader, weights_bytes: int) -> Shape | None:
    """The shape that a file's header tells; None when it lacks the layers or heads.

    Layers that keep a constant state instead of a cache are known by ``full_attention_interval`` or by their number of
    heads, 0; other economies make the shape an upper bound.
    """
    layers = _count(header.of_model("block_count"))
    heads = _count(header.of_model("attention.head_count")) or _most(header.of_model("attention.head_count"))
    if not 0 < layers <= MOST_LAYERS or not heads:
        return None
    usual = _count(header.of_model("embedding_length")) // heads
    key = _count(header.of_model("attention.key_length")) or usual
    value = _count(header.of_model("attention.value_length")) or usual
    each = _heads_of_layers(header.of_model("attention.head_count_kv"), layers, heads)
    interval = _count(header.of_model("full_attention_interval"))
    if interval > 1:
        each = each[interval - 1 :: interval]
    key_slides = _count(header.of_model("attention.key_length_swa")) or key
    value_slides = _count(header.of_model("attention.value_length_swa")) or value
    window = _count(header.of_model("attention.sliding_window"))
    whole, windowed = _parted(header, each, window)
    saves = any(header.of_model(name) is not None for name in _SAVING)
    bound = saves or (window > 0 and not windowed)
    token = sum(whole) * (key + value) * CACHE_ELEMENT_BYTES
    return Shape(weights_bytes, token, sum(windowed) * (key_slides + value_slides) * CACHE_ELEMENT_BYTES, window, bound)


def cache_bytes(shape: Shape, context: int) -> int:
    """The cache of ``context`` tokens."""
    windowed = min(context, shape.window + WINDOW_BATCH)
    return shape.token_bytes * context + shape.window_token_bytes * windowed


def need_bytes(shape: Shape, context: int) -> int:
    """Weights, cache and buffers with a context of so many tokens."""
    buffers = BUFFER_BYTES + int(shape.weights_bytes * BUFFER_FRACTION)
    return shape.weights_bytes + cache_bytes(shape, context) + buffers


def _parted(header: GgufHeader, heads: list[int], window: int) -> tuple[list[int], list[int]]:
    """The layers that hold the whole context and those that hold the window only."""
    pattern = header.of_model("attention.sliding_window_pattern")
    period = _count(pattern) or WINDOW_PERIODS.get(header.architecture, 1)
    if not window:
        slides = [False] * len(heads)
    elif isinstance(pattern, tuple) and len(pattern) == len(heads):
        slides = [bool(p) for p in pattern]
    else:
        slides = [(at + 1) % period != 0 for at in range(len(heads))]
    parted: tuple[list[int], list[int]] = ([], [])
    for number, slides_here in zip(heads, slides, strict=True):
        parted[slides_here].append(number)
    return parted


def _heads_of_layers(value: Value | None, layers: int, heads: int) -> list[int]:
    if isinstance(value, tuple) and value:
        told = [_count(v) for v in value[:layers]]
        return told + [max(told)] * (layers - len(told))
    return [_count(value) or heads] * layers


def _count(value: Value | None) -> int:
    """A positive whole number, or 0."""
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40 else 0


def _most(value: Value | None) -> int:
    return max((_count(v) for v in value), default=0) if isinstance(value, tuple) else 0
