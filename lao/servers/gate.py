"""The memory gate: makes a role's model the one large model in memory, or says why not. Never raises a LaoError.

Unload the others, wait until their memory is really back, load, look again. It fails closed.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lao.config.settings import ModelSettings, Settings
from lao.core.clock import Clock
from lao.core.errors import ConfigError, LaoError, OutOfMemory, Transient
from lao.core.states import Role
from lao.core.words import Event, Json
from lao.servers.memory import MemoryProbe, MemoryReading
from lao.servers.protocol import LoadedModel, ModelInfo, ResidencyServer, find_model
from lao.servers.settling import Demand, gigabytes, shortfall

_SMALL_EMBEDDING_BYTES = 1_000_000_000
_LONGEST_DELAY_S = 30.0
LEAST_CONTEXT = 4096
"""Tokens; with less neither a plan nor a task with its files can be shown to a model."""


class Counters(Protocol):
    """Where the gate counts: loads, unloads, swaps, role_changes, deferred."""

    def add(self, name: str, amount: int = 1) -> None: ...


class Tally:
    """Counters in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def get(self, name: str) -> int:
        with self._lock:
            return self._counts[name]


@dataclass(frozen=True)
class GateOutcome:
    """What the gate reached.

    Attributes:
        reason: when ok "resident", "loaded" or "skipped"; else the error's class: "out_of_memory", "server_away",
            "transient", "terminal", "config_error", ...
        delay_s: when not ok: pause before the next try; 0.0 when no try can help.
        waited_s: seconds spent waiting for memory.
        error: set when not ok; Terminal and ConfigError are for the caller to raise.
    """

    ok: bool
    instance: LoadedModel | None
    reason: str
    delay_s: float = 0.0
    waited_s: float = 0.0
    loads: int = 0
    unloads: int = 0
    error: LaoError | None = None


@dataclass
class _Visit:
    """The running figures of one ``ensure``."""

    role: Role
    key: str = ""
    loads: int = 0
    unloads: int = 0
    waited_s: float = 0.0


class MemoryGate:
    """One per server. ``ensure`` calls are taken one at a time.

    Args:
        report: gets every wait, load, unload and decision as an Event.
        counters: gets the running totals.
    """

    def __init__(
        self,
        server: ResidencyServer,
        settings: Settings,
        probe: MemoryProbe,
        clock: Clock,
        report: Callable[[Event], None],
        counters: Counters | None = None,
    ) -> None:
        self._server = server
        self._settings = settings
        self._probe = probe
        self._clock = clock
        self._report = report
        self._counters: Counters = Tally() if counters is None else counters
        self._lock = threading.Lock()
        self._last_role: Role | None = None
        self._last_key = ""
        self._told_skipped = False
        self._granted: dict[str, int] = {}

    def ensure(self, role: Role) -> GateOutcome:
        """Make the model of ``role`` resident. What goes wrong is in the outcome."""
        with self._lock:
            visit = _Visit(role)
            if self._last_role is not None and self._last_role is not role:
                self._counters.add("role_changes")
            self._last_role = role
            try:
                instance, reason = self._make_resident(visit)
            except LaoError as error:
                return self._refused(visit, error)
            return GateOutcome(
                True, instance, reason, waited_s=visit.waited_s, loads=visit.loads, unloads=visit.unloads
            )

    def _make_resident(self, visit: _Visit) -> tuple[LoadedModel, str]:
        wanted = self._settings.models.get(visit.role)
        if wanted is None or not wanted.key:
            raise ConfigError(
                f"no model is set for role {visit.role.value!r}", f"set models.{visit.role.value}.key in factory.yaml"
            )
        visit.key = wanted.key
        if not self._server.manages_memory:
            return self._skip(wanted), "skipped"
        models = self._server.models()
        info = find_model(models, wanted.key)
        needed = min(wanted.context_length, self._granted.get(wanted.key, wanted.context_length))
        ready = next((i for i in info.loaded if i.holds(needed)), None)
        victims = self._victims(models, visit, keep=ready)
        if ready is not None:
            self._unload(victims, visit)
            self._remember(visit)
            return ready, "resident"
        size = self._size_of(info)
        before = self._probe.read()
        self._unload(victims, visit)
        demand = Demand(size, len(victims), sum(self._size_of(owner) for owner, _ in victims))
        self._settle(before, demand, visit)
        return self._load(size, visit), "loaded"

    def _skip(self, wanted: ModelSettings) -> LoadedModel:
        if not self._told_skipped:
            self._told_skipped = True
            self._tell("gate.skipped", "the server manages its models itself; the memory gate has nothing to do")
        return self._server.load(wanted.key, wanted.context_length)

    def _victims(
        self, models: Sequence[ModelInfo], visit: _Visit, keep: LoadedModel | None
    ) -> list[tuple[ModelInfo, LoadedModel]]:
        """The instances that must go: other large models, and the wanted model's other instances.

        Every language model counts as large whatever its file: its context's cache is not in the file size. The
        embedder may stay beside the others, and comes beside them.
        """
        embedder = self._settings.models.get(Role.EMBEDDER)
        found = []
        for info in models:
            if info.key != visit.key and (
                visit.role is Role.EMBEDDER
                or (embedder is not None and info.key == embedder.key)
                or (info.kind == "embedding" and info.size_bytes < _SMALL_EMBEDDING_BYTES)
            ):
                continue
            found += [(info, i) for i in info.loaded if keep is None or i.instance_id != keep.instance_id]
        return found

    def _unload(self, victims: Sequence[tuple[ModelInfo, LoadedModel]], visit: _Visit) -> None:
        for info, instance in victims:
            started = self._clock.monotonic()
            self._server.unload(instance.instance_id)
            visit.unloads += 1
            self._counters.add("unloads")
            self._tell(
                "model.unload",
                f"unloaded {instance.instance_id} ({gigabytes(info.size_bytes)})",
                model=info.key,
                instance=instance.instance_id,
                role=visit.role.value,
                seconds=self._since(started),
                size_bytes=info.size_bytes,
            )

    def _settle(self, before: MemoryReading, demand: Demand, visit: _Visit) -> None:
        """Wait until there is room for the next model.

        Raises:
            OutOfMemory: there is not, after ``settle_timeout_s``.
        """
        limits = self._settings.memory_gate
        started = self._clock.monotonic()
        now = self._probe.read() if demand.unloaded else before
        while lack := shortfall(before, now, demand, limits):
            left = limits.settle_timeout_s - visit.waited_s
            if left <= 0:
                raise OutOfMemory(
                    f"no room for model {visit.key!r} after {visit.waited_s:.0f} s: {lack}",
                    "close what uses the memory, choose a smaller model, or change memory_gate in factory.yaml",
                )
            self._tell(
                "gate.wait",
                f"waiting for memory for {visit.key}: {lack}",
                model=visit.key,
                role=visit.role.value,
                seconds=visit.waited_s,
                **_figures(now, demand),
            )
            self._clock.wait(max(0.01, min(limits.poll_interval_s, left)))
            visit.waited_s = self._since(started)
            now = self._probe.read()
        if demand.unloaded:
            self._tell(
                "gate.released",
                f"enough memory is free after {visit.waited_s:.1f} s",
                model=visit.key,
                role=visit.role.value,
                seconds=visit.waited_s,
                **_figures(now, demand),
            )

    def _load(self, size: int, visit: _Visit) -> LoadedModel:
        """Load and look again.

        Raises:
            Transient: the model is gone again, or another one was loaded meanwhile and would not go.
        """
        started = self._clock.monotonic()
        context = self._context_for(visit.key)
        instance = self._server.load(visit.key, context, self._least_for(visit.key))
        visit.loads += 1
        self._counters.add("loads")
        self._tell(
            "model.load",
            f"loaded {instance.instance_id} for {visit.role.value} in {self._since(started):.1f} s",
            model=visit.key,
            instance=instance.instance_id,
            role=visit.role.value,
            seconds=self._since(started),
            size_bytes=size,
            context_length=instance.context_length,
        )
        self._note_context(instance, context, visit)
        if not self._alone(instance, visit):
            raise Transient(
                f"model {visit.key!r} was loaded but is not the only large model in the server's memory",
                "another program seems to load models on this server; close it",
            )
        if self._last_key and self._last_key != visit.key and visit.role is not Role.EMBEDDER:
            self._counters.add("swaps")
        self._remember(visit)
        return instance

    def _alone(self, instance: LoadedModel, visit: _Visit) -> bool:
        """Whether the list shows the instance and no other large model; strangers are unloaded once."""
        for last_look in (False, True):
            models = self._server.models()
            listed = any(i.instance_id == instance.instance_id for i in find_model(models, visit.key).loaded)
            strangers = self._victims(models, visit, keep=instance)
            if not listed or not strangers or last_look:
                return listed and not strangers
            self._unload(strangers, visit)
        return False

    def _context_for(self, key: str) -> int | None:
        """The largest context that a role with this model needs, so that no role change loads it again."""
        asked = [m.context_length for m in self._settings.models.values() if m.key == key]
        return max(asked, default=0) or None

    def _least_for(self, key: str) -> int | None:
        """The smallest context that will do: what the user asked for. Of a length that nobody set (the default) the
        server may give less; prompts are kept within what it gives."""
        roles = [m for m in self._settings.models.values() if m.key == key]
        asked = [m.context_length for m in roles if not self._is_default(m)]
        return None if len(asked) == len(roles) else max([LEAST_CONTEXT, *asked])

    def _is_default(self, model: ModelSettings) -> bool:
        return self._settings.sources.get(f"models.{model.role.value}.context_length") == "default"

    def _note_context(self, instance: LoadedModel, asked: int | None, visit: _Visit) -> None:
        given = instance.context_length
        if not asked or given is None or given >= asked:
            self._granted.pop(visit.key, None)
            return
        self._granted[visit.key] = given
        self._tell(
            "gate.context",
            f"{visit.key} has a context of {given} tokens, not {asked}; prompts are kept within it",
            model=visit.key,
            role=visit.role.value,
            context_length=given,
        )

    def _size_of(self, info: ModelInfo) -> int:
        """The server's figure, or else what factory.yaml says about this key, or 0."""
        told = (m.size_bytes for m in self._settings.models.values() if m.key == info.key and m.size_bytes)
        return info.size_bytes or next(told, 0)

    def _remember(self, visit: _Visit) -> None:
        if visit.role is not Role.EMBEDDER:
            self._last_key = visit.key

    def _refused(self, visit: _Visit, error: LaoError) -> GateOutcome:
        delay = self._delay(error)
        reason = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
        self._counters.add("deferred")
        self._tell(
            "gate.deferred",
            f"{visit.role.value} cannot run now: {error.message}",
            model=visit.key,
            role=visit.role.value,
            reason=reason,
            seconds=visit.waited_s,
            delay_s=delay,
        )
        return GateOutcome(False, None, reason, delay, visit.waited_s, visit.loads, visit.unloads, error)

    def _delay(self, error: LaoError) -> float:
        if not isinstance(error, Transient):
            return 0.0
        if error.delay_s is not None:
            return error.delay_s
        if isinstance(error, OutOfMemory):
            wanted = self._settings.memory_gate.settle_timeout_s / 2
        else:
            wanted = self._settings.orchestration.llm_retry_backoff_base_s
        return min(_LONGEST_DELAY_S, max(self._settings.memory_gate.poll_interval_s, wanted))

    def _since(self, started: float) -> float:
        return self._clock.monotonic() - started

    def _tell(self, kind: str, text: str, **data: Json) -> None:
        self._report(Event(kind, text, data))


def _figures(now: MemoryReading, demand: Demand) -> dict[str, Json]:
    return {
        "available_bytes": now.available_bytes,
        "swap_used_bytes": now.swap_used_bytes,
        "source": now.source,
        "size_bytes": demand.size_bytes,
        "unloaded_bytes": demand.unloaded_bytes,
    }
