"""The seam to a model server: what it lists, loads and unloads. Adapters and the gate are elsewhere; so is chat."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from lao.core.errors import Terminal

ModelKind: TypeAlias = Literal["llm", "embedding"]


@dataclass(frozen=True)
class LoadedModel:
    """One instance in memory.

    Attributes:
        instance_id: what to call it in chats and when it is unloaded; not always the key.
        context_length: tokens that one chat under this name gets, whatever others get beside it; None when the server
            does not tell.
        cpu_bytes: how much of it is not in the GPU's memory, as far as the server tells: that part is slow.
        parallel: how many requests it answers at once, as the server reports it; None when the server does not tell.
    """

    instance_id: str
    key: str
    context_length: int | None
    cpu_bytes: int = 0
    parallel: int | None = None

    def holds(self, context_length: int | None) -> bool:
        """Whether the context is at least the asked one; an untold context counts as enough."""
        return not context_length or self.context_length is None or self.context_length >= context_length


@dataclass(frozen=True)
class ModelInfo:
    """A model that the server knows; ``size_bytes`` is 0 when the server does not tell, and a ``kind`` that it does not
    tell is a guess by the name."""

    key: str
    kind: ModelKind
    size_bytes: int
    loaded: tuple[LoadedModel, ...]
    max_context_length: int | None
    guessed: bool = False


class ResidencyServer(Protocol):
    """A server whose models LAO can see, load and unload. Its kinds and their ways: docs/servers.md.

    All methods raise ServerAway (no connection, loading), ConfigError (not such a server, token refused), Terminal
    (the request can never succeed) and OutOfMemory (the server refused for lack of memory).
    """

    def models(self) -> tuple[ModelInfo, ...]:
        """All models that the server knows, each with its loaded instances."""
        ...

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Make one instance of ``key`` with this context resident; a loaded one that has it is returned as it is.

        Args:
            least: the smallest context that will do; None: the asked one, and less is a failed load.
        """
        ...

    def unload(self, instance_id: str) -> None:
        """Remove an instance by the id of the list and see it gone from there; no error when it is gone already.

        Raises:
            Transient: it stays in the list.
        """
        ...

    @property
    def manages_memory(self) -> bool:
        """False when loading and unloading are not ours to do (chat-only servers). May ask the server once."""
        ...

    @property
    def chat_base_url(self) -> str:
        """The URL that ends in ``/v1``, for the openai SDK."""
        ...


def kind_by_name(key: str) -> ModelKind:
    """The guess for servers that do not tell."""
    return "embedding" if "embed" in key.lower() else "llm"


def find_model(models: Iterable[ModelInfo], key: str) -> ModelInfo:
    """The model with this key.

    Raises:
        Terminal: the server has no such model; the message names the nearest keys.
    """
    known = tuple(models)
    for info in known:
        if info.key == key:
            return info
    raise unknown_model(key, [info.key for info in known])


def unknown_model(key: str, known: list[str]) -> Terminal:
    """The error for a key that the server does not have."""
    near = nearest(key, known)
    if not known:
        hint = "the server lists no models at all: download one there"
    elif near:
        hint = f"nearest: {', '.join(repr(k) for k in near)}; set models.<role>.key in factory.yaml"
    else:
        hint = f"the server has {', '.join(repr(k) for k in known[:8])}; set models.<role>.key in factory.yaml"
    return Terminal(f"the model server has no model {key!r}", hint)


def nearest(key: str, known: list[str]) -> list[str]:
    """At most three keys that look like ``key``, publisher and case left aside."""
    short = {k: k.rsplit("/", 1)[-1].lower() for k in known}
    wanted = key.rsplit("/", 1)[-1].lower()
    inside = [k for k in known if wanted and (wanted in short[k] or short[k] in wanted)]
    close = difflib.get_close_matches(wanted, list(short.values()), n=3, cutoff=0.5)
    ranked = inside + [k for name in close for k in known if short[k] == name]
    return list(dict.fromkeys(ranked))[:3]
