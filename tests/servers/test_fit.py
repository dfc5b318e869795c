"""Does a model fit: presets by memory, contexts, proposals; all by the catalogue's figures and the gate's formula."""

from __future__ import annotations

import pytest

from lao.core.states import Role
from lao.servers.fit import (
    GIB,
    budget_of,
    budget_of_rung,
    fit,
    need_of,
    need_of_rung,
    rung_for,
    shape_of_entry,
    weights_of,
)
from lao.servers.gate.formula import need_bytes
from lao.servers.memory.reading import MemoryReading
from lao.servers.proposal import NO_EMBEDDER, download, from_rung, key_after_download, propose, smallest
from lao.servers.protocol import ModelInfo
from models_cfg.entries import entries
from models_cfg.rungs import rungs
from models_cfg.spelling import find

GB = 1_000_000_000
CODER = ModelInfo("qwen/qwen3-coder-30b@q4_k_m", "llm", 18_556_689_568, (), 262144)
BIG = ModelInfo("qwen2.5-72b-instruct", "llm", 47_415_715_488, (), 32768)
ODD = ModelInfo("nobody-knows-it", "llm", 3 * GB, (), 8192)
NOMIC = ModelInfo("text-embedding-nomic-embed-text-v1.5", "embedding", 84_106_624, (), 2048)


def test_the_presets_are_for_the_asked_sizes() -> None:
    """Issue 7: 8, 12, 16, 24, 36, 48, 64 and 128 GB, each with its reason."""
    assert list(rungs()) == [8, 12, 16, 24, 36, 48, 64, 128]
    assert all(rung.reason.endswith(".") for rung in rungs().values())


@pytest.mark.parametrize("gb", list(rungs()))
def test_a_preset_fits_its_memory(gb: int) -> None:
    """Weights, cache and buffers of the model with its context, and the embedder, by the gate's own formula."""
    rung = rungs()[gb]
    assert rung.model.cache is not None, "without its layers the need would be a guess"
    shape = shape_of_entry(rung.model, rung.model.files[rung.quantisation])
    assert shape is not None
    assert need_bytes(shape, rung.context) < need_of_rung(rung) <= budget_of_rung(rung) <= gb * GIB
    assert rung.model.kind != "embedder"
    assert rung.embedder.kind == "embedder"
    assert rung.max_completion < rung.context <= rung.model.context


@pytest.mark.parametrize("gb", list(rungs()))
def test_a_preset_swaps_nothing(gb: int) -> None:
    """One large model plays every role that generates."""
    for kind in ("lmstudio", "ollama", "llamacpp", "vllm"):
        chosen = from_rung(rungs()[gb], kind)
        assert set(chosen) == set(Role)
        assert len({choice.key for role, choice in chosen.items() if role is not Role.EMBEDDER}) == 1
        assert chosen[Role.CODER].key != chosen[Role.EMBEDDER].key
        assert find(chosen[Role.CODER].key) is rungs()[gb].model
        assert download(rungs()[gb], kind)


def test_more_memory_is_never_a_smaller_need() -> None:
    """The presets are a ladder, and a budget gets the largest that it holds."""
    needs = [need_of_rung(rung) for rung in rungs().values()]
    assert needs == sorted(needs)
    for rung in rungs().values():
        assert rung_for(need_of_rung(rung)) is rung
        assert rung_for(budget_of_rung(rung)) is not None
    assert rung_for(needs[0] - 1) is None


def test_a_catalogued_shape_takes_what_its_header_would() -> None:
    """48 layers of 4 heads of 128, keys and values of two bytes: 98304 bytes a token, as llama.cpp allocates."""
    entry = entries()["qwen3-coder-30b-a3b-instruct"]
    weights = entry.files["Q4_K_M"]
    assert need_of(entry, weights, 32768) - need_of(entry, weights, 0) == 98304 * 32768
    gemma = entries()["gemma-3-27b-it"]
    shape = shape_of_entry(gemma, gemma.files["Q4_K_M"])
    assert shape is not None
    assert (shape.token_bytes, shape.window_token_bytes, shape.window) == (10 * 8192, 52 * 8192, 1024)


def test_fit_finds_the_largest_context() -> None:
    """Enough memory: the wanted context; less: the largest that fits; too little for 4096: no; unknown: unknown."""
    assert fit(CODER, 24 * GB, 32768).how == "fits"
    less = fit(CODER, 22 * GB, 32768)
    assert (less.how, less.context) == ("less", 16384)
    assert less.need_bytes <= 22 * GB < fit(CODER, 40 * GB, 24576).need_bytes
    assert fit(CODER, 22 * GB, 32768, beside_bytes=1 * GB).context < less.context
    assert fit(CODER, 19 * GB, 32768).how == "no"
    assert fit(CODER, 0, 32768).how == "unknown"
    assert fit(ModelInfo("x", "llm", 0, (), None), 8 * GB, 4096).how == "unknown"
    guessed = fit(ODD, 4 * GB, 32768)
    assert (guessed.how, guessed.context, guessed.guess) == ("fits", 8192, True)


def test_a_server_that_tells_no_size_is_helped_by_the_catalogue() -> None:
    """llama-server lists no sizes; the key's quantisation does."""
    info = ModelInfo("Qwen3-8B-Q4_K_M.gguf", "llm", 0, (), None)
    assert weights_of(info) == entries()["qwen3-8b"].files["Q4_K_M"]
    assert weights_of(ModelInfo("Qwen3-8B", "llm", 0, (), None)) == 0


def test_the_proposal_is_one_model_that_fits() -> None:
    """The largest that fits, a coder before a somewhat larger one; the embedder is one."""
    chosen = propose([BIG, CODER, ODD, NOMIC], 24 * GB)
    assert chosen is not None
    assert {choice.key for role, choice in chosen.items() if role is not Role.EMBEDDER} == {CODER.key}
    assert chosen[Role.EMBEDDER].key == NOMIC.key
    assert (chosen[Role.CODER].context, chosen[Role.CODER].max_completion) == (32768, 8192)
    short = propose([CODER, ODD], 20 * GB)
    assert short is not None
    assert short[Role.EMBEDDER] == NO_EMBEDDER
    assert propose([BIG, NOMIC], 24 * GB) is None
    assert propose([NOMIC], 24 * GB) is None
    tiny = smallest([BIG, CODER, NOMIC])
    assert tiny is not None
    assert tiny[Role.CODER].key == CODER.key
    assert smallest([NOMIC]) is None


def test_budgets_by_the_kind_of_memory() -> None:
    """Cards: nearly all there is; a Mac: what the GPU may hold; else what is free and what the loaded models hold."""
    assert budget_of(MemoryReading(1 * GB, 0, "nvidia", 24 * GB)) == int(24 * GB * 0.94)
    assert budget_of(MemoryReading(1 * GB, 0, "vm_stat", 24 * GB)) == 24 * GB
    assert budget_of(MemoryReading(10 * GB, 0, "meminfo", 32 * GB), 5 * GB) == 15 * GB
    assert budget_of(MemoryReading(10 * GB, 0, "meminfo", 12 * GB), 5 * GB) == 12 * GB
    assert budget_of(MemoryReading(None, 0, "server elsewhere")) == 0


def test_commands_to_download() -> None:
    """Each kind of server has its own command, and the key that comes of it means the model."""
    rung = rungs()[24]
    model = rung.model
    assert download(rung, "ollama")[0] == f"ollama pull hf.co/{model.repository}:Q4_K_M"
    assert download(rung, "llamacpp") == (f"llama-server -hf {model.repository}:Q4_K_M",)
    assert download(rung, "lmstudio")[0] == f"lms get https://huggingface.co/{model.repository}@q4_k_m"
    assert download(rung, "vllm") == ("vllm serve Qwen/Qwen3-Coder-30B-A3B-Instruct",)
    for kind in ("ollama", "llamacpp", "lmstudio", "vllm"):
        assert find(key_after_download(model, "Q4_K_M", kind)) is model
