"""What a screen shows of a project at work: where it stands (``Snapshot``), and what has happened since the last look.

Read from the state, and from the record of calls in flight; writes neither. ``lao run``'s view, the Pilot's status line
and whatever else shows progress take it from here and only render it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

from lao.core.states import PlanState, RunState, TaskState
from lao.core.words import Json
from lao.durable.live import LiveCall, Onlooker
from lao.state import news, pauses, plans, progress, queries
from lao.state.news import EventNews, PlanNews, RunNews, TaskNews
from lao.state.pace import pace
from lao.state.progress import PhaseProgress, PlanProgress, Standing
from workflows.factory import Factory

__all__ = ["Happening", "LiveCall", "PhaseProgress", "PlanProgress", "Snapshot", "Standing", "Totals", "Watch"]

OLD_S: Final = 1.0
"""After this long the state is read again though nobody wrote to it: pauses of runs end by themselves."""

_GATE: Final = frozenset({"gate.deferred", "gate.refused", "gate.wait", "gate.context"})


@dataclass(frozen=True)
class Totals:
    """Counted since the watch began. ``swaps``: loads of another model than the one before."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    loads: int = 0
    swaps: int = 0
    faults: int = 0


@dataclass(frozen=True)
class Snapshot:
    """A moment of the project.

    Attributes:
        standing: what the state says.
        calls: model calls in flight.
        model: the model that was loaded last, "" when none was.
        history: finished tasks that estimates go by.
    """

    standing: Standing
    calls: tuple[LiveCall, ...] = ()
    totals: Totals = Totals()
    model: str = ""
    history: int = 0

    @property
    def rate(self) -> float | None:
        """Tokens a second of all calls in flight; None while none can tell."""
        rates = [call.rate for call in self.calls if call.rate is not None]
        return sum(rates) if rates else None

    def call_of(self, run: int) -> LiveCall | None:
        """The call in flight of a run."""
        return next((call for call in self.calls if call.run == run), None)


@dataclass(frozen=True)
class Happening:
    """Something that is over and stays so; one permanent line.

    Attributes:
        kind: phase, task, plan, finding, load, gate, fault, taken (a plan), rejected (a file) or pause.
        state: the word of what it ended as: a run's, task's or plan's state, proved or checked or none for a
            completed task, a finding's severity, swap, wait, warn, paused, ready.
        plan: the plan's name, "" for what concerns none; ``task`` and ``title``: the task.
        text: the reason, or the finding, in words.
        seconds, tokens: that a phase or a load took; ``commit``: the task's, of a completed one.
    """

    at: float
    kind: str
    state: str
    plan: str = ""
    task: int | None = None
    title: str = ""
    text: str = ""
    phase: str = ""
    model: str = ""
    seconds: float | None = None
    tokens: int = 0
    commit: str = ""


class Watch:
    """Looks at a project from now on. Cheap when nothing has changed; to be used by one thread."""

    def __init__(self, factory: Factory) -> None:
        self._factory, self._store = factory, factory.store
        self._onlooker = Onlooker(factory.settings.paths.state_dir)
        self._place = news.now(self._store)
        self._finding = progress.newest_finding(self._store)
        self._pace = pace(self._store)
        self._names = queries.plans_known(self._store)
        self._rejected = set(plans.rejections(self._store))
        self._paused = pauses.every(self._store)
        self._totals = Totals()
        self._model = progress.last_model(self._store)
        self._said = ""
        self._version = (-1, -1)
        self._standing = Standing(at=0.0)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._onlooker.leave()

    def look(self) -> tuple[Snapshot, tuple[Happening, ...]]:
        """Where the project stands, and what has happened since the last look, the oldest first.

        Raises:
            LaoError: the state cannot be read (``lao.state.store``).
        """
        found: tuple[Happening, ...] = ()
        version = (self._store.version_of_data(), self._store.own_changes())
        if version != self._version:
            self._version = version
            found = tuple(sorted(self._news(), key=lambda item: item.at))
            self._standing = progress.standing(self._store, self._pace)
        elif self._store.now() - self._standing.at >= OLD_S and not self._standing.idle:
            self._standing = progress.standing(self._store, self._pace)
        calls = self._onlooker.calls()
        return Snapshot(self._standing, calls, self._totals, self._model, self._pace.tasks), found

    def _news(self) -> Iterator[Happening]:
        yield from self._taken()
        items = news.look(self._store, self._place)
        for item in items:
            if isinstance(item, RunNews) and item.over:
                yield self._run(item)
            elif isinstance(item, TaskNews):
                yield self._task(item)
            elif isinstance(item, PlanNews):
                yield self._over(item)
            elif isinstance(item, EventNews):
                yield from self._event(item)
        for note in progress.findings_since(self._store, self._finding):
            self._finding = note.id
            told, name = note.finding, self._name(note.plan)
            text = f"{told.file}: {told.message}" if told.file else told.message
            yield Happening(note.at, "finding", told.severity.value, name, note.task, text=text)
        if any(isinstance(item, TaskNews) and item.state is TaskState.COMPLETED for item in items):
            self._pace = pace(self._store)

    def _taken(self) -> Iterator[Happening]:
        """Plans that were taken in or not, and pauses."""
        for plan_id, name in queries.plans_known(self._store).items():
            if plan_id not in self._names:
                self._names[plan_id] = name
                yield Happening(self._store.now(), "taken", PlanState.QUEUED.value, name)
        rejected = set(plans.rejections(self._store))
        for file, _, reason in sorted(rejected - self._rejected):
            yield Happening(self._store.now(), "rejected", "warn", text=f"{file}: {reason}")
        self._rejected = rejected
        paused = pauses.every(self._store)
        for plan_id in sorted(paused.keys() ^ self._paused.keys()):
            state = "paused" if plan_id in paused else RunState.READY.value
            yield Happening(self._store.now(), "pause", state, self._name(plan_id))
        self._paused = paused

    def _name(self, plan_id: str) -> str:
        return self._names.get(plan_id, plan_id)

    def _run(self, item: RunNews) -> Happening:
        facts = progress.run_facts(self._store, item.run.id)
        return Happening(
            at=item.at,
            kind="phase",
            state=item.run.state.value,
            plan=self._name(item.run.plan_id or ""),
            task=item.run.task_id,
            title=facts.title,
            text=item.reason,
            phase=item.run.phase.value,
            model=facts.model,
            seconds=max(0.0, item.at - item.started_at) if item.started_at is not None else None,
            tokens=facts.tokens,
        )

    def _task(self, item: TaskNews) -> Happening:
        state, commit = item.state.value, ""
        if item.state is TaskState.COMPLETED:
            state = queries.evidence_view(self._store, item.plan_id).get(item.id, "none")
            commit = plans.task(self._store, item.id).commit or ""
        return Happening(
            item.at, "task", state, self._name(item.plan_id), item.id, item.title, item.reason, commit=commit
        )

    def _over(self, item: PlanNews) -> Happening:
        return Happening(
            item.at, "plan", item.state.value, item.name, text=item.reason, seconds=item.at - item.created_at
        )

    def _event(self, item: EventNews) -> Iterator[Happening]:
        text = str(item.data.get("text", ""))
        if item.kind == "call":
            self._count(calls=1, prompt=item.prompt_tokens, completion=item.completion_tokens)
        elif item.kind == "load":
            self._count(loads=1, swaps=int(self._model not in ("", item.model)))
            self._model, self._said = item.model, ""
            yield Happening(item.at, "load", "swap", model=item.model, seconds=item.seconds)
        elif item.kind == "found":
            self._model, self._said = item.model, ""
        elif item.kind == "fault":
            self._count(faults=1)
            yield from self._once(Happening(item.at, "fault", "warn", text=_fault(item.data), model=item.model))
        elif item.kind == "gate" and item.data.get("event") in _GATE:
            yield from self._once(Happening(item.at, "gate", "wait", text=text, model=item.model))

    def _once(self, found: Happening) -> Iterator[Happening]:
        """What is said again and again while nothing changes is said once."""
        if found.text != self._said:
            self._said = found.text
            yield found

    def _count(self, **more: int) -> None:
        self._totals = replace(self._totals, **{name: getattr(self._totals, name) + n for name, n in more.items()})


def _fault(data: dict[str, Json]) -> str:
    return str(data.get("text") or data.get("class") or "unknown fault")
