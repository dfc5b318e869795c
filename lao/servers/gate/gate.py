"""The memory gate: makes a role's model the one large model in memory, or says why not. Never raises a LaoError.

Unload the others, wait until their memory is really back, load, look again. It fails closed. Its rooms: residents.py
(who is in memory), contexts.py, needs.py, room.py (waiting for memory), loading.py.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lao.config.settings import ModelSettings, Settings
from lao.core.clock import Clock
from lao.core.errors import ConfigError, ForeignModel, LaoError, OutOfMemory, Transient
from lao.core.states import Role
from lao.core.words import Event
from lao.servers.gate.contexts import Contexts
from lao.servers.gate.loading import Loader
from lao.servers.gate.needs import Needs
from lao.servers.gate.record import LoadRecord, LoadsInMemory
from lao.servers.gate.residents import Resident, Residents, check_kind
from lao.servers.gate.room import RoomMaker
from lao.servers.gate.visit import Counters, Means, Tally, Visit
from lao.servers.memory.reading import MemoryProbe
from lao.servers.protocol import LoadedModel, ModelInfo, ResidencyServer, find_model

_LONGEST_DELAY_S = 30.0


@dataclass(frozen=True)
class GateOutcome:
    """What the gate reached.

    Attributes:
        reason: when ok "resident", "loaded" or "skipped"; else the error's class: "out_of_memory", "foreign_model",
            "server_away", "transient", "terminal", "config_error", ...
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


class MemoryGate:
    """One per server. ``ensure`` calls are taken one at a time.

    Args:
        report: gets every wait, load, unload and decision as an Event.
        counters: gets the running totals.
        record: what loads took and which instances are LAO's; None forgets both with the process.
        ping: see ``Means``.
    """

    def __init__(
        self,
        server: ResidencyServer,
        settings: Settings,
        probe: MemoryProbe,
        clock: Clock,
        report: Callable[[Event], None],
        counters: Counters | None = None,
        *,
        record: LoadRecord | None = None,
        ping: Callable[[LoadedModel], None] | None = None,
    ) -> None:
        counters = Tally() if counters is None else counters
        record = LoadsInMemory() if record is None else record
        self._means = Means(server, settings, probe, clock, report, counters, record, ping)
        self._needs = Needs(settings, record, lambda text: report(Event("gate.no_file", text)))
        self._contexts = Contexts(settings)
        self._residents = Residents(self._means)
        self._room = RoomMaker(self._means, self._needs)
        self._loader = Loader(self._means, self._needs, self._contexts, self._residents)
        self._lock = threading.Lock()
        self._last_role: Role | None = None
        self._last_key = ""
        self._told_skipped = False
        self._refused: set[Role] = set()

    def ensure(self, role: Role) -> GateOutcome:
        """Make the model of ``role`` resident. What goes wrong is in the outcome."""
        with self._lock:
            visit = Visit(self._means, role)
            if self._last_role is not None and self._last_role is not role:
                self._means.counters.add("role_changes")
            self._last_role = role
            try:
                instance, reason = self._make_resident(visit)
            except LaoError as error:
                return self._refuse(visit, error)
            self._tell_open(visit)
            return GateOutcome(
                True, instance, reason, waited_s=visit.waited_s, loads=visit.loads, unloads=visit.unloads
            )

    def _make_resident(self, visit: Visit) -> tuple[LoadedModel, str]:
        wanted = self._means.settings.models.get(visit.role)
        if wanted is None or not wanted.key:
            raise ConfigError(
                f"no model is set for role {visit.role.value!r}", f"set models.{visit.role.value}.key in factory.yaml"
            )
        visit.key = wanted.key
        if not self._means.server.manages_memory:
            return self._skip(wanted, visit), "skipped"
        models = self._means.server.models()
        info = find_model(models, wanted.key)
        check_kind(info, visit.role)
        ladder = self._contexts.ladder(info)
        self._residents.forget_gone(models)
        needed = self._contexts.enough(wanted, info)
        ready = next((i for i in info.loaded if i.holds(needed)), None)
        others = self._residents.others(models, visit, keep=ready)
        if ready is not None:
            self._clear(others, visit, info, ready)
            self._remember(visit)
            return ready, "resident"
        self._residents.check_strangers(others)
        return self._swap(visit, info, ladder, others), "loaded"

    def _swap(
        self, visit: Visit, info: ModelInfo, ladder: tuple[int | None, ...], others: list[Resident]
    ) -> LoadedModel:
        before = self._means.probe.read()
        self._residents.unload(others, visit)
        unloaded = [(o.info, o.instance) for o in others]
        room = self._room.wait(visit, info, ladder, before, unloaded, self._contexts.granted(info.key))
        instance = self._loader.load(visit, info, room, ladder)
        if self._last_key and self._last_key != visit.key and visit.role is not Role.EMBEDDER:
            self._means.counters.add("swaps")
        self._remember(visit)
        return instance

    def _clear(self, others: list[Resident], visit: Visit, info: ModelInfo, ready: LoadedModel) -> None:
        """Unload what is beside the right model; where it does not go, LAO's own model gives way."""
        try:
            self._residents.check_strangers(others)
            self._residents.unload(others, visit)
        except Transient:
            self._residents.give_way(info, ready, visit)
            raise

    def _skip(self, wanted: ModelSettings, visit: Visit) -> LoadedModel:
        if not self._told_skipped:
            self._told_skipped = True
            visit.tell("gate.skipped", "the server manages its models itself; the memory gate has nothing to do")
        return self._means.server.load(wanted.key, wanted.context_length)

    def _remember(self, visit: Visit) -> None:
        if visit.role is not Role.EMBEDDER:
            self._last_key = visit.key

    def _tell_open(self, visit: Visit) -> None:
        if visit.role in self._refused:
            self._refused.remove(visit.role)
            visit.tell("gate.open", f"{visit.role.value} can run again")

    def _refuse(self, visit: Visit, error: LaoError) -> GateOutcome:
        delay = self._delay(error)
        reason = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
        self._refused.add(visit.role)
        self._means.counters.add("deferred")
        visit.tell(
            "gate.deferred",
            f"{visit.role.value} cannot run now: {error.message}",
            reason=reason,
            hint=error.hint,
            seconds=visit.waited_s,
            delay_s=delay,
        )
        return GateOutcome(False, None, reason, delay, visit.waited_s, visit.loads, visit.unloads, error)

    def _delay(self, error: LaoError) -> float:
        if not isinstance(error, Transient):
            return 0.0
        if error.delay_s is not None:
            return error.delay_s
        limits = self._means.settings.memory_gate
        if isinstance(error, (OutOfMemory, ForeignModel)):
            wanted = limits.settle_timeout_s / 2
        else:
            wanted = self._means.settings.orchestration.llm_retry_backoff_base_s
        return min(_LONGEST_DELAY_S, max(limits.poll_interval_s, wanted))
