"""LM Studio's REST API v1 (/api/v1/models, load, unload). Decides nothing about memory; the gate does.

Facts: lmstudio.ai/docs, folder 2_rest. Loading is synchronous and not idempotent: a second load makes ``key:2``.
Servers before 0.4 have ``/api/v0/models`` only, which tells and cannot load: there a model is loaded by its first
request, and LM Studio itself removes the one before it.
"""

from __future__ import annotations

from lao.core.errors import NotAServer, Terminal, Transient
from lao.core.words import Json
from lao.servers.adapters.pace import Pace, in_place, too_small
from lao.servers.protocol import LoadedModel, ModelInfo, ModelKind, find_model
from lao.servers.rest import Reply, Rest, failure, positive

_LIST_TIMEOUT_S = 30.0
_MODELS = "/api/v1/models"
_OLD_MODELS = "/api/v0/models"


class LMStudioServer:
    """A ResidencyServer over LM Studio."""

    def __init__(self, base_url: str, api_key: str, *, pace: Pace, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=_LIST_TIMEOUT_S)
        self._pace = pace
        self._old: bool | None = None

    @property
    def manages_memory(self) -> bool:
        """Not where there is only v0; it is asked once."""
        if self._old is None:
            self.models()
        return not self._old

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """All downloaded models.

        Raises:
            NotAServer: the address answers, but not as LM Studio does.
        """
        infos = parse_models(self._listed(_MODELS))
        old = infos is None
        if infos is None:
            infos = parse_old_models(self._listed(_OLD_MODELS))
        if infos is None:
            raise NotAServer(
                f"{self._rest.url} is not an LM Studio server: {_MODELS} gives no list of models",
                "check lm_studio_base_url and server.kind in factory.yaml",
            )
        self._old = old
        return infos

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Load ``key`` unless it is loaded, then read the list back.

        Raises:
            Terminal: unknown model, or the server gave it a smaller context than asked (than ``least``, if given).
            OutOfMemory: the server's guardrail refused.
            Transient: an instance with a smaller context is in the way (unload it first).
        """
        infos = self.models()
        if self._old:
            return self._load_old(infos, key, least)
        before = find_model(infos, key)
        ready = in_place(before, context_length, self._pace)
        if ready is not None:
            return ready
        instance = self._await_instance(key, self._request_load(key, context_length))
        if not instance.holds(least or context_length):
            self.unload(instance.instance_id)
            raise too_small(
                key,
                instance.context_length,
                context_length,
                f"set a smaller context_length for it in factory.yaml (its limit is "
                f"{before.max_context_length or 'unknown'}), or free memory on the server",
            )
        return instance

    def unload(self, instance_id: str) -> None:
        """Unload by the id of the list.

        Raises:
            Transient: the instance stays.
        """
        if not self.manages_memory:
            return
        reply = self._rest.post(
            f"{_MODELS}/unload", {"instance_id": instance_id}, read_timeout_s=max(60.0, _LIST_TIMEOUT_S)
        )
        if reply.error and not self._is_out(instance_id):
            raise Transient(
                f"could not unload model instance {instance_id!r}: {reply.error}", "unload it in LM Studio by hand"
            )
        if not reply.error:
            self._pace.gone(instance_id, lambda: self._is_out(instance_id))

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _listed(self, path: str) -> dict[str, Json]:
        reply = self._rest.get(path)
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {self._rest.url}")
        body: dict[str, Json] = reply.body
        return body

    def _request_load(self, key: str, context_length: int | None) -> str:
        """Ask for the load; the instance id as far as the server told, else "".

        How many requests the instance answers at once cannot be asked for: LM Studio refuses fields that it does not
        document here, and takes 4 (lmstudio-bug-tracker issues 2024 and 2061). ``lms load --parallel`` can.
        """
        payload: dict[str, Json] = {"model": key}
        if context_length:
            payload["context_length"] = context_length
        reply = self._rest.post(f"{_MODELS}/load", payload, read_timeout_s=self._pace.load_timeout_s)
        if reply.missing_endpoint:
            return self._load_just_in_time(key)
        _raise_for(reply, key)
        return str(reply.body.get("instance_id") or reply.body.get("model_instance_id") or "")

    def _load_just_in_time(self, key: str) -> str:
        """Servers without a load endpoint load at the first request; their context is checked afterwards."""
        ping = {"model": key, "messages": [{"role": "user", "content": "."}], "max_tokens": 1, "stream": False}
        _raise_for(self._rest.post("/v1/chat/completions", ping, read_timeout_s=self._pace.load_timeout_s), key)
        return ""

    def _load_old(self, infos: tuple[ModelInfo, ...], key: str, least: int | None) -> LoadedModel:
        """The first request loads; the context is the one that LM Studio has set for the model."""
        known = next((info for info in infos if info.key == key), None)  # v0 may leave out what is not loaded
        if known is None or not known.loaded:
            self._load_just_in_time(key)
        instance = known.loaded[0] if known and known.loaded else self._await_instance(key, "")
        if not instance.holds(least):
            hint = "set the model's context length in LM Studio (My Models), or update LM Studio"
            raise too_small(key, instance.context_length, least, hint)
        return instance

    def _await_instance(self, key: str, instance_id: str) -> LoadedModel:
        def look() -> LoadedModel | None:
            loaded = find_model(self.models(), key).loaded
            return next((i for i in loaded if i.instance_id == instance_id), loaded[-1]) if loaded else None

        return self._pace.loaded(key, look)

    def _is_out(self, instance_id: str) -> bool:
        return all(i.instance_id != instance_id for info in self.models() for i in info.loaded)


def parse_models(body: Json) -> tuple[ModelInfo, ...] | None:
    """The list of ``GET /api/v1/models``, or None when the body is something else."""
    rows = body.get("models") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("key"), str) for r in rows):
        return None
    return tuple(_model(row) for row in rows)


def parse_old_models(body: Json) -> tuple[ModelInfo, ...] | None:
    """The list of ``GET /api/v0/models``, or None when the body is something else. It tells no sizes."""
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and r.get("id") and r.get("state") for r in rows):
        return None
    return tuple(_old_model(row) for row in rows)


def _old_model(row: dict[str, Json]) -> ModelInfo:
    key = str(row["id"])
    kind: ModelKind = "embedding" if str(row.get("type", "")).startswith("embedding") else "llm"
    context = positive(row.get("loaded_context_length"))
    loaded = (LoadedModel(key, key, context),) if row["state"] == "loaded" else ()
    return ModelInfo(key, kind, 0, loaded, positive(row.get("max_context_length")))


def _model(row: dict[str, Json]) -> ModelInfo:
    key: str = row["key"]
    kind: ModelKind = "embedding" if str(row.get("type", "")).startswith("embedding") else "llm"
    instances = [i for i in row.get("loaded_instances") or [] if isinstance(i, dict)]
    loaded = tuple(_instance(i, key) for i in instances)
    return ModelInfo(key, kind, positive(row.get("size_bytes")) or 0, loaded, positive(row.get("max_context_length")))


def _instance(row: dict[str, Json], key: str) -> LoadedModel:
    """``parallel`` is LM Studio's "Max Concurrent Predictions"; each of them can have the context."""
    given = row.get("config")
    config = given if isinstance(given, dict) else {}
    name = str(row.get("id") or row.get("instance_id") or key)
    return LoadedModel(name, key, positive(config.get("context_length")), parallel=positive(config.get("parallel")))


def _raise_for(reply: Reply, key: str) -> None:
    if reply.unknown_model:
        raise Terminal(f"the model server cannot load {key!r}: {reply.error}", "load it once by hand in LM Studio")
    if reply.error:
        raise failure(reply, f"load model {key!r}")
