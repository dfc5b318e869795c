"""The gate on the simulated server, with one fake clock, and hands that interfere between its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lao.config.settings import ModelSettings
from lao.core.clock import FakeClock
from lao.core.states import Role
from lao.core.words import Event
from lao.servers.detect import connect, probe_for
from lao.servers.gate.gate import GateOutcome, MemoryGate
from lao.servers.gate.ping import Ping
from lao.servers.gate.record import LoadRecord
from lao.servers.protocol import LoadedModel, ModelInfo, ResidencyServer
from lao.servers.simulated import SimulatedServer, parse_scenario

from .support import GB, make_settings, model

MODELS: list[dict[str, Any]] = [
    {"key": "alpha", "size_bytes": 15 * GB},
    {"key": "beta", "size_bytes": 16 * GB},
    {"key": "gamma", "size_bytes": 14 * GB},
    {"key": "embed", "size_bytes": 80_000_000, "type": "embedding"},
]


class Hands:
    """A ResidencyServer that passes everything on, and first lets somebody interfere.

    Attributes:
        before: called with "models", "load" or "unload" before the call is passed on.
    """

    def __init__(self, server: ResidencyServer) -> None:
        self._server = server
        self.before: Callable[[str], None] = lambda call: None
        self.chat_base_url = server.chat_base_url

    @property
    def manages_memory(self) -> bool:
        return self._server.manages_memory

    def models(self) -> tuple[ModelInfo, ...]:
        self.before("models")
        return self._server.models()

    def load(self, key: str, context_length: int | None, least: int | None = None) -> LoadedModel:
        self.before("load")
        return self._server.load(key, context_length, least)

    def unload(self, instance_id: str) -> None:
        self.before("unload")
        self._server.unload(instance_id)


class Ticking(FakeClock):
    """A clock that does something whenever time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.then: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self.then()


class OnServer:
    """A gate, its server and everything that it told. Use as a context manager."""

    def __init__(
        self,
        *roles: ModelSettings,
        record: LoadRecord | None = None,
        gate: dict[str, Any] | None = None,
        **scenario: Any,
    ) -> None:
        self.clock = Ticking()
        given = {"models": MODELS, "vram_total_bytes": 24 * GB, **scenario}
        self.server = SimulatedServer(parse_scenario(given), clock=self.clock)
        self._roles = roles or (
            model(Role.PLANNER, "alpha"),
            model(Role.CODER, "beta"),
            model(Role.REVIEWER, "gamma"),
            model(Role.EMBEDDER, "embed", 2048),
        )
        self._gate = gate or {}
        self.record = record
        self.events: list[Event] = []

    def __enter__(self) -> OnServer:
        self.server.start()
        self.new_gate()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def new_gate(self) -> None:
        """As after a restart of LAO."""
        settings = make_settings(*self._roles, url=self.server.url, kind="simulated", **self._gate)
        self.hands = Hands(connect(settings, self.clock))
        probe, tell = probe_for(settings), self.events.append
        self.gate = MemoryGate(self.hands, settings, probe, self.clock, tell, record=self.record, ping=Ping(settings))

    def ensure(self, role: Role) -> GateOutcome:
        return self.gate.ensure(role)

    def once(self, call: str, do: Callable[[], object], skip: int = 0) -> None:
        """Do something before the next such call of the gate, after ``skip`` others."""
        left = [skip]

        def before(name: str) -> None:
            if name == call and left[0] >= 0:
                left[0] -= 1
                if left[0] < 0:
                    do()

        self.hands.before = before

    @property
    def resident(self) -> list[str]:
        return list(self.server.stats["resident"])

    @property
    def large(self) -> list[str]:
        return [name for name in self.resident if not name.startswith("embed")]

    def told(self, kind: str) -> list[str]:
        return [e.text for e in self.events if e.kind == kind]
