"""vLLM: one model a server, put to sleep and woken up. Decides nothing about memory.

Facts: docs/features/sleep_mode.md of vLLM. The calls exist with ``--enable-sleep-mode`` and VLLM_SERVER_DEV_MODE=1
only, and answer before they are done.
"""

from __future__ import annotations

from lao.core.errors import NotAServer, Transient
from lao.core.words import Json
from lao.servers.adapters.openai_compat import parse_openai_models
from lao.servers.adapters.pace import Pace, too_small
from lao.servers.protocol import LoadedModel, ModelInfo, find_model
from lao.servers.rest import Rest, failure

_MAKER = "vllm"


class VllmServer:
    """A ResidencyServer over one vLLM. Without sleep mode, or with adapters beside the model, it is chat-only."""

    def __init__(self, base_url: str, api_key: str, *, pace: Pace, connect_timeout_s: float = 10.0) -> None:
        self._rest = Rest(base_url, api_key, connect_timeout_s=connect_timeout_s, read_timeout_s=30.0)
        self._pace = pace
        self._sleeps: bool | None = None

    @property
    def manages_memory(self) -> bool:
        """Whether the model can be put to sleep; it is asked once."""
        if self._sleeps is None:
            self.models()
        return bool(self._sleeps)

    @property
    def chat_base_url(self) -> str:
        return f"{self._rest.url}/v1"

    def models(self) -> tuple[ModelInfo, ...]:
        """The model, loaded unless it sleeps. Its context is ``max_model_len``; its size is not told."""
        reply = self._rest.get("/v1/models")
        infos = parse_openai_models(reply.body)
        if infos is None:
            if reply.error and not reply.missing_endpoint:
                raise failure(reply, f"list the models of {self._rest.url}")
            raise NotAServer(
                f"{self._rest.url} is not a vLLM server: /v1/models gives no list of models",
                "check lm_studio_base_url and server.kind in factory.yaml",
            )
        asleep = self._is_asleep()
        # Adapters are rows of their own and cannot be put to sleep one by one.
        self._sleeps = asleep is not None and len(infos) == 1
        return tuple(
            ModelInfo(i.key, i.kind, 0, () if asleep else (_instance(i),), i.max_context_length, guessed=True)
            for i in infos
        )

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        """Wake the model up unless it is awake, and wait until it is.

        Raises:
            Terminal: unknown model, or a context below the smallest that will do.
        """
        info = find_model(self.models(), key)
        instance = _instance(info)
        if not self._sleeps:
            return instance
        if not instance.holds(least or context_length):
            hint = "vLLM takes no context with a load: start it with a larger --max-model-len"
            raise too_small(key, instance.context_length, context_length, hint)
        if not info.loaded:
            reply = self._rest.post("/wake_up", {}, read_timeout_s=self._pace.load_timeout_s, plain=True)
            if reply.error:
                raise failure(reply, f"wake up model {key!r}")
            self._pace.loaded(key, lambda: None if self._is_asleep() else instance)
        return instance

    def unload(self, instance_id: str) -> None:
        """Put the model to sleep: its weights go to system memory, its cache is dropped.

        Raises:
            Transient: it stays awake.
        """
        if not self.manages_memory or all(info.key != instance_id for info in self.models() if info.loaded):
            return
        reply = self._rest.post("/sleep?level=1", {}, read_timeout_s=60.0, plain=True)
        if reply.error:
            raise Transient(f"could not put {instance_id!r} to sleep: {reply.error}", "look at vLLM's log")
        self._pace.gone(instance_id, lambda: bool(self._is_asleep()))

    def close(self) -> None:
        """Let go of the HTTP client; no socket is open between calls in any case."""
        self._rest.close()

    def _is_asleep(self) -> bool | None:
        """None where there is no sleep mode."""
        reply = self._rest.get("/is_sleeping", plain=True)
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"ask whether {self._rest.url} sleeps")
        asleep = reply.body.get("is_sleeping")
        return asleep if isinstance(asleep, bool) else None


def is_vllm(body: Json) -> bool:
    """Whether the body of ``GET /v1/models`` is vLLM's."""
    rows = body.get("data") if isinstance(body, dict) else None
    return isinstance(rows, list) and any(isinstance(r, dict) and r.get("owned_by") == _MAKER for r in rows)


def _instance(info: ModelInfo) -> LoadedModel:
    return LoadedModel(info.key, info.key, info.max_context_length)
