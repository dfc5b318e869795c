"""A server with the OpenAI chat API only: nothing to load, nothing to unload. What can has its own adapter."""

from __future__ import annotations

from lao.core.errors import NotAServer
from lao.core.words import Json
from lao.servers.protocol import LoadedModel, ModelInfo, kind_by_name
from lao.servers.rest import Rest, failure, positive


class OpenAICompatServer:
    """A ResidencyServer for chat-only servers; ``load`` and ``unload`` do nothing."""

    def __init__(self, base_url: str, api_key: str, *, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=30.0)

    @property
    def manages_memory(self) -> bool:
        return False

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """The ids of ``GET /v1/models``; what is in memory is unknown, so none counts as loaded."""
        reply = self._rest.get("/v1/models")
        infos = parse_openai_models(reply.body)
        if infos is not None:
            return infos
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {self._rest.url}")
        raise NotAServer(
            f"{self._rest.url} is not an OpenAI-compatible server: /v1/models gives no list of models",
            "check lm_studio_base_url in factory.yaml",
        )

    def load(
        self,
        key: str,
        context_length: int | None,
        least: int | None = None,  # noqa: ARG002  # a chat-only server loads what it loads
    ) -> LoadedModel:
        return LoadedModel(key, key, context_length)

    def unload(self, instance_id: str) -> None:
        """Nothing: the server decides."""

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()


def parse_openai_models(body: Json) -> tuple[ModelInfo, ...] | None:
    """The list of ``GET /v1/models``, or None when the body is something else."""
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), str) for r in rows):
        return None
    return tuple(ModelInfo(row["id"], kind_by_name(row["id"]), 0, (), _context(row), guessed=True) for row in rows)


def _context(row: dict[str, Json]) -> int | None:
    """vLLM tells ``max_model_len``, llama.cpp ``meta.n_ctx``."""
    meta = row.get("meta")
    value = row.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
    return positive(value)
