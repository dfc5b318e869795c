"""A phase's seat at the GPU: it has a slot while it asks its model, and the model is resident then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Final

from lao.core.chat import ChatAnswer, ChatRequest, Model, Usage
from lao.core.errors import ServerAway, Transient
from lao.core.states import Role
from lao.core.words import Event
from lao.llm.failures import Failure
from lao.llm.faults import Lasting
from lao.state import serving
from workflows.factory import Factory
from workflows.slots import Prepared

_TRIES: Final = 3
"""Of one call whose model somebody unloads in the middle of a phase."""


def prepare(factory: Factory, role: Role, run_id: int | None = None) -> Prepared:
    """Wait for the turn of the role's model and make it resident, for a run if one is named.

    Raises:
        Interrupted: the worker is stopping.
    """
    slots = factory.slots
    with slots.turn(factory.model_settings(role).key) as known:
        if known is not None:
            return known
        prepared, capacity = _made_resident(factory, role, run_id)
        slots.note(prepared, capacity)
        return prepared


def _made_resident(factory: Factory, role: Role, run_id: int | None) -> tuple[Prepared, int]:
    """What the gate says, and how many requests may be sent at once."""
    outcome = factory.ensure_resident(role, run_id)
    if outcome.ok and factory.server.manages_memory:
        factory.note_served(serving.SERVER)
    wanted = factory.settings.gpu.parallel
    told = outcome.instance.parallel if outcome.instance else None
    capacity = min(wanted, told) if told else wanted
    if outcome.ok and outcome.instance:
        return Prepared(outcome.instance.instance_id, outcome.instance.context_length), capacity
    if outcome.ok:
        return Prepared(factory.model_settings(role).key), capacity
    problem = factory.judged(outcome.error) if outcome.error else Transient(f"the memory gate said {outcome.reason}")
    if isinstance(problem, Transient):
        problem = Transient(problem.message, problem.hint, delay_s=outcome.delay_s or None)
    return Prepared(problem=problem), capacity


class Seat:
    """One run's use of the GPU. Taken by its model calls, kept between them, given up for everything that takes time.

    Args:
        model_name: what the instance was called when the run began; another name after a reload is used from then on.
    """

    def __init__(self, factory: Factory, role: Role, model_name: str, run_id: int | None = None) -> None:
        self._run_id = run_id
        self.role = role
        self._factory, self._key = factory, factory.model_settings(role).key
        self._first = self._name = model_name or self._key
        self._shared: int | None = None
        self._own = 0

    def take(self) -> None:
        """Wait for a slot, with the model resident.

        Raises:
            Interrupted: the worker is stopping.
            LaoError: the memory gate refused to load the model again.
        """
        while not self._factory.slots.take(self._key):
            found = prepare(self._factory, self.role, self._run_id)
            if found.problem is not None:
                raise found.problem
            self._name = found.model_name or self._key

    def leave(self, keep_s: float = 0.0) -> None:
        """See ``Slots.leave``."""
        self._factory.slots.leave(keep_s)

    def lost(self) -> bool:
        """The server says that it has no such instance: the next call loads the model again. False where loading is not
        LAO's to do."""
        if not self._factory.server.manages_memory:
            return False
        self._factory.slots.lost(self._key)
        return True

    def reading_again_s(self, tokens_s: float | None) -> float:
        """Seconds that the server would read this conversation's own part again after another one was answered.

        Args:
            tokens_s: that the model reads in a second; None: unknown, and the answer is 0.
        """
        return self._own / tokens_s if tokens_s else 0.0

    def note(self, usage: Usage) -> None:
        """Keep what the last call read: what its first one found in the cache, others share."""
        if self._shared is None:
            self._shared = usage.cached or 0
        self._own = max(0, usage.prompt - self._shared)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot for a block."""
        self.take()
        try:
            yield
        finally:
            self.leave()

    def telling(self) -> AbstractContextManager[None]:
        """Who looks on is told that the block asks the model."""
        return self._factory.live_calls.call(self._run_id, self.role.value, self._key)

    def named(self, request: ChatRequest) -> ChatRequest:
        """The request under the name that the instance has now."""
        if self._name != self._first and request.model == self._first:
            return replace(request, model=self._name)
        return request


class SeatedModel:
    """A ``Model`` that asks only while its phase has a slot.

    Args:
        may_ask: called before each call; what it raises is raised.
    """

    def __init__(self, model: Model, seat: Seat, may_ask: Callable[[], None] = lambda: None) -> None:
        self._model, self._seat, self._may_ask = model, seat, may_ask

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self._may_ask()
        for left in reversed(range(_TRIES)):
            self._seat.take()
            try:
                with self._seat.telling():
                    answer = self._model.complete(self._seat.named(request))
            except Lasting as error:
                if error.failure is not Failure.UNKNOWN_MODEL or not left or not self._seat.lost():
                    raise
            except ServerAway:
                # it may come back with an empty memory; whoever asks next looks first, also while others wait
                self._seat.lost()
                raise
            else:
                self._seat.note(answer.usage)
                return answer
        raise AssertionError("the last try returns or raises")

    def report(self, event: Event) -> None:
        """See ``lao.llm.client.OpenAIModel``."""
        report = getattr(self._model, "report", None)
        if report is not None:
            report(event)
