"""LM Studio's REST API v1 (/api/v1/models, load, unload). Decides nothing about memory; the gate does.

Facts: lmstudio.ai/docs, folder 2_rest. Loading is synchronous and not idempotent: a second load makes ``key:2``.
"""

from __future__ import annotations

from lao.core.clock import Clock
from lao.core.errors import ConfigError, ServerAway, Terminal, Transient
from lao.core.words import Json
from lao.servers.protocol import LoadedModel, ModelInfo, ModelKind, find_model
from lao.servers.rest import Reply, Rest, failure

_LIST_TIMEOUT_S = 30.0
_MODELS = "/api/v1/models"


class LMStudioServer:
    """A ResidencyServer over LM Studio.

    Args:
        load_timeout_s: how long one load may take.
        poll_interval_s: pause between looks at the list when a load was answered before the model was there.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        clock: Clock,
        load_timeout_s: float = 180.0,
        poll_interval_s: float = 3.0,
        connect_timeout_s: float = 10.0,
    ) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=_LIST_TIMEOUT_S)
        self._clock = clock
        self._load_timeout_s = load_timeout_s
        self._poll_interval_s = poll_interval_s

    @property
    def manages_memory(self) -> bool:
        return True

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """All downloaded models.

        Raises:
            ConfigError: the address answers, but not as LM Studio does.
        """
        reply = self._rest.get(_MODELS)
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {self._rest.url}")
        infos = parse_models(reply.body)
        if infos is None:
            raise ConfigError(
                f"{self._rest.url} is not an LM Studio server: {_MODELS} gives no list of models",
                "check lm_studio_base_url; LM Studio before 0.4 lacks this API: update it or set server.kind: openai",
            )
        return infos

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Load ``key`` unless it is loaded, then read the list back.

        Raises:
            Terminal: unknown model, or the server gave it a smaller context than asked (than ``least``, if given).
            OutOfMemory: the server's guardrail refused.
            Transient: an instance with a smaller context is in the way (unload it first).
        """
        before = find_model(self.models(), key)
        for instance in before.loaded:
            if instance.holds(context_length):
                return instance
        if before.loaded:
            raise Transient(
                f"model {key!r} is loaded with context {before.loaded[0].context_length}, {context_length} is needed",
                "it is unloaded before the next try",
                delay_s=self._poll_interval_s,
            )
        instance = self._await_instance(key, self._request_load(key, context_length))
        if not instance.holds(least or context_length):
            self.unload(instance.instance_id)
            raise Terminal(
                f"model {key!r} was loaded with context {instance.context_length} although {context_length} was asked "
                f"(the model's limit is {before.max_context_length or 'unknown'})",
                "set a smaller context_length for it in factory.yaml, or free memory on the server",
            )
        return instance

    def unload(self, instance_id: str) -> None:
        """Unload by the id of the list.

        Raises:
            Transient: the server refused although the list still shows the instance.
        """
        reply = self._rest.post(
            f"{_MODELS}/unload", {"instance_id": instance_id}, read_timeout_s=max(60.0, _LIST_TIMEOUT_S)
        )
        if not reply.error:
            return
        if any(i.instance_id == instance_id for info in self.models() for i in info.loaded):
            raise Transient(
                f"could not unload model instance {instance_id!r}: {reply.error}", "unload it in LM Studio by hand"
            )

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _request_load(self, key: str, context_length: int | None) -> str:
        """Ask for the load; the instance id as far as the server told, else ""."""
        payload: dict[str, Json] = {"model": key}
        if context_length:
            payload["context_length"] = context_length
        reply = self._rest.post(f"{_MODELS}/load", payload, read_timeout_s=self._load_timeout_s)
        if reply.missing_endpoint:
            return self._load_just_in_time(key)
        _raise_for(reply, key)
        return str(reply.body.get("instance_id") or reply.body.get("model_instance_id") or "")

    def _load_just_in_time(self, key: str) -> str:
        """Servers without a load endpoint load at the first request; their context is checked afterwards."""
        ping = {"model": key, "messages": [{"role": "user", "content": "."}], "max_tokens": 1, "stream": False}
        _raise_for(self._rest.post("/v1/chat/completions", ping, read_timeout_s=self._load_timeout_s), key)
        return ""

    def _await_instance(self, key: str, instance_id: str) -> LoadedModel:
        deadline = self._clock.monotonic() + self._load_timeout_s
        while True:
            loaded = find_model(self.models(), key).loaded
            if loaded:
                return next((i for i in loaded if i.instance_id == instance_id), loaded[-1])
            if self._clock.monotonic() >= deadline:
                raise ServerAway(
                    f"model {key!r} was accepted for loading but is not in the list after {self._load_timeout_s:.0f} s",
                    "look at the server's log; orchestration.model_load_timeout_s bounds the wait",
                )
            self._clock.wait(max(0.05, self._poll_interval_s))


def parse_models(body: Json) -> tuple[ModelInfo, ...] | None:
    """The list of ``GET /api/v1/models``, or None when the body is something else."""
    rows = body.get("models") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("key"), str) for r in rows):
        return None
    return tuple(_model(row) for row in rows)


def _model(row: dict[str, Json]) -> ModelInfo:
    key: str = row["key"]
    kind: ModelKind = "embedding" if str(row.get("type", "")).startswith("embedding") else "llm"
    instances = [i for i in row.get("loaded_instances") or [] if isinstance(i, dict)]
    loaded = tuple(LoadedModel(str(i.get("id") or i.get("instance_id") or key), key, _context(i)) for i in instances)
    return ModelInfo(key, kind, _count(row.get("size_bytes")) or 0, loaded, _count(row.get("max_context_length")))


def _context(instance: dict[str, Json]) -> int | None:
    config = instance.get("config")
    return _count(config.get("context_length")) if isinstance(config, dict) else None


def _count(value: Json) -> int | None:
    """A positive whole number, or None."""
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else None


def _raise_for(reply: Reply, key: str) -> None:
    if reply.unknown_model:
        raise Terminal(f"the model server cannot load {key!r}: {reply.error}", "load it once by hand in LM Studio")
    if reply.error:
        raise failure(reply, f"load model {key!r}")
