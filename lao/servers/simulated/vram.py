"""The simulated server's memory: instances, loads, unloads, what is free when, and the log. Knows no HTTP."""

from __future__ import annotations

import threading

from lao.core.clock import Clock
from lao.core.words import Json
from lao.servers.simulated.ledger import Instance, SimMemory
from lao.servers.simulated.scenario import Scenario, SimModel

GUARDRAIL = (
    "Model loading was stopped due to insufficient system resources. Under the current settings, this model requires "
    "approximately {size:.2f} GB of memory, and continuing to load it would likely overload your system and cause it "
    "to freeze. If you think this is incorrect, you can adjust the model loading guardrails in settings."
)


class Refusal(Exception):
    """A request that the server answers with an error object."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


class Vram:
    """Accounting of loads and unloads. Thread-safe."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self._lock = threading.RLock()
        self._just_in_time = threading.Lock()
        self._instances: list[Instance] = []
        self._memory = SimMemory(scenario, clock)
        self._log: list[dict[str, Json]] = []
        self._counts = dict.fromkeys(("loads", "jit_loads", "unloads", "swaps", "completions"), 0)
        self._most_large = 0
        self._peak = 0
        self._last_large = ""

    def listing(self) -> list[tuple[SimModel, list[Instance]]]:
        """All models with their finished instances."""
        with self._lock:
            return [
                (m, [i for i in self._instances if i.loaded and i.model.key == m.key]) for m in self._scenario.models
            ]

    def load(self, key: str, context_length: int | None) -> Instance:
        """Load an instance, a second one when the model is loaded already, as LM Studio does.

        Raises:
            Refusal: unknown model, or not enough memory.
        """
        return self._load(self._model(key), context_length or self._scenario.jit_context_length, jit=False)

    def has_room_for(self, key: str) -> bool:
        """Whether an instance of the model fits beside what is there."""
        with self._lock:
            return self._model(key).size_bytes <= self._memory.free_for_loads(self._instances)

    def unload(self, instance_id: str, *, late_s: float = 0.0) -> None:
        """Remove an instance; its memory comes back after the scenario's delay, or ``late_s`` later.

        Raises:
            Refusal: no such instance.
        """
        with self._lock:
            instance = next((i for i in self._instances if i.loaded and i.id == instance_id), None)
            if instance is None:
                raise Refusal(404, "model_not_found", f"No loaded model instance with id '{instance_id}'.")
            self._remove(instance, late_s)

    def lose(self, name: str) -> None:
        """Remove the instance that would answer ``name`` (a key or an instance id): a crash, or another client."""
        with self._lock:
            for instance in [i for i in self._instances if i.loaded and name in (i.id, i.model.key)][:1]:
                self._remove(instance)

    def occupy(self, count: int) -> None:
        """Other processes hold so many bytes from now on."""
        with self._lock:
            self._memory.occupied = count

    def swap(self, count: int) -> None:
        """So many bytes are swapped out from now on."""
        with self._lock:
            self._memory.swap_used = count

    def restart(self) -> None:
        """Everything that was loaded is gone, and its memory back."""
        with self._lock:
            self._instances.clear()
            self._memory.forget_releases()
            self._note("restart")

    def ping(self, name: str) -> Instance | None:
        """The loaded instance for ``name``, and an entry in the log; None when there is none.

        Raises:
            Refusal: it is listed, and still loading.
        """
        with self._lock:
            found = self._answering(name)
            if found is not None:
                self._note("ping", model=found.model.key, instance=found.id)
            return found

    def use(self, name: str) -> Instance:
        """The instance that answers a chat for ``name`` (a key or an instance id); loads it just in time.

        Raises:
            Refusal: unknown model, not enough memory, or listed and still loading.
        """
        with self._lock:
            found = self._answering(name)
            if found is not None:
                return found
        if not self._scenario.jit:
            raise Refusal(400, "invalid_request_error", "model is not loaded")
        with self._just_in_time:  # a second chat for a model that is on its way gets that one
            with self._lock:
                found = self._answering(name)
                if found is not None:
                    return found
                loaded = [i for i in self._instances if i.loaded]
                model = self._model(name)
                for old in [i for i in loaded if i.jit and model.type == "llm"]:
                    self._remove(old)  # LM Studio keeps the last just-in-time model only
            whole = self._scenario.api == "openai"  # nothing is loaded there, so nobody chose a length
            return self._load(model, model.max_context_length if whole else self._scenario.jit_context_length, jit=True)

    def note_completion(self, **fields: Json) -> dict[str, Json]:
        """Log a chat request; the entry's ``status`` may be changed through ``finish``."""
        with self._lock:
            self._counts["completions"] += 1
            return self._note("completion", number=self._counts["completions"], **fields)

    def finish(self, entry: dict[str, Json], status: Json) -> None:
        self.amend(entry, status=status)

    def amend(self, entry: dict[str, Json], **fields: Json) -> None:
        """Change an entry of the log."""
        with self._lock:
            entry.update(fields)

    def log(self) -> list[dict[str, Json]]:
        """A copy of all entries, oldest first."""
        with self._lock:
            return [dict(entry) for entry in self._log]

    def stats(self) -> dict[str, Json]:
        """Totals; ``max_large_resident`` is the most large models that ever were resident at once."""
        with self._lock:
            return {
                **self._counts,
                "resident": [i.id for i in self._instances if i.loaded],
                "max_large_resident": self._most_large,
                "vram_used": self._memory.used(self._instances),
                "vram_peak": self._peak,
                "vram_total": self._scenario.vram_total_bytes,
                "swap_used": self._memory.swap_used,
            }

    def _load(self, model: SimModel, context_length: int, *, jit: bool) -> Instance:
        with self._lock:
            instance = Instance(self._free_id(model.key), model, self._granted(model, context_length), jit)
            if instance.size_bytes > self._memory.free_for_loads(self._instances):
                raise Refusal(500, "model_load_failed", GUARDRAIL.format(size=instance.size_bytes / 1e9))
            self._instances.append(instance)
            self._peak = max(self._peak, self._memory.used(self._instances))
        self._clock.wait(self._load_seconds(model))
        with self._lock:
            instance.loaded = True
            instance.early_from = self._clock.monotonic() if self._scenario.early_seconds else None
            self._count_load(instance)
            self._note("load", model=model.key, instance=instance.id, context_length=instance.context_length, jit=jit)
        return instance

    def _count_load(self, instance: Instance) -> None:
        self._counts["loads"] += 1
        self._counts["jit_loads"] += int(instance.jit)
        if instance.model.large:
            self._counts["swaps"] += int(self._last_large not in ("", instance.model.key))
            self._last_large = instance.model.key
        self._most_large = max(self._most_large, sum(i.model.large for i in self._instances))

    def _remove(self, instance: Instance, late_s: float = 0.0) -> None:
        self._instances.remove(instance)
        self._memory.release(instance.size_bytes, late_s)
        self._counts["unloads"] += 1
        self._note("unload", model=instance.model.key, instance=instance.id)

    def _note(self, kind: str, **fields: Json) -> dict[str, Json]:
        resident = [i.id for i in self._instances if i.loaded]
        entry = {"t": round(self._clock.now(), 3), "kind": kind, **fields, "resident": resident}
        self._log.append(entry)
        return entry

    def _answering(self, name: str) -> Instance | None:
        loaded = [i for i in self._instances if i.loaded]
        found = [i for i in loaded if i.id == name] or [i for i in loaded if i.model.key == name]
        if found and self._memory.is_early(found[0]):
            raise Refusal(503, "unavailable_error", "Loading model")
        return found[0] if found else None

    def _free_id(self, key: str) -> str:
        taken = {i.id for i in self._instances}
        number = 2
        name = key
        while name in taken:
            name, number = f"{key}:{number}", number + 1
        return name

    def _granted(self, model: SimModel, asked: int) -> int:
        return min(asked, model.max_context_length, self._scenario.context_cap or asked)

    def _load_seconds(self, model: SimModel) -> float:
        return self._scenario.load_seconds if model.load_seconds is None else model.load_seconds

    def _model(self, key: str) -> SimModel:
        found = next((m for m in self._scenario.models if m.key == key), None)
        if found is None:
            raise Refusal(404, "model_not_found", f"Model '{key}' not found")
        return found
