"""The two Huey instances over one file and one registry, with routed enqueue. Tasks are in phases.py and cron.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from huey.api import Huey
from huey.registry import Registry

from lao.core.states import FEEDS, PHASE_QUEUE, Phase, Queue
from lao.durable.holding import owner_alive
from lao.state import ledger, runs
from workflows.factory import active
from workflows.order import Affinity, Limits
from workflows.serializer import JsonSerializer
from workflows.storage import GpuStorage, QueueStorage


class FactoryHuey(Huey):  # type: ignore[misc]  # huey ships no types
    """A Huey whose messages go to the queue that their task names, and whose consumer owns the project's queue.

    ``peers`` maps queue names to instances; all share one registry, so that ``.then`` may cross queues.
    """

    def __init__(self, queue: Queue, registry: Registry, peers: dict[str, FactoryHuey], **storage: Any) -> None:
        self.queue = queue
        self._peers = peers
        self.consumer_maker: Callable[..., Any] | None = None
        super().__init__(queue.value, results=False, serializer=JsonSerializer(), locate=_queue_file, **storage)
        self._registry = registry
        peers[queue.value] = self

    def enqueue(self, task: Any) -> Any:
        """Route by the task's ``queue`` setting."""
        peer = self._peers[_route(task, self.queue.value)]
        return super(FactoryHuey, peer).enqueue(task)

    def deserialize_task(self, data: bytes) -> Any:
        """Keep what cannot be read; its phase is woken again by the reconciler."""
        try:
            task = super().deserialize_task(data)
            _require_whole(task)
        except Exception as error:  # any message of another version or a torn one; nothing may be lost silently
            kept = data.encode() if isinstance(data, str) else bytes(data)
            ledger.add_dead_letter(active.get().store, self.queue.value, kept, repr(error))
            raise
        return task

    def create_consumer(self, **options: Any) -> Any:
        """The consumer that owns the project's queue (``services.make_consumer``), for ``huey_consumer`` too."""
        maker = self.consumer_maker or super().create_consumer
        return maker(self, **options) if self.consumer_maker else maker(**options)


def _require_whole(task: Any) -> None:
    """Raise ValueError unless the message, and what follows it in its chain, is one that LAO could have sent."""
    while task is not None:
        name = type(task).__name__
        wakes = len(task.args) == 1 and type(task.args[0]) is int and 0 < task.args[0] <= _LARGEST_ID
        if name in _PHASES and not wakes:
            raise ValueError(f"a message for {name} with the arguments {task.args!r}")
        if type(task.id) is not str:
            raise ValueError(f"a message for {name} with the id {task.id!r}")
        if task.kwargs or task.on_error is not None or task.expires is not None or task.timeout is not None:
            raise ValueError(f"a message for {name} with what no message of LAO has")
        figures = (task.retries, task.retry_delay, task.priority or 0)
        if any(type(n) not in (int, float) or not abs(n) < 2**31 for n in figures):
            raise ValueError(f"a message for {name} with a figure that is none")
        task = task.on_complete


def _route(task: Any, default: str) -> str:
    """The queue of a task. Without git there is no checkout to verify on, so verification waits its turn on the gpu
    queue, where the live folder has one writer at a time."""
    if type(task).__name__ == Phase.VERIFY.value and not active.get().settings.git.enabled:
        return Queue.GPU.value
    return str(getattr(task, "queue", default))


def _queue_file() -> Path:
    return active.get().settings.paths.queue


def _phase_of(task_name: str) -> Phase | None:
    """None for a message of no phase: also one that cannot be read, which ends as a dead letter."""
    name = task_name.rpartition(".")[2]
    return Phase(name) if name in _PHASES else None


def _model_of(task_name: str) -> str:
    phase = _phase_of(task_name)
    return active.get().model_key(phase) if phase else ""


def _wave_of(task_name: str) -> int | None:
    limits = active.get().settings.orchestration
    sizes = {Phase.CODE: limits.coder_batch_size, Phase.REVIEW: limits.reviewer_batch_size}
    phase = _phase_of(task_name)
    return sizes.get(phase) if phase and limits.phase_gated else 1


def _fed(model: str) -> bool:
    """Whether work for this model may come up soon: out of what the cpu queue does, or after a pause."""
    factory = active.get()
    own = [phase for phase in Phase if factory.model_key(phase) == model]
    feeding = [phase for phase, fed in FEEDS.items() if set(fed) & set(own)]
    return runs.soon(factory.store, feeding, own, factory.settings.orchestration.swap_patience_s)


def _limits() -> Limits:
    told = active.get().settings.orchestration
    return Limits(told.swap_patience_s, told.longest_wait_s)


_LARGEST_ID: Final = 2**63 - 1
_PHASES: Final = frozenset(phase.value for phase in Phase)

_registry: Final = Registry()
_peers: Final[dict[str, FactoryHuey]] = {}
_affinity: Final = Affinity(_model_of, _wave_of, lambda: active.get().resident_model(), _fed, _limits)

cpu: Final = FactoryHuey(Queue.CPU, _registry, _peers, storage_class=QueueStorage)
gpu: Final = FactoryHuey(
    Queue.GPU,
    _registry,
    _peers,
    storage_class=GpuStorage,
    affinity=_affinity,
    slots=lambda: active.get().slots,
    most=lambda: active.get().under_way,
)


def task_for(phase: Phase, run_id: int) -> Any:
    """A message for one run of a phase; ``workflows.phases`` must have been imported."""
    return _registry.string_to_task(f"workflows.phases.{phase.value}")((run_id,))


def huey_for(phase: Phase) -> FactoryHuey:
    return gpu if PHASE_QUEUE[phase] is Queue.GPU else cpu


def sizes() -> dict[str, int]:
    """Messages waiting on each queue, and scheduled ones on both."""
    waiting = {huey.queue.value: int(huey.storage.queue_size()) for huey in (cpu, gpu)}
    return {**waiting, "scheduled": sum(int(huey.storage.schedule_size()) for huey in (cpu, gpu))}


def live_workers() -> list[dict[str, Any]]:
    """The registered consumers whose process is alive."""
    found = runs.workers(active.get().store)
    return [{"queue": queue, "pid": pid} for queue, owner, pid in found if owner_alive(owner) is not False]
