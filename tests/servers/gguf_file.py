"""Writes GGUF headers for tests."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

Pair = tuple[str, int, Any]
"""Key, type by the format's number, value; an array's value is (type, elements)."""

U32, BOOL, TEXT, ARRAY = 4, 7, 8, 9
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

QWEN: tuple[Pair, ...] = (
    ("general.architecture", TEXT, "qwen2"),
    ("tokenizer.ggml.tokens", ARRAY, (TEXT, ["a", "bc", ""])),
    ("qwen2.block_count", U32, 28),
    ("qwen2.context_length", U32, 32768),
    ("qwen2.embedding_length", U32, 1536),
    ("qwen2.attention.head_count", U32, 12),
    ("qwen2.attention.head_count_kv", U32, 2),
    ("qwen2.rope.freq_base", 6, 1000000.0),
)
"""As in the files of Qwen2.5-Coder-1.5B, whose cache takes 28,672 bytes a token."""


def gguf(*pairs: Pair, version: int = 3, order: str = "<", magic: bytes = b"GGUF", count: int | None = None) -> bytes:
    head = magic + struct.pack(f"{order}IQQ", version, 0, len(pairs) if count is None else count)
    return head + b"".join(
        _text(key, order) + struct.pack(f"{order}I", kind) + _value(kind, v, order) for key, kind, v in pairs
    )


def write(path: Path, *pairs: Pair, size: int = 0) -> Path:
    """A file with this header, as long as ``size`` when that is more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gguf(*pairs))
    if size:
        with path.open("r+b") as file:
            file.truncate(size)
    return path


def _text(text: str, order: str) -> bytes:
    data = text.encode()
    return struct.pack(f"{order}Q", len(data)) + data


def _value(kind: int, value: Any, order: str) -> bytes:
    if kind == TEXT:
        return _text(value, order)
    if kind == ARRAY:
        inner, elements = value
        head = struct.pack(f"{order}IQ", inner, len(elements))
        return head + b"".join(_value(inner, e, order) for e in elements)
    return struct.pack(f"{order}{_FORMATS[kind]}", value)
