"""Texts to vectors by ``/v1/embeddings``. Loads no model; ``resident_embedder`` says whether one may be asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lao.config.settings import Settings
from lao.core.errors import ConfigError, Terminal, Transient
from lao.core.states import Role
from lao.core.words import Json
from lao.servers.protocol import LoadedModel, ResidencyServer
from lao.servers.rest import Rest, failure

_READ_S = 60.0


@dataclass(frozen=True)
class EmbeddingCall:
    """One request for embeddings.

    Attributes:
        texts: how many were sent; ``tokens`` is what the server counted, 0 when it told nothing.
        answered_by: the model that the server names, "" when it names none.
        seconds: until the answer was there.
        failed: the class of the error that it ended with, "" when it worked.
    """

    model: str
    texts: int
    tokens: int
    answered_by: str
    seconds: float
    failed: str


Told = Callable[[EmbeddingCall], None]


class ServerEmbedder:
    """An embedding model of a server (``lao.search.vectors.Embedder``).

    Args:
        name: what the model is called in requests; ``model`` when it is "".

    Attributes:
        told: gets every request that is over, None when nobody wants to know.
    """

    def __init__(self, base_url: str, api_key: str, model: str, name: str = "", connect_s: float = 10.0) -> None:
        self.model = model
        self.told: Told | None = None
        self._name = name or model
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_s, read_timeout_s=_READ_S)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order.

        Raises:
            ServerAway, ConfigError, NotAServer: as every request.
            Transient, Terminal: the server refuses, or its answer is not what was asked for.
        """
        started = time.monotonic()
        body: dict[str, Json] = {}
        failed = ""
        try:
            return self._embedded(texts, body)
        except (Transient, Terminal, ConfigError) as error:
            failed = type(error).__name__
            raise
        finally:
            if self.told is not None:
                usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
                tokens, named = (usage or {}).get("prompt_tokens"), body.get("model")
                self.told(
                    EmbeddingCall(
                        self.model,
                        len(texts),
                        tokens if isinstance(tokens, int) and not isinstance(tokens, bool) else 0,
                        named if isinstance(named, str) else "",
                        round(time.monotonic() - started, 3),
                        failed,
                    )
                )

    def _embedded(self, texts: Sequence[str], body: dict[str, Json]) -> list[list[float]]:
        """As ``embed``; puts what the server says of the request into ``body``."""
        reply = self._rest.post("/v1/embeddings", {"model": self._name, "input": list(texts)})
        if isinstance(reply.body, dict):
            body.update({name: reply.body.get(name) for name in ("usage", "model")})
        if reply.error:
            raise failure(reply, f"embed {len(texts)} texts with {self.model!r}")
        rows = reply.body.get("data")
        try:
            ordered = sorted(rows, key=lambda row: int(row["index"]))
            vectors = [[float(value) for value in row["embedding"]] for row in ordered]
        except (TypeError, KeyError, ValueError) as error:
            raise Terminal(f"{self._rest.url} gave no vectors for {self.model!r}: {str(reply.body)[:80]}") from error
        if len(vectors) != len(texts):
            raise Terminal(f"{self._rest.url} gave {len(vectors)} vectors for {len(texts)} texts with {self.model!r}")
        return vectors

    def close(self) -> None:
        """Let go of the connection."""
        self._rest.close()


def resident_embedder(settings: Settings, server: ResidencyServer) -> ServerEmbedder | None:
    """The configured embedder if asking it makes LAO's server load nothing: it is in the server's list, and in memory
    where LAO looks after that. Raises as ``ResidencyServer.models``.
    """
    wanted = settings.models.get(Role.EMBEDDER)
    if wanted is None or not wanted.key:
        return None
    info = next((m for m in server.models() if m.key == wanted.key), None)
    if info is None or info.kind != "embedding" or (not info.loaded and server.manages_memory):
        return None
    return embedder_on(settings, server, info.loaded[0] if info.loaded else None)


def embedder_on(settings: Settings, server: ResidencyServer, instance: LoadedModel | None) -> ServerEmbedder:
    """The configured embedder as this instance of it; None: by its key."""
    model = settings.models[Role.EMBEDDER]
    return ServerEmbedder(
        server.chat_base_url,
        settings.server.api_key,
        model.key,
        instance.instance_id if instance else "",
        settings.orchestration.llm_connect_timeout_s,
    )
