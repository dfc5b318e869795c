"""One load: ask, wait until it is really there, look again, and learn what it took."""

from __future__ import annotations

from dataclasses import replace

from lao.core.errors import OutOfMemory, ServerAway, Transient
from lao.core.states import Role
from lao.servers.gate.contexts import Contexts
from lao.servers.gate.needs import Needs
from lao.servers.gate.residents import Resident, Residents
from lao.servers.gate.room import Room
from lao.servers.gate.settling import fell, gigabytes, steady
from lao.servers.gate.visit import Means, Visit
from lao.servers.memory.reading import MemoryReading
from lao.servers.protocol import LoadedModel, ModelInfo, find_model

_LONGEST_PAUSE_S = 0.25
"""Between two looks at a memory that is settling."""


class Loader:
    """The loads of one gate."""

    def __init__(self, means: Means, needs: Needs, contexts: Contexts, residents: Residents) -> None:
        self._means = means
        self._needs = needs
        self._contexts = contexts
        self._residents = residents
        self._pause_s = max(0.01, min(_LONGEST_PAUSE_S, means.settings.memory_gate.poll_interval_s))

    def load(self, visit: Visit, info: ModelInfo, room: Room, ladder: tuple[int | None, ...]) -> LoadedModel:
        """Load, and see the one instance in the list.

        Raises:
            Transient: the model is gone again, or another one was loaded meanwhile and would not go.
            ForeignModel: another one was loaded meanwhile, and may not be unloaded.
        """
        before, settled = self._steady_before(room.reading, changed=bool(visit.unloads or visit.waited_s))
        self._means.record.note_loaded(visit.key, visit.key)  # its usual name, should LAO die while the server loads
        instance = self._ask(visit, info, room.contexts)
        self._means.record.note_loaded(instance.instance_id, visit.key)
        after, settled_after = self._settled_after(self._means.probe.read())
        if visit.role is not Role.EMBEDDER:
            self._await_answer(instance)
        instance = self._confirmed(visit, instance, self._contexts.least(visit.key) or room.contexts[0])
        self._contexts.note(instance, ladder, visit)
        if settled and settled_after:
            self._learn(visit, info, instance, before, after)
        return instance

    def _ask(self, visit: Visit, info: ModelInfo, contexts: tuple[int | None, ...]) -> LoadedModel:
        """Load with the first context; when the server has no memory for it, once with the next."""
        server, clock = self._means.server, self._means.clock
        started = clock.monotonic()
        try:
            instance = server.load(visit.key, contexts[0], self._contexts.least(visit.key))
        except OutOfMemory as error:
            if len(contexts) == 1:
                raise
            visit.tell("gate.refused", f"{error.message}; {contexts[1]} tokens are tried", context_length=contexts[1])
            started = clock.monotonic()
            instance = server.load(visit.key, contexts[1], self._contexts.least(visit.key))
        visit.loads += 1
        self._means.counters.add("loads")
        seconds = visit.since(started)
        visit.tell(
            "model.load",
            f"loaded {instance.instance_id} for {visit.role.value} in {seconds:.1f} s",
            instance=instance.instance_id,
            seconds=seconds,
            size_bytes=self._needs.size_of(info),
            context_length=instance.context_length,
        )
        return instance

    def _steady_before(self, now: MemoryReading, *, changed: bool) -> tuple[MemoryReading, bool]:
        """The memory before the load, and whether it had settled after a change; that is not waited for any longer."""
        if not changed or now.available_bytes is None:
            return now, now.available_bytes is not None
        self._means.clock.wait(self._pause_s)
        again = self._means.probe.read()
        return again, steady(now, again)

    def _settled_after(self, now: MemoryReading) -> tuple[MemoryReading, bool]:
        """The memory after the load, once it falls no more: some servers list a model before it is there."""
        clock = self._means.clock
        deadline = clock.monotonic() + self._means.settings.orchestration.model_load_timeout_s
        while now.available_bytes is not None:
            clock.wait(self._pause_s)
            before, now = now, self._means.probe.read()
            if not fell(before, now) or clock.monotonic() >= deadline:
                return now, steady(before, now)
        return now, False

    def _await_answer(self, instance: LoadedModel) -> None:
        """Wait while the server says that it is loading.

        Raises:
            ServerAway: it still says so after ``model_load_timeout_s``.
        """
        if self._means.ping is None:
            return None
        times, clock = self._means.settings.orchestration, self._means.clock
        deadline = clock.monotonic() + times.model_load_timeout_s
        while True:
            try:
                return self._means.ping(instance)
            except ServerAway:
                if clock.monotonic() >= deadline:
                    raise
            clock.wait(max(0.05, times.model_load_poll_interval_s))

    def _confirmed(self, visit: Visit, instance: LoadedModel, needed: int | None) -> LoadedModel:
        """The instance as the list shows it, alone; what came meanwhile is unloaded once, or else LAO's own goes."""
        last_look = False
        while True:
            models = self._means.server.models()
            info = find_model(models, visit.key)
            found = next((i for i in info.loaded if i.instance_id == instance.instance_id), None)
            if found is None:
                self._means.record.note_gone(instance.instance_id)
                raise Transient(
                    f"model {visit.key!r} was loaded, but the server does not list it any more",
                    "look at the server's log: it was restarted, the model crashed, or another program unloaded it",
                )
            if not found.holds(needed):
                raise Transient(
                    f"model {visit.key!r} was loaded with a context of {instance.context_length} tokens, but the "
                    f"server lists {found.context_length}",
                    "another program seems to load models on this server; close it",
                )
            others = self._residents.others(models, visit, keep=found)
            if not others:
                return found
            try:
                self._residents.part(self._with_twins(others, visit), visit, give_up=last_look)
            except Transient:
                self._residents.give_way(info, found, visit)
                raise
            last_look = True

    def _with_twins(self, others: list[Resident], visit: Visit) -> list[Resident]:
        """The wanted model's other instances are LAO's, too: there was none before, and a load can make two."""
        for other in others:
            if other.info.key == visit.key:
                self._means.record.note_loaded(other.instance.instance_id, visit.key)
        return [replace(o, ours=o.ours or o.info.key == visit.key) for o in others]

    def _learn(
        self, visit: Visit, info: ModelInfo, instance: LoadedModel, before: MemoryReading, after: MemoryReading
    ) -> None:
        """Note what the load took, unless something else was at work."""
        grown = after.swap_used_bytes - before.swap_used_bytes
        same = before.source == after.source and before.total_bytes == after.total_bytes
        if before.available_bytes is None or after.available_bytes is None or not same:
            return
        if grown > self._means.settings.memory_gate.swap_growth_limit_mb * 1024**2:
            return
        taken = before.available_bytes - after.available_bytes
        if self._needs.learn(info, instance.context_length, taken):
            tokens = f" with a context of {instance.context_length} tokens" if instance.context_length else ""
            visit.tell("gate.learned", f"{visit.key} takes {gigabytes(taken)}{tokens}", taken_bytes=taken)
