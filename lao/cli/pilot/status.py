"""The status line: phase, task, model, queue, questions. Read from the state, at most twice a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lao.cli.pilot.clean import one_line
from lao.core.states import PHASE_QUEUE, Phase, Queue

if TYPE_CHECKING:
    from lao.state.approvals import Approval
    from workflows.factory import Factory

EVERY_S: Final = 0.5
SELDOM_S: Final = 5.0
"""Between two looks at what grows with the project: names for completion, loaded models."""


@dataclass(frozen=True)
class Glance:
    """One look.

    Attributes:
        line: the status in words.
        plans, tasks, chats: what Tab completes, the newest last.
        question: the oldest open question of a model.
        gate: the gate that is shown live, "" when none is.
        over: the plan of that gate is over.
    """

    line: str = ""
    plans: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    chats: tuple[str, ...] = ()
    question: Approval | None = None
    gate: str = ""
    over: bool = False


@dataclass
class Looker:
    """Looks at the state; its calls belong into one thread."""

    factory: Factory
    clock: Callable[[], float]
    _seldom_at: float = -SELDOM_S
    _names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _models: str = ""
    _disk: str = ""

    def look(self, watched: str = "") -> Glance:
        """The state now. ``watched``: id of the plan whose gate is shown live."""
        from lao.state import approvals

        if self.clock() - self._seldom_at >= SELDOM_S:
            self._seldom_at = self.clock()
            self._look_seldom()
        waiting = approvals.waiting(self.factory.store)
        gate, over = self._gate(watched) if watched else ("", False)
        return Glance(
            self._line(len(waiting)), question=waiting[0] if waiting else None, gate=gate, over=over, **self._names
        )

    def _look_seldom(self) -> None:
        from lao.durable.space import FULL_MB, free_mb
        from lao.state import queries
        from workflows import pilot

        store = self.factory.store
        plans = queries.plans_view(store)
        names = [str(plan["name"]) for plan in plans] + [str(plan["id"]) for plan in plans]
        self._names = {
            "plans": tuple(dict.fromkeys(name for name in names if name.isprintable()))[-200:],
            "tasks": tuple(str(task["id"]) for task in queries.tasks_view(store))[-200:],
            "chats": tuple(str(chat.id) for chat in pilot.chats(self.factory))[:50],
        }
        self._models = ", ".join(queries.models_view(store)["resident"])
        free, least = free_mb(store.path.parent), self.factory.settings.orchestration.min_free_disk_mb
        self._disk = f"disk full: {free:.0f} MB free" if free < max(least, FULL_MB) else ""

    def _line(self, questions: int) -> str:
        from lao.state import pauses, queries
        from workflows.queues import sizes

        store, queue = self.factory.store, sizes()
        parts = ["PAUSED"] if pauses.of_all(store) is not None else []
        at_work = [run for run in queries.running_view(store) if run["state"] == "running"]
        first = next((run for run in at_work if PHASE_QUEUE[Phase(run["phase"])] is Queue.GPU), None)
        parts += [self._disk] if self._disk else []
        parts.append(_phase(first or (at_work[0] if at_work else None)))
        parts += [one_line(self._models, 40)] if self._models else []
        parts += [f"queue gpu {queue['gpu']} cpu {queue['cpu']}"] if any(queue.values()) else []
        parts += [f"{questions} question{'s' if questions > 1 else ''}: y/n"] if questions else []
        return " · ".join(parts)

    def _gate(self, watched: str) -> tuple[str, bool]:
        from lao.cli.pilot.commands.reports import gate_text
        from lao.state import plans
        from workflows import done_gate

        gate = done_gate.look(self.factory, plans.get(self.factory.store, watched))
        return gate_text(gate), gate.over


def _phase(run: dict[str, Any] | None) -> str:
    if run is None:
        return "idle"
    return f"{run['phase']} of task {run['task']}" if run["task"] else str(run["phase"])
