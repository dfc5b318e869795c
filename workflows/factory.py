"""What a worker process works with: settings, state, model server, gate, heartbeat. One active factory a process."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from lao.config.load import load
from lao.config.settings import ModelSettings, Settings
from lao.core.clock import Clock, SystemClock
from lao.core.errors import LaoError, NotAServer, ServerAway, StateDamaged
from lao.core.profile import Profile
from lao.core.states import PHASE_ROLE, Phase, Role
from lao.core.words import Event, Json
from lao.durable.holding import Heartbeat
from lao.durable.live import LiveCalls
from lao.durable.owners import Owner, current_owner
from lao.durable.sandbox.policy import Sandbox, sandbox_of
from lao.hooks.project import Once, ProjectHooks, load_hooks
from lao.state import ledger, profiles, queries, serving
from lao.state.guard import damage
from lao.state.loads import KeptLoads
from lao.state.store import Store, open_store
from workflows.mcp import open_mcp
from workflows.meter import Meter
from workflows.slots import Slots
from workflows.surveyor import Surveyor

if TYPE_CHECKING:
    from lao.llm.client import OpenAIModel
    from lao.llm.stream import Answer
    from lao.servers.energy import Counters
    from lao.servers.gate.gate import GateOutcome, MemoryGate
    from lao.servers.protocol import LoadedModel, ResidencyServer
    from lao.tools.mcp.hub import McpHub

log = logging.getLogger("lao")


class Factory:
    """One project, opened. Servers and models are connected when they are first needed.

    Attributes:
        not_calibrated: models that this process has tried to calibrate at their first use.
        damaged: why this process must not go on.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None, *, whole: bool = False) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.opened_at = self.clock.now()
        self.store: Store = open_store(settings.paths.database, self.clock, whole=whole)
        self.owner: Owner = current_owner()
        self.heartbeat = Heartbeat(self.store)
        self.live_calls = LiveCalls(settings.paths.state_dir, self.owner.to_text(), self.clock.now)
        self.stop = threading.Event()
        self._warned: set[str] = set()
        self.damaged: StateDamaged | None = None
        self.last_resident = ""
        self.not_calibrated: set[str] = set()
        self.calibrating = threading.Lock()
        self._served: set[str] = set()
        self.meter = Meter(lambda: self.energy, self.clock)
        self.slots = Slots(lambda: settings.orchestration.swap_patience_s, self.stop.is_set, self.meter.changed)
        self._resident_for: int | None = None
        self.say_once = Once(log.warning)
        self.surveyor = Surveyor(settings)
        self._chats: dict[float, OpenAIModel] = {}
        self._gate_lock = threading.Lock()
        self._opening = threading.Lock()

    @cached_property
    def project_id(self) -> str:
        """Marks the child processes of this project, whatever folder they run in."""
        return hashlib.sha256(str(self.settings.paths.database).encode()).hexdigest()[:12]

    @cached_property
    def containment(self) -> Sandbox:
        """What surrounds the commands of this project; said in the log when it is first asked for."""
        sandbox = sandbox_of(self.settings.sandbox)
        if not sandbox.weaker_than_asked:
            log.info("commands of models: %s", sandbox.told)
        else:
            log.warning("commands of models: %s; lao doctor says why (docs/security.md)", sandbox.told)
        return sandbox

    @cached_property
    def hooks(self) -> ProjectHooks:
        """The user's hooks, loaded once a process; what is wrong with them is said then."""
        found = load_hooks(self.settings, self.containment.how)
        for problem in found.problems:
            self.say_once(f"hooks: {problem}")
        return found

    def marker(self, run_id: int) -> str:
        """The ``LAO_RUN`` value of a run's child processes."""
        return f"{self.project_id}.{run_id}."

    @cached_property
    def server(self) -> ResidencyServer:
        """The model server, probed once. Raises ServerAway while it cannot be reached."""
        from lao.servers.detect import connect

        return connect(self.settings, self.clock)

    @cached_property
    def gate(self) -> MemoryGate:
        from lao.servers.adapters.lmstudio import LMStudioServer
        from lao.servers.detect import probe_for
        from lao.servers.gate.gate import MemoryGate
        from lao.servers.gate.ping import Ping

        return MemoryGate(
            self.server,
            self.settings,
            probe_for(self.settings),
            self.clock,
            self.report,
            record=KeptLoads(self.store, self.settings.server.base_url),
            ping=Ping(self.settings) if isinstance(self.server, LMStudioServer) else None,
        )

    @cached_property
    def energy(self) -> Counters | None:
        """The counters of the energy that the model server uses; None where none can be read."""
        from lao.servers.energy import counters_for

        return counters_for(self.settings.server.base_url)

    @cached_property
    def mcp(self) -> McpHub:
        """The MCP servers of the project; none is started before its tools are asked for."""
        return open_mcp(self.settings, self.mcp_marker, self.containment.how, self.report, self.stop)

    @property
    def mcp_marker(self) -> str:
        """Begins the ``LAO_RUN`` value of the processes of a worker's MCP servers: of no run, as they outlive runs."""
        return f"{self.marker(0)}mcp."

    @property
    def chat(self) -> OpenAIModel:
        """The chat client with the configured limits, shared by all roles."""
        return self.chat_waiting(self.settings.orchestration.llm_request_timeout_s)

    def chat_waiting(self, first_token_timeout_s: float) -> OpenAIModel:
        """The chat client with this limit, for models whose profile says that they need longer."""
        with self._opening:
            if first_token_timeout_s not in self._chats:
                self._chats[first_token_timeout_s] = self.open_chat(first_token_timeout_s=first_token_timeout_s)
            return self._chats[first_token_timeout_s]

    def open_chat(
        self,
        *,
        first_token_timeout_s: float | None = None,
        retry_attempts: int | None = None,
        stopping: Callable[[], bool] | None = None,
        heard: Callable[[Answer], None] = lambda _answer: None,
    ) -> OpenAIModel:
        """A chat client of its own, for the caller to close; None takes the configured value."""
        from lao.llm.client import OpenAIModel

        def told(answer: Answer) -> None:
            self.live_calls.heard(answer.heard)
            heard(answer)

        limits = self.settings.orchestration
        return OpenAIModel(
            self.server.chat_base_url,
            self.settings.server.api_key,
            connect_timeout_s=limits.llm_connect_timeout_s,
            first_token_timeout_s=first_token_timeout_s or limits.llm_request_timeout_s,
            idle_timeout_s=limits.llm_idle_timeout_s,
            retry_attempts=retry_attempts or limits.llm_retry_attempts,
            retry_backoff_base_s=limits.llm_retry_backoff_base_s,
            clock=self.clock,
            report=self.report,
            stopping=stopping or self.stop.is_set,
            heard=told,
            served=self.has_served(serving.MODEL),
        )

    def has_served(self, what: str = serving.SERVER) -> bool:
        """Whether the server (or a model, ``serving.MODEL``) has answered this project at its present address, in this
        process or before."""
        if what not in self._served and serving.has_answered(self.store, what, self.settings.server.base_url):
            self._served.add(what)
        return what in self._served

    def note_served(self, what: str) -> None:
        """It has answered."""
        if not self.has_served(what):
            serving.note(self.store, what, self.settings.server.base_url)
            self._served.add(what)

    def judged(self, error: LaoError) -> LaoError:
        """The error, or ServerAway where nonsense comes from an address at which a server has answered before."""
        if isinstance(error, NotAServer) and self.has_served():
            return ServerAway(error.message, error.hint)
        return error

    def ensure_resident(self, role: Role, run_id: int | None = None) -> GateOutcome:
        """Make the role's model resident; one decision at a time. ``run_id``: the run that wants it, for the record."""
        with self._gate_lock:
            self._resident_for = run_id
            outcome = self.gate.ensure(role)
            key = self.model_settings(role).key if outcome.ok else ""
            if outcome.reason == "resident" and key not in (self.last_resident, self.resident_model()):
                ledger.add_model_event(self.store, "found", role=role.value, model=key)
            self.last_resident = key
            if outcome.reason == "loaded" and outcome.instance and outcome.instance.cpu_bytes:
                self.report(_on_cpu(outcome.instance, role))
            return outcome

    @property
    def desks(self) -> bool:
        """Whether attempts work in folders of their own, so that several may be under way: git makes that possible."""
        return self.settings.git.enabled

    @property
    def under_way(self) -> int:
        """How many phases of the gpu queue may be under way at once."""
        wanted = self.settings.orchestration.tasks_in_flight
        return max(wanted, self.settings.gpu.parallel) if self.desks else 1

    def model_settings(self, role: Role) -> ModelSettings:
        return self.settings.models[role]

    def profile(self, role: Role) -> Profile | None:
        """What calibration found out about the role's model on this server."""
        return profiles.get(self.store, self.settings.server.base_url, self.settings.models[role].key)

    def model_key(self, phase: Phase) -> str:
        """The key of the model that a phase needs, "" for phases without one."""
        role = self.role_of(phase)
        return self.settings.models[role].key if role else ""

    def role_of(self, phase: Phase) -> Role | None:
        """Whose model a phase asks; None for phases without one."""
        role = PHASE_ROLE.get(phase)
        return self.surveyor.role if role is Role.ANALYST else role

    def resident_model(self) -> str:
        """The model that LAO loaded last and has not unloaded, "" when there is none."""
        resident = queries.models_view(self.store)["resident"]
        return str(resident[-1]) if resident else ""

    def report(self, event: Event) -> None:
        """Log an event; loads, unloads, faults of answers and gate decisions are kept in the state as well."""
        log.info("%s", event.text)
        kind, _, what = event.kind.partition(".")
        if kind == "model" and what in ("load", "unload", "fault"):
            self._keep(what, event)
        elif kind == "gate":
            self._keep("gate", event)

    def warn_once(self, text: str) -> None:
        """Log a warning that this worker has not given yet."""
        if text not in self._warned:
            self._warned.add(text)
            log.warning("%s", text)

    def _keep(self, kind: str, event: Event) -> None:
        data = event.data
        ledger.add_model_event(
            self.store,
            kind,
            role=str(data.get("role", "")),
            model=str(data.get("model", "")),
            seconds=float(data.get("seconds", 0.0)),
            data={"event": event.kind, "text": event.text, **data, **self._for_whom(kind)},
        )

    def _for_whom(self, kind: str) -> dict[str, Json]:
        """The run that a load or a wait was for, if one was named; faults are no affair of the gate."""
        return {"run": self._resident_for} if self._resident_for is not None and kind != "fault" else {}

    def give_up(self, error: StateDamaged) -> None:
        """Let this worker end: nothing runs on a state that cannot be trusted."""
        if self.damaged is None:
            log.error("%s", error)
        self.damaged = error
        self.stop.set()

    def is_damaged(self, error: BaseException) -> bool:
        """Give up when this error means that the state is damaged; one of the queue's file does not."""
        if isinstance(error, StateDamaged):
            self.give_up(error)
        elif damage(error, self.store.path) is not None:
            try:
                self.store.check()
            except StateDamaged as found:
                self.give_up(found)
        return self.damaged is not None

    def close(self) -> None:
        self.stop.set()
        if "mcp" in self.__dict__:
            self.mcp.close()
        self.heartbeat.close()
        if self.store.wrote and self.damaged is None:
            try:
                self.store.mark()
            except LaoError as error:
                log.warning("what was written has no witness: %s", error.message)
        for chat in self._chats.values():
            chat.close()
        self.store.close()


def _on_cpu(instance: LoadedModel, role: Role) -> Event:
    text = f"{instance.key}: {instance.cpu_bytes / 1e9:.1f} GB of it did not fit into the GPU; answers will be slow"
    return Event("gate.cpu", text, {"model": instance.key, "role": role.value, "cpu_bytes": instance.cpu_bytes})


class ActiveFactory:
    """Holds the process's factory: Huey finds its tasks by import, so they cannot be handed one."""

    def __init__(self) -> None:
        self._factory: Factory | None = None
        self._lock = threading.Lock()

    def get(self, *, whole: bool = False) -> Factory:
        """The active factory, opened from the environment and the working directory when there is none yet.

        Args:
            whole: read the whole state file before it is opened (``lao.state.store.open_store``).
        """
        with self._lock:
            if self._factory is None:
                self._factory = Factory(load(env=os.environ), whole=whole)
            return self._factory

    @contextmanager
    def use(self, factory: Factory) -> Iterator[Factory]:
        """Make ``factory`` the active one for a block (commands and tests)."""
        before, self._factory = self._factory, factory
        try:
            yield factory
        finally:
            self._factory = before


active = ActiveFactory()
