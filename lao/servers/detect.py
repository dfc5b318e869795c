"""Which kind of server answers at the configured address, and which probe measures its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lao.config.settings import Settings
from lao.core.clock import Clock
from lao.core.errors import NotAServer
from lao.servers.memory.probes import system_probe
from lao.servers.memory.reading import MemoryProbe, MemoryReading, UnknownProbe
from lao.servers.protocol import ResidencyServer

if TYPE_CHECKING:
    from lao.core.words import Json
    from lao.servers.rest import Reply, Rest

_MODELS = "/api/v1/models"
_GREETING = "Ollama is running"
_SPEAKS_LM_STUDIO = ("auto", "lmstudio")
SIMULATED = "lao-simulated"
"""What the simulated server says in its ``Server`` header."""


def connect(settings: Settings, clock: Clock) -> ResidencyServer:
    """The server that ``server`` in the settings means. Only kind ``auto`` asks the server; the others send nothing.

    Raises:
        ServerAway: kind auto, and nothing answers.
        NotAServer: kind auto, and what answers is no model server.
        ConfigError: the address is no address, the token is refused.
    """
    from lao.servers.adapters.llamacpp import LlamaCppServer
    from lao.servers.adapters.llamaswap import LlamaSwapServer
    from lao.servers.adapters.lmstudio import LMStudioServer
    from lao.servers.adapters.ollama import OllamaServer
    from lao.servers.adapters.openai_compat import OpenAICompatServer
    from lao.servers.adapters.pace import Pace
    from lao.servers.adapters.vllm import VllmServer

    kind = settings.server.kind
    if kind == "auto":
        kind = detect_kind(settings)
    where = (settings.server.base_url, settings.server.api_key)
    times = settings.orchestration
    connect_s = times.llm_connect_timeout_s
    pace = Pace(clock, times.model_load_timeout_s, times.model_load_poll_interval_s)
    if kind == "openai":
        return OpenAICompatServer(*where, connect_timeout_s=connect_s)
    if kind == "llamacpp":
        return LlamaCppServer(*where, pace=pace, connect_timeout_s=connect_s)
    if kind == "ollama":
        return OllamaServer(*where, pace=pace, connect_timeout_s=connect_s)
    if kind == "llamaswap":
        return LlamaSwapServer(*where, pace=pace, connect_timeout_s=connect_s)
    if kind == "vllm":
        return VllmServer(*where, pace=pace, connect_timeout_s=connect_s)
    return LMStudioServer(*where, pace=pace, connect_timeout_s=connect_s)


def detect_kind(settings: Settings) -> str:
    """A ``server.kind`` other than "auto", told by the bodies that come back, never by the status alone.

    At most seven requests. The order matters: llama-server and llama-swap also have paths of Ollama, and all have
    ``/v1/models``.

    Raises:
        ServerAway, Transient, NotAServer, ConfigError: as ``connect``; a server that fails is not judged by that.
    """
    from lao.servers.rest import failure

    rest = _rest(settings)
    first = rest.get(_MODELS)
    if first.status >= 500 and not first.missing_endpoint:  # its second list would make it a server that only chats
        raise failure(first, f"list the models of {rest.url}")
    kind = _kind_of(rest, first)
    if kind:
        return kind
    last = rest.get("/v1/models")
    kind = _kind_of_list(last.body)
    if kind:
        return kind
    for reply in (last, first):
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {rest.url}")
    raise NotAServer(
        f"no model server found at {rest.url}: neither /api/v1/models nor /v1/models gives a list of models",
        "check lm_studio_base_url in factory.yaml",
    )


def _kind_of(rest: Rest, first: Reply) -> str:
    """The kind of a server with an API of its own, "" when it has none that is known."""
    from lao.servers.adapters.llamacpp import is_llamacpp
    from lao.servers.adapters.llamaswap import parse_running
    from lao.servers.adapters.lmstudio import parse_models, parse_old_models

    if parse_models(first.body) is not None:
        return "simulated" if _is_simulated(first) else "lmstudio"
    if parse_old_models(rest.get("/api/v0/models", plain=True).body):
        return "lmstudio"
    if is_llamacpp(rest.get("/props", plain=True).body):
        return "llamacpp"
    if parse_running(rest.get("/running", plain=True).body) is not None:
        return "llamaswap"
    if rest.get("/api/version", plain=True).body.get("version") and _GREETING in str(
        rest.get("/", plain=True).body.get("text")
    ):
        return "ollama"
    return ""


def _kind_of_list(body: Json) -> str:
    from lao.servers.adapters.openai_compat import parse_openai_models
    from lao.servers.adapters.vllm import is_vllm

    if parse_openai_models(body) is None:
        return ""
    return "vllm" if is_vllm(body) else "openai"


def probe_for(settings: Settings) -> MemoryProbe:
    """The probe that sees the memory of the configured server.

    A simulated server tells its own figures; the memory of another machine cannot be read. Nothing is sent before
    the first reading.
    """
    return ServerProbe(settings)


class ServerProbe:
    """A MemoryProbe that finds out at its first reading which probe fits the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._probe: MemoryProbe | None = None

    def read(self) -> MemoryReading:
        """A reading of the right probe.

        Raises:
            ServerAway, ConfigError: the server must be asked for its kind or figures, and does not answer.
        """
        if self._probe is None:
            self._probe = self._choose()
        return self._probe.read()

    def _choose(self) -> MemoryProbe:
        from lao.servers.rest import is_local

        kind = self._settings.server.kind
        if kind == "simulated" or (kind in _SPEAKS_LM_STUDIO and _answers_simulated(self._settings)):
            return simulated_probe(self._settings)
        return system_probe() if is_local(self._settings.server.base_url) else UnknownProbe("server elsewhere")


def simulated_probe(settings: Settings) -> MemoryProbe:
    """Free memory as the simulated server accounts it."""
    from lao.servers.simulated.probe import SimulatedProbe

    return SimulatedProbe(_rest(settings))


def _answers_simulated(settings: Settings) -> bool:
    return _is_simulated(_rest(settings).get(_MODELS))


def _is_simulated(reply: Reply) -> bool:
    return reply.server.startswith(SIMULATED)


def _rest(settings: Settings) -> Rest:
    from lao.servers.rest import Rest

    connect_s = settings.orchestration.llm_connect_timeout_s
    return Rest(settings.server.base_url, settings.server.api_key, connect_timeout_s=connect_s, read_timeout_s=30.0)
