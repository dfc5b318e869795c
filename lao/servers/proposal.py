"""Which model for which role: of those that a server has, the best that fits; else what to download. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lao.core.states import Role
from lao.servers.fit import CONTEXTS, SMALL_CONTEXT, Fit, fit, need_of, weights_of
from lao.servers.protocol import ModelInfo
from models_cfg.entries import Entry
from models_cfg.rungs import Rung
from models_cfg.spelling import find

WANTED_CONTEXT = 32768
"""Tokens that a role works well with: a task, its files and the map."""

ENOUGH_CONTEXT = 16384
"""With less a larger model is no better choice than a smaller one."""

_CODER_BONUS = 1.5
"""A model made for code counts as one of so many times its size."""


@dataclass(frozen=True)
class Choice:
    """The entries of one role.

    Attributes:
        size_bytes: 0 when unknown.
        reason: one line.
    """

    key: str
    context: int
    max_completion: int
    size_bytes: int
    reason: str

    def entries(self) -> dict[str, str | int]:
        """As in ``models.<role>`` of factory.yaml."""
        return {
            "key": self.key,
            "context_length": self.context,
            "max_completion": self.max_completion,
            "size_bytes": self.size_bytes,
        }


NO_EMBEDDER = Choice("", SMALL_CONTEXT, 0, 0, "none: search goes by words alone")


def propose(models: Iterable[ModelInfo], budget_bytes: int) -> dict[Role, Choice] | None:
    """One large model for every role that generates, so that nothing is swapped, and an embedder beside it.

    Args:
        budget_bytes: what models may take, 0 when unknown; then the largest model is proposed.

    Returns:
        the choice of every role, or None when no model of the server fits.
    """
    known = tuple(models)
    embedder = embedder_of(known)
    beside = embedder.size_bytes
    ranked = [(info, fit(info, budget_bytes, WANTED_CONTEXT, beside)) for info in known if info.kind == "llm"]
    usable = [pair for pair in ranked if pair[1].usable and find_kind(pair[0]) != "embedder"]
    if not usable:
        return None
    info, fits = max(usable, key=_rank)
    choice = choice_of(info, fits, budget_bytes)
    return {role: embedder if role is Role.EMBEDDER else choice for role in Role}


def smallest(models: Iterable[ModelInfo]) -> dict[Role, Choice] | None:
    """The smallest model for every role, with the least context, where nothing fits; None without any model."""
    known = tuple(models)
    generating = [info for info in known if info.kind == "llm" and find_kind(info) != "embedder"]
    if not generating:
        return None
    info = min(generating, key=lambda i: weights_of(i) or 1 << 60)
    choice = Choice(info.key, CONTEXTS[-1], 1024, weights_of(info), "the smallest that is there")
    return {role: embedder_of(known) if role is Role.EMBEDDER else choice for role in Role}


def choice_of(info: ModelInfo, fits: Fit, budget_bytes: int) -> Choice:
    """What a role gets of this model, and why."""
    entry = find(info.key)
    context = fits.context or WANTED_CONTEXT
    words = []
    if entry and entry.kind == "coder":
        words.append("made for code")
    if fits.need_bytes and budget_bytes:
        words.append(f"takes {gigabytes(fits.need_bytes)} of {gigabytes(budget_bytes)}")
    else:
        words.append("its size or the memory is not known")
    if fits.how == "less":
        words.append(f"{context} tokens of context, as more does not fit")
    return Choice(info.key, context, max(1024, min(8192, context // 4)), weights_of(info), ", ".join(words))


def find_kind(info: ModelInfo) -> str:
    """coder, general, reasoning, small or embedder; "" when the catalogue does not know the model."""
    entry = find(info.key)
    return entry.kind if entry else ""


def download(rung: Rung, server_kind: str) -> tuple[str, ...]:
    """The commands that bring a preset's models to a server of this kind."""
    if server_kind == "vllm":
        return (f"vllm serve {rung.model.page.removeprefix('https://huggingface.co/')}",)
    model = _get(rung.model, rung.quantisation, server_kind)
    if server_kind in ("llamacpp", "llamaswap"):
        return (model,)
    return model, _get(rung.embedder, rung.embedder_quantisation, server_kind)


def key_after_download(entry: Entry, quantisation: str, server_kind: str) -> str:
    """What the server will probably call it; ``lao configure-models`` tells for sure."""
    if server_kind == "ollama":
        return f"hf.co/{entry.repository}:{quantisation}"
    if server_kind in ("llamacpp", "llamaswap"):
        return f"{entry.repository}:{quantisation}"
    if server_kind == "vllm":
        return entry.page.removeprefix("https://huggingface.co/")
    return f"text-embedding-{entry.id}" if entry.kind == "embedder" else entry.id


def from_rung(rung: Rung, server_kind: str) -> dict[Role, Choice]:
    """The roles of a preset, under the keys that its models will probably have."""
    model, embedder = rung.model, rung.embedder
    size, small = model.files[rung.quantisation], embedder.files[rung.embedder_quantisation]
    key = key_after_download(model, rung.quantisation, server_kind)
    needs = need_of(model, size, rung.context)
    chosen = Choice(key, rung.context, rung.max_completion, size, f"takes {gigabytes(needs)}; {rung.reason}")
    beside = key_after_download(embedder, rung.embedder_quantisation, server_kind)
    embeds = Choice(beside, SMALL_CONTEXT, 0, small, "for search by meaning")
    return {role: embeds if role is Role.EMBEDDER else chosen for role in Role}


def gigabytes(count: int) -> str:
    """``18.6 GB``, of 1000³ bytes."""
    return f"{count / 1e9:.1f} GB"


def _get(entry: Entry, quantisation: str, server_kind: str) -> str:
    if server_kind == "ollama":
        return f"ollama pull hf.co/{entry.repository}:{quantisation}"
    if server_kind in ("llamacpp", "llamaswap"):
        return f"llama-server -hf {entry.repository}:{quantisation}"
    return f"lms get https://huggingface.co/{entry.repository}@{quantisation.lower()}"


def embedder_of(models: Iterable[ModelInfo]) -> Choice:
    """The smallest that the catalogue knows, else the smallest; ``NO_EMBEDDER`` without any."""
    found = [info for info in models if info.kind == "embedding" or find_kind(info) == "embedder"]
    if not found:
        return NO_EMBEDDER
    info = min(found, key=lambda i: (find(i.key) is None, weights_of(i) or 1 << 60))
    context = min(SMALL_CONTEXT, info.max_context_length or SMALL_CONTEXT)
    return Choice(info.key, context, 0, weights_of(info), "for search by meaning")


def _rank(pair: tuple[ModelInfo, Fit]) -> tuple[bool, bool, float]:
    info, fits = pair
    bonus = _CODER_BONUS if find_kind(info) == "coder" else 1.0
    return fits.context >= min(ENOUGH_CONTEXT, WANTED_CONTEXT), fits.how != "unknown", weights_of(info) * bonus
