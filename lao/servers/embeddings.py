"""Texts to vectors by ``/v1/embeddings``. Loads no model; ``resident_embedder`` says whether one may be asked."""

from __future__ import annotations

from collections.abc import Sequence

from lao.config.settings import Settings
from lao.core.errors import Terminal
from lao.core.states import Role
from lao.servers.protocol import LoadedModel, ResidencyServer
from lao.servers.rest import Rest, failure

_READ_S = 60.0


class ServerEmbedder:
    """An embedding model of a server (``lao.search.vectors.Embedder``).

    Args:
        name: what the model is called in requests; ``model`` when it is "".
    """

    def __init__(self, base_url: str, api_key: str, model: str, name: str = "", connect_s: float = 10.0) -> None:
        self.model = model
        self._name = name or model
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_s, read_timeout_s=_READ_S)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order.

        Raises:
            ServerAway, ConfigError, NotAServer: as every request.
            Transient, Terminal: the server refuses, or its answer is not what was asked for.
        """
        reply = self._rest.post("/v1/embeddings", {"model": self._name, "input": list(texts)})
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
