"""llama-swap: models are started by their first request and stopped by a call. Decides nothing about memory.

Facts: README and proxy/ of mostlygeek/llama-swap. There is no call that loads, none that sets a context; context and
slots are those of the model's own server, which ``/upstream/MODEL/props`` asks where that is a llama-server.
"""

from __future__ import annotations

from urllib.parse import quote

from lao.core.errors import LaoError, NotAServer, ServerAway, Transient
from lao.core.words import Json
from lao.servers.adapters.llamacpp import slots_of
from lao.servers.adapters.openai_compat import parse_openai_models
from lao.servers.adapters.pace import Pace, too_small
from lao.servers.protocol import LoadedModel, ModelInfo, ModelKind, find_model
from lao.servers.rest import Reply, Rest, failure

_READY = "ready"
_PING: dict[ModelKind, tuple[str, dict[str, Json]]] = {
    "llm": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "."}], "max_tokens": 1, "stream": False}),
    "embedding": ("/v1/embeddings", {"input": "."}),
}


class LlamaSwapServer:
    """A ResidencyServer over llama-swap."""

    def __init__(self, base_url: str, api_key: str, *, pace: Pace, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=30.0)
        self._pace = pace

    @property
    def manages_memory(self) -> bool:
        return True

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """All models of its configuration; sizes are not told.

        Raises:
            NotAServer: the address answers, but not as llama-swap does.
        """
        reply = self._rest.get("/v1/models")
        infos = parse_openai_models(reply.body)
        if infos is None:
            raise self._no_list(reply, "/v1/models")
        states = self._states()
        return tuple(ModelInfo(i.key, i.kind, 0, self._instances(i.key, states), None, guessed=True) for i in infos)

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Start ``key`` by a request of one token unless it runs, and wait until it is ready.

        Raises:
            Terminal: unknown model, or a context below the smallest that will do.
        """
        info = find_model(self.models(), key)
        instance = info.loaded[0] if info.loaded else self._start(info)
        if not instance.holds(least or context_length):
            self.unload(key)
            hint = f"llama-swap takes no context with a load: raise -c in the cmd of models.{key} in its configuration"
            raise too_small(key, instance.context_length, context_length, hint)
        return instance

    def unload(self, instance_id: str) -> None:
        """Stop the model and wait until it does not run; its process's memory comes back with it.

        Raises:
            Transient: the model stays.
        """
        if instance_id not in self._states():
            return
        reply = self._rest.post(f"/api/models/unload/{quote(instance_id)}", {}, plain=True)
        if reply.missing_endpoint:  # before the call for one model there was one for all
            reply = self._rest.get("/unload", plain=True)
        if reply.error and instance_id in self._states():
            raise Transient(f"could not unload model {instance_id!r}: {reply.error}", "look at llama-swap's log")
        self._pace.gone(instance_id, lambda: instance_id not in self._states())

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _start(self, info: ModelInfo) -> LoadedModel:
        path, payload = _PING[info.kind]
        reply = self._rest.post(
            path, {"model": info.key, **payload}, read_timeout_s=self._pace.load_timeout_s, plain=True
        )
        # a model that runs and only cannot answer a request of this kind is loaded all the same
        if reply.error and self._states().get(info.key) != _READY:
            raise failure(reply, f"load model {info.key!r}")

        def look() -> LoadedModel | None:
            states = self._states()
            if info.key not in states:  # the request has been answered, so it did run
                raise ServerAway(f"model {info.key!r} runs no more just after its start: another client swapped it?")
            return next(iter(self._instances(info.key, states)), None)

        return self._pace.loaded(info.key, look)

    def _states(self) -> dict[str, str]:
        """The state of each model that runs: starting, ready, stopping."""
        reply = self._rest.get("/running")
        states = parse_running(reply.body)
        if states is None:
            raise self._no_list(reply, "/running")
        return states

    def _instances(self, key: str, states: dict[str, str]) -> tuple[LoadedModel, ...]:
        """The running model. Only such a one is asked: a request through ``/upstream`` would start the others."""
        if states.get(key) != _READY:
            return ()
        context, parallel = slots_of(self._rest.get(f"/upstream/{quote(key)}/props", plain=True).body)
        return (LoadedModel(key, key, context, parallel=parallel),)

    def _no_list(self, reply: Reply, path: str) -> LaoError:
        if reply.error and not reply.missing_endpoint:
            return failure(reply, f"list the models of {self._rest.url}")
        return NotAServer(
            f"{self._rest.url} is not llama-swap: {path} gives no list of models",
            "check lm_studio_base_url and server.kind in factory.yaml",
        )


def parse_running(body: Json) -> dict[str, str] | None:
    """The list of ``GET /running`` as state by model, or None when the body is something else."""
    rows = body.get("running") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(r, dict) and isinstance(r.get("model"), str) for r in rows):
        return None
    return {row["model"]: str(row.get("state") or "") for row in rows}
