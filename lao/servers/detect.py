"""Which kind of server answers at the configured address, and which probe measures its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lao.config.settings import Settings
from lao.core.clock import Clock
from lao.core.errors import ConfigError
from lao.servers.memory import MemoryProbe, MemoryReading, UnknownProbe
from lao.servers.probes import system_probe
from lao.servers.protocol import ResidencyServer

if TYPE_CHECKING:
    from lao.servers.rest import Reply, Rest

SIMULATED = "lao-simulated"
"""What the simulated server says in its ``Server`` header."""


def connect(settings: Settings, clock: Clock) -> ResidencyServer:
    """The server that ``server`` in the settings means. Only kind ``auto`` asks the server; the others send nothing.

    Raises:
        ServerAway: kind auto, and nothing answers.
        ConfigError: kind auto, and what answers is no model server; or the address is no address.
    """
    from lao.servers.lmstudio import LMStudioServer
    from lao.servers.openai_compat import OpenAICompatServer

    kind = settings.server.kind
    if kind == "auto":
        kind = detect_kind(settings)
    where = (settings.server.base_url, settings.server.api_key)
    times = settings.orchestration
    if kind == "openai":
        return OpenAICompatServer(*where, connect_timeout_s=times.llm_connect_timeout_s)
    return LMStudioServer(
        *where,
        clock=clock,
        load_timeout_s=times.model_load_timeout_s,
        poll_interval_s=times.model_load_poll_interval_s,
        connect_timeout_s=times.llm_connect_timeout_s,
    )


def detect_kind(settings: Settings) -> str:
    """ "simulated", "lmstudio" or "openai", told by the bodies that come back, never by the status alone.

    Raises:
        ServerAway, ConfigError: as ``connect``.
    """
    from lao.servers.lmstudio import parse_models
    from lao.servers.openai_compat import parse_openai_models
    from lao.servers.rest import failure

    rest = _rest(settings)
    first = rest.get("/api/v1/models")
    if parse_models(first.body) is not None:
        return "simulated" if _is_simulated(first) else "lmstudio"
    second = rest.get("/v1/models")
    if parse_openai_models(second.body) is not None:
        return "openai"
    for reply in (second, first):
        if reply.error and not reply.missing_endpoint:
            raise failure(reply, f"list the models of {rest.url}")
    raise ConfigError(
        f"no model server found at {rest.url}: neither /api/v1/models nor /v1/models gives a list of models",
        "check lm_studio_base_url in factory.yaml",
    )


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
        if kind == "simulated" or (kind != "openai" and _answers_simulated(self._settings)):
            return simulated_probe(self._settings)
        return system_probe() if is_local(self._settings.server.base_url) else UnknownProbe("server elsewhere")


def simulated_probe(settings: Settings) -> MemoryProbe:
    """Free memory as the simulated server accounts it."""
    from lao.servers.simulated.probe import SimulatedProbe

    return SimulatedProbe(_rest(settings))


def _answers_simulated(settings: Settings) -> bool:
    return _is_simulated(_rest(settings).get("/api/v1/models"))


def _is_simulated(reply: Reply) -> bool:
    return reply.server.startswith(SIMULATED)


def _rest(settings: Settings) -> Rest:
    from lao.servers.rest import Rest

    connect_s = settings.orchestration.llm_connect_timeout_s
    return Rest(settings.server.base_url, settings.server.api_key, connect_timeout_s=connect_s, read_timeout_s=30.0)
