"""Reads the header of a GGUF file: its typed key-values, nothing else. Knows no model; need.py does the sums.

Format: github.com/ggml-org/ggml, docs/gguf.md. Versions 2 and 3, either byte order.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeAlias

Scalar: TypeAlias = "int | float | bool | str"
Value: TypeAlias = "Scalar | tuple[int | float | bool, ...]"

MOST_PAIRS = 65_536
MOST_TEXT_BYTES = 16 * 1024**2
MOST_ELEMENTS = 16_000_000
MOST_KEPT = 4096
"""Longer arrays, and those of texts (the vocabulary), are passed over."""

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9


@dataclass(frozen=True)
class GgufHeader:
    """The key-values of a file; arrays as tuples, as far as they are numbers and short."""

    values: Mapping[str, Value]

    @property
    def architecture(self) -> str:
        """``general.architecture``, the prefix of the model's own keys; "" when it is missing."""
        return str(self.values.get("general.architecture", ""))

    def of_model(self, name: str) -> Value | None:
        """The model's own value: ``block_count`` is ``llama.block_count`` in a llama's file. None when missing."""
        return self.values.get(f"{self.architecture}.{name}")


def read_header(path: Path) -> GgufHeader | None:
    """The header of a file, or None when it is unreadable, broken or no GGUF file. Raises nothing.

    At most ``MOST_PAIRS`` pairs are read, so that a broken file ends soon.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path.stat().st_size).header()
    except (OSError, ValueError, struct.error, OverflowError):
        return None


class _Reader:
    """Reads forward through one open file. ValueError means that the file is not as it should be."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._order = "<"

    def header(self) -> GgufHeader:
        if self._bytes(4) != b"GGUF":
            raise ValueError("no GGUF file")
        version = struct.unpack("<I", self._bytes(4))[0]
        if version & 0xFFFF == 0:
            self._order, version = ">", version >> 24
        if version not in (2, 3):
            raise ValueError(f"GGUF version {version}")
        self._number(10)  # how many tensors there are
        pairs = int(self._number(10))
        if pairs > MOST_PAIRS:
            raise ValueError(f"{pairs} key-values")
        values: dict[str, Value] = {}
        for _ in range(pairs):
            key = self._text()
            value = self._value(int(self._number(4)))
            if value is not None:
                values[key] = value
        return GgufHeader(MappingProxyType(values))

    def _value(self, kind: int) -> Value | None:
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            return self._array()
        return self._number(kind)

    def _array(self) -> tuple[int | float | bool, ...] | None:
        kind, count = int(self._number(4)), int(self._number(10))
        if count > MOST_ELEMENTS or kind == _ARRAY:  # no writer nests arrays
            raise ValueError(f"an array of {count} elements of type {kind}")
        if kind == _TEXT:
            for _ in range(count):
                self._skip(self._length())
            return None
        form = f"{self._order}{count}{_form(kind)}"
        if count > MOST_KEPT:
            self._skip(struct.calcsize(form))
            return None
        return tuple(struct.unpack(form, self._bytes(struct.calcsize(form))))

    def _text(self) -> str:
        return self._bytes(self._length()).decode("utf-8", errors="replace")

    def _length(self) -> int:
        length = int(self._number(10))
        if length > MOST_TEXT_BYTES:
            raise ValueError(f"a text of {length} bytes")
        return length

    def _number(self, kind: int) -> int | float | bool:
        form = self._order + _form(kind)
        value: int | float | bool = struct.unpack(form, self._bytes(struct.calcsize(form)))[0]
        return value

    def _bytes(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise ValueError("the file ends within its header")
        return data

    def _skip(self, count: int) -> None:
        if self._file.seek(count, 1) > self._size:
            raise ValueError("the file ends within its header")


def _form(kind: int) -> str:
    if kind not in _FORMATS:
        raise ValueError(f"no type {kind}")
    return _FORMATS[kind]
