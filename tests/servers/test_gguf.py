"""The header reader on files as they should be, and on files as they should not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lao.servers.gate.gguf import MOST_KEPT, MOST_PAIRS, MOST_TEXT_BYTES, GgufHeader, read_header

from .gguf_file import ARRAY, BOOL, QWEN, TEXT, U32, gguf, write


def read(tmp_path: Path, data: bytes) -> GgufHeader | None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    return read_header(path)


@pytest.mark.parametrize(("version", "order"), [(2, "<"), (3, "<"), (3, ">")])
def test_values(tmp_path: Path, version: int, order: str) -> None:
    """Versions 2 and 3 and both byte orders give the same typed values; texts of arrays are passed over."""
    header = read(tmp_path, gguf(*QWEN, version=version, order=order))
    assert header is not None
    assert header.architecture == "qwen2"
    assert header.of_model("block_count") == 28
    assert header.of_model("rope.freq_base") == 1000000.0
    assert header.of_model("missing") is None
    assert "tokenizer.ggml.tokens" not in header.values


def test_all_types(tmp_path: Path) -> None:
    """Every type of the format, and arrays of numbers; long ones are passed over, what follows them is read."""
    numbers = {0: 200, 1: -5, 2: 60000, 3: -600, 4: 70000, 5: -70000, 6: 0.5, 7: True, 10: 2**40, 11: -(2**40), 12: 0.1}
    pairs = [(f"n{kind}", kind, value) for kind, value in numbers.items()]
    pairs += [("few", ARRAY, (U32, [1, 2, 3])), ("flags", ARRAY, (BOOL, [True, False]))]
    pairs += [("many", ARRAY, (U32, list(range(MOST_KEPT + 1)))), ("last", TEXT, "é")]
    header = read(tmp_path, gguf(*pairs))
    assert header is not None
    assert {k: header.values[f"n{k}"] for k in numbers} == numbers
    assert (header.values["few"], header.values["flags"]) == ((1, 2, 3), (True, False))
    assert "many" not in header.values
    assert header.values["last"] == "é"


LONG = struct.pack("<Q", MOST_TEXT_BYTES + 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGU",
        gguf(magic=b"GGML"),
        gguf(version=1),
        gguf(version=4),
        gguf(count=MOST_PAIRS + 1),
        gguf(*QWEN, count=len(QWEN) + 1),
        gguf(*QWEN)[:-1],
        gguf(count=1) + LONG + b"x" * 50,
        gguf(count=1) + struct.pack("<Q1sI", 1, b"k", 13),
        gguf(count=1) + struct.pack("<Q1sIIQ", 1, b"k", ARRAY, U32, 2**63),
        gguf(count=1) + struct.pack("<Q1sIIQ", 1, b"k", ARRAY, ARRAY, 1) + b"\0" * 40,
        gguf(count=1) + struct.pack("<Q1sIIQ", 1, b"k", ARRAY, TEXT, 5) + struct.pack("<Q", 9),
        gguf(count=1) + struct.pack("<Q1sIIQ", 1, b"k", ARRAY, 10, 9999) + b"\0" * 40,
    ],
)
def test_what_is_no_header(tmp_path: Path, data: bytes) -> None:
    """Another file, another version, a file cut off, and lengths that cannot be: None, and no exception."""
    assert read(tmp_path, data) is None


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder and a missing file: None."""
    assert read_header(tmp_path) is None
    assert read_header(tmp_path / "none") is None


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_mutilated_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes of a file are wrong or missing, the answer is a header or None."""
    good = bytearray(gguf(*QWEN))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "mutilated.gguf"
    path.write_bytes(bytes(good[: data.draw(st.integers(0, len(good)))]))
    assert isinstance(read_header(path), (GgufHeader, type(None)))


def test_a_written_file_is_as_long_as_told(tmp_path: Path) -> None:
    """What follows the header (the tensors) is not read."""
    path = write(tmp_path / "a" / "m.gguf", *QWEN, size=50_000_000)
    assert path.stat().st_size == 50_000_000
    header = read_header(path)
    assert header is not None
    assert header.of_model("block_count") == 28
