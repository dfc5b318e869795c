"""What a model needs: by its file's header, by what loads took, by its size; and where its file is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from lao.core.states import Role
from lao.servers.gate.formula import BUFFER_BYTES, Shape, cache_bytes, need_bytes, shape_of
from lao.servers.gate.gguf import GgufHeader
from lao.servers.gate.model_files import find_files, shards
from lao.servers.gate.needs import Needs
from lao.servers.gate.record import LoadsInMemory, learned
from lao.servers.protocol import ModelInfo

from .gguf_file import QWEN, write
from .support import GB, make_settings, model

SIZE = 1_117_320_768
KEY = "qwen/qwen2.5-coder-1.5b"
INFO = ModelInfo(KEY, "llm", SIZE, (), 32768)


def header(arch: str, **values: Any) -> GgufHeader:
    own = {f"{arch}.{name.replace('__', '.')}": value for name, value in values.items()}
    return GgufHeader(MappingProxyType({"general.architecture": arch, **own}))


def plain(**more: Any) -> GgufHeader:
    values = {"block_count": 28, "embedding_length": 1536, "attention__head_count": 12, "attention__head_count_kv": 2}
    return header(more.pop("arch", "qwen2"), **{**values, **more})


def test_plain_attention() -> None:
    """28 layers x 2 heads x (128 + 128) x 2 bytes are 28,672 bytes a token, 112 MiB for 4096."""
    shape = shape_of(plain(), SIZE)
    assert shape == Shape(SIZE, 28_672)
    assert cache_bytes(shape, 4096) == 112 * 1024**2
    assert need_bytes(shape, 4096) == SIZE + 112 * 1024**2 + BUFFER_BYTES + int(SIZE * 0.05)


def test_lengths_of_heads() -> None:
    """Key and value lengths of the header win over the share of the embedding; no heads told are as many as all."""
    shape = shape_of(plain(attention__key_length=256, attention__value_length=64), 0)
    assert shape == Shape(0, 28 * 2 * (256 + 64) * 2)
    everyone = shape_of(plain(attention__head_count_kv=None), 0)
    assert everyone == Shape(0, 28 * 12 * 256 * 2)


def test_heads_by_layer() -> None:
    """An array of heads is summed; layers with none have no cache; a short array is taken as its largest."""
    shape = shape_of(plain(block_count=4, attention__head_count_kv=(0, 8, 0, 2)), 0)
    assert shape == Shape(0, 10 * 256 * 2)
    short = shape_of(plain(block_count=4, attention__head_count_kv=(1, 3)), 0)
    assert short == Shape(0, 10 * 256 * 2)


def test_sliding_windows() -> None:
    """Layers with a window hold the window: by the header's pattern, by the family's, else all count as whole."""
    by_pattern = shape_of(
        plain(block_count=3, attention__sliding_window=1024, attention__sliding_window_pattern=(True, True, False)),
        0,
    )
    assert by_pattern == Shape(0, 2 * 512, 4 * 512, 1024)
    by_period = shape_of(
        plain(
            block_count=10,
            attention__sliding_window=64,
            attention__sliding_window_pattern=5,
            attention__key_length_swa=64,
            attention__value_length_swa=64,
        ),
        0,
    )
    assert by_period == Shape(0, 2 * 2 * 512, 8 * 2 * 256, 64)
    by_family = shape_of(plain(arch="gemma3", block_count=12, attention__sliding_window=512), 0)
    assert by_family == Shape(0, 2 * 2 * 512, 10 * 2 * 512, 512)
    assert cache_bytes(by_family, 8192) == 2048 * 8192 + 10240 * (512 + 512)
    assert cache_bytes(by_family, 256) == (2048 + 10240) * 256
    unknown = shape_of(plain(block_count=12, attention__sliding_window=512), 0)
    assert unknown == Shape(0, 12 * 2 * 512, 0, 512, bound=True)


def test_layers_with_a_constant_state() -> None:
    """Where only every fourth layer attends to all, only these count."""
    assert shape_of(plain(block_count=8, full_attention_interval=4), 0) == Shape(0, 2 * 2 * 512)


@pytest.mark.parametrize(
    "values", [{"block_count": None}, {"block_count": 2**39}, {"attention__head_count": "many"}, {"block_count": -1}]
)
def test_headers_that_tell_too_little(values: dict[str, Any]) -> None:
    """Without a sensible number of layers and heads there is no shape."""
    assert shape_of(plain(**values), SIZE) is None


class Told:
    """Needs with a record and what was told."""

    def __init__(self, folder: Path, path: str | None = None, url: str = "http://127.0.0.1:9") -> None:
        self.record = LoadsInMemory()
        self.lines: list[str] = []
        role = replace(model(Role.CODER, KEY), path=path)
        self.needs = Needs(make_settings(role, url=url), self.record, self.lines.append, folder)


def test_a_file_of_lm_studio_is_found(tmp_path: Path) -> None:
    """The one file of exactly the listed size whose name holds the key's name tells the need."""
    write(tmp_path / "lmstudio-community" / "Qwen2.5-Coder-1.5B-Instruct-GGUF" / "q4.gguf", *QWEN, size=SIZE)
    write(tmp_path / "other" / "Llama-GGUF" / "llama.gguf", *QWEN, size=SIZE)
    write(tmp_path / "other" / "Qwen2.5-Coder-1.5B-GGUF" / "q8.gguf", *QWEN, size=SIZE + 1)
    need = Told(tmp_path).needs.of(INFO, 4096)
    assert not need.guess
    assert need.count == need_bytes(Shape(SIZE, 28_672), 4096)
    assert "0.1 GB of it for 4096 tokens" in need.how


def test_two_files_of_lm_studio_are_no_answer(tmp_path: Path) -> None:
    """Where two files fit, and where none does, the size decides as before."""
    for name in ("a", "b"):
        write(tmp_path / name / "qwen2.5-coder-1.5b" / "m.gguf", *QWEN, size=SIZE)
    need = Told(tmp_path).needs.of(INFO, 4096)
    assert (need.guess, need.count) == (True, int(SIZE * 1.1))
    assert find_files("qwen2.5-coder-1.5b", SIZE, tmp_path / "none") == ()
    assert find_files("", SIZE, tmp_path) == ()


def test_a_server_elsewhere_has_its_files_elsewhere(tmp_path: Path) -> None:
    """Files of this machine say nothing about a server on another one."""
    write(tmp_path / "a" / "qwen2.5-coder-1.5b" / "m.gguf", *QWEN, size=SIZE)
    assert Told(tmp_path, url="http://gpu-box:1234").needs.of(INFO, 4096).guess


def test_a_file_that_factory_yaml_names(tmp_path: Path) -> None:
    """``models.<role>.path`` wins; its size is the model's where the server tells none."""
    path = write(tmp_path / "mine.gguf", *QWEN, size=SIZE)
    told = Told(tmp_path / "none", str(path), url="http://gpu-box:1234")
    assert told.needs.of(replace(INFO, size_bytes=0), 4096).count == need_bytes(Shape(SIZE, 28_672), 4096)
    assert told.needs.size_of(replace(INFO, size_bytes=0)) == SIZE
    assert told.lines == []


def test_a_named_file_that_is_none_is_told_once(tmp_path: Path) -> None:
    """A path that leads to no GGUF file is told, and the size decides."""
    (tmp_path / "x.gguf").write_text("no")
    told = Told(tmp_path, str(tmp_path / "x.gguf"))
    assert [told.needs.of(INFO, 4096).guess for _ in range(2)] == [True, True]
    assert len(told.lines) == 1
    assert "x.gguf" in told.lines[0]


def test_shards(tmp_path: Path) -> None:
    """A model in parts is all of them; with a part missing it is none."""
    parts = [tmp_path / f"m-{n:05}-of-00003.gguf" for n in (1, 2, 3)]
    for part in parts:
        write(part, *QWEN)
    assert shards(parts[1]) == tuple(parts)
    parts[2].unlink()
    assert shards(parts[0]) == ()


def test_what_loads_took_wins(tmp_path: Path) -> None:
    """A measured figure comes before every formula, for its own context only."""
    told = Told(tmp_path)
    assert told.needs.learn(INFO, 4096, 1_300_000_000)
    need = told.needs.of(INFO, 4096)
    assert (need.count, need.guess, need.how) == (1_300_000_000, False, "as the last load took")
    assert told.needs.of(INFO, 8192).guess
    assert told.needs.took(INFO, 4096) == 1_300_000_000
    assert told.needs.took(INFO, 8192) == SIZE


def test_a_figure_that_is_not_certain_leaves_another(tmp_path: Path) -> None:
    """What was measured once or twice does not shut the gate for ever, and neither does an upper bound."""
    told = Told(tmp_path)
    for at, count in enumerate((3 * GB, 3 * GB, 3 * GB)):
        told.record.note_taken(KEY, 4096, count)
        assert told.needs.of(INFO, 4096).otherwise == (int(SIZE * 1.1) if at < 2 else 0)
    told.record.note_taken(KEY, 2048, GB)
    assert told.needs.of(INFO, 2048).otherwise == 0
    path = write(tmp_path / "m.gguf", *QWEN, ("qwen2.attention.kv_lora_rank", 4, 512), size=SIZE)
    assert Told(tmp_path, str(path)).needs.of(INFO, 32768).otherwise == int(SIZE * 1.1)


@pytest.mark.parametrize("count", [-1, 0, SIZE // 2 - 1, SIZE * 4])
def test_what_cannot_be_is_not_learned(tmp_path: Path, count: int) -> None:
    """Nothing, less than half of the file, or far more than the model can take: another program was at work."""
    told = Told(tmp_path)
    assert not told.needs.learn(INFO, 4096, count)
    assert told.record.taken(KEY, 4096) == ()
    assert not told.needs.learn(replace(INFO, size_bytes=0), 4096, GB)


def test_one_bad_measurement_does_not_stick() -> None:
    """Of three figures the middle one counts, of fewer the largest; the fourth pushes out the first."""
    assert [learned(t) for t in [(), (5,), (5, 9), (5, 9, 6), (9, 6, 6)]] == [0, 5, 9, 6, 6]
    record = LoadsInMemory()
    for count in (1, 2, 3, 4):
        record.note_taken("m", 8, count)
    assert record.taken("m", 8) == (2, 3, 4)
