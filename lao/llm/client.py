"""The chat client: one streamed request at a time, with deadlines, retries and hang-up. Judges no answer's content."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from lao.core.chat import ChatAnswer, ChatRequest
from lao.core.clock import Clock
from lao.core.errors import AttemptFailed, Interrupted, LaoError, Nonsense, ServerAway
from lao.core.words import Event, Json
from lao.llm import faults
from lao.llm.adapt import Adaptation, adapt, fresh, learned
from lao.llm.connection import DONE, Connection
from lao.llm.exchange import Arrival, Exchange, Silence
from lao.llm.failures import POLICIES, Change, Failure, fault_event
from lao.llm.sizes import Sizes
from lao.llm.stream import Answer
from lao.llm.tokens import TokenScale

MAX_BACKOFF_S = 120.0
_DOUBTS = 2
_DOUBT_S = 1.0


class _Runaway(AttemptFailed):
    """The answer only repeated itself; ``answer`` is what came until then."""

    def __init__(self, failure: Failure, model: str, answer: ChatAnswer) -> None:
        super().__init__(f"model {model!r} only repeated itself and was stopped", kind=failure.value)
        self.answer = answer


@dataclass
class _Known:
    """What all who share a client know of the server. ``served``: it has answered."""

    served: bool


class OpenAIModel:
    """``lao.core.chat.Model`` over any OpenAI-compatible ``/chat/completions``.

    Always streamed: a server goes on with an abandoned plain request to its end, and frees a streamed one at once.

    Args:
        first_token_timeout_s: until the first generated token; prompt processing may take minutes.
        idle_timeout_s: between two signs of life after that.
        retry_attempts: tries in all for faults that pass (server away, loading, stream cut).
        retry_backoff_base_s: wait before the second try; it doubles, with jitter, up to two minutes.
        report: gets a ``model.fault`` event for each fault and a ``model.retry`` event before each wait.
        stopping: asked several times a second; when true the request is hung up and Interrupted raised.
        served: whether a model has answered at this address before, so that it is no wrong one.
        heard: given the answer as it is, whenever something of it has come; each try has an answer of its own. What it
            raises hangs up.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        connect_timeout_s: float,
        first_token_timeout_s: float,
        idle_timeout_s: float,
        retry_attempts: int,
        retry_backoff_base_s: float,
        clock: Clock,
        report: Callable[[Event], None],
        stopping: Callable[[], bool] = lambda: False,
        served: bool = False,
        heard: Callable[[Answer], None] = lambda _answer: None,
    ) -> None:
        self._url = base_url.rstrip("/")
        self._first_s = first_token_timeout_s
        self._idle_s = idle_timeout_s
        self._attempts = max(1, retry_attempts)
        self._backoff_s = retry_backoff_base_s
        self._clock = clock
        self.report = report
        self._stopping, self._heard = stopping, heard
        self._random = random.Random()  # noqa: S311 - jitter
        self._forms: dict[str, Adaptation] = {}
        self._sizes = Sizes()
        backstop_s = max(first_token_timeout_s, idle_timeout_s) + 30.0  # the exchange's own deadlines come first
        self._connection = Connection(self._url, api_key, connect_s=connect_timeout_s, backstop_s=backstop_s)
        self._known = _Known(served)

    def watched(self, over: Callable[[], bool]) -> OpenAIModel:
        """The same client for somebody whose requests are hung up also when ``over`` turns true."""
        other = copy.copy(self)
        other._stopping = lambda: self._stopping() or over()
        return other

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer the request (see ``lao.core.chat.Model``).

        What may help against a fault is done here, as ``lao.llm.failures.POLICIES`` says: waiting, a fresh sample,
        another form of the request; each fault is reported as a ``model.fault`` event.

        Raises:
            AttemptFailed: its kind is a ``lao.llm.failures.Failure``; ``faults.ContextOverflow`` for an overflow.
            ConfigError: the API key is wrong.
            Interrupted: ``stopping`` turned true.
        """
        used: Counter[Failure] = Counter()
        before = self._forms.get(request.model, Adaptation())
        ask = request
        while True:
            try:
                answer = self._judged(ask)
                self._known.served = True
                return answer
            except Interrupted:
                raise
            except LaoError as caught:
                error = self._for_a_while(caught, used[Failure.SERVER_AWAY])
                failure = faults.failure_of(error)
                self.report(fault_event(failure, error.message, request.model))
                used[failure] += 1
                again = self._again(ask, error, used)
                if again is not None:
                    ask = again
                    continue
                if isinstance(error, _Runaway):
                    return error.answer
                if POLICIES[failure].change is Change.ADAPT:
                    self._forms[request.model] = before  # it was not the form
                if isinstance(error, ServerAway):
                    raise self._gave_up(request, error, caught) from caught
                raise

    def _for_a_while(self, error: LaoError, doubts: int) -> LaoError:
        """A server that has answered is no wrong address: what looks like one passes. One that speaks of an unknown
        endpoint is asked twice more, since some say so while they start."""
        if faults.failure_of(error) is not Failure.NOT_COMPATIBLE:
            return error
        if self._known.served:
            return faults.Away(Failure.SERVER_AWAY, error.message, error.hint)
        if doubts < _DOUBTS and faults.unknown_route(error.message):
            return faults.Away(Failure.SERVER_AWAY, error.message, error.hint, delay_s=_DOUBT_S)
        return error

    def _judged(self, request: ChatRequest) -> ChatAnswer:
        answer, runaway = self._once(adapt(request, self._forms.get(request.model, Adaptation())))
        if runaway is not None:
            raise _Runaway(runaway, request.model, answer)
        self._sizes.check(request, answer, self._url)
        return answer

    def _again(self, request: ChatRequest, error: LaoError, used: Counter[Failure]) -> ChatRequest | None:
        """The request of the next try after what the policy asks for, or None when there is none."""
        failure = faults.failure_of(error)
        policy = POLICIES[failure]
        if policy.change is Change.WAIT:
            waits = sum(n for f, n in used.items() if POLICIES[f].change is Change.WAIT)
            if waits >= self._attempts:
                return None
            self._back_off(waits, request, error.message, getattr(error, "delay_s", None))
            return request
        if policy.change is Change.SAMPLE and used[failure] <= (policy.tries or 0):
            self._note_retry(used[failure], request, error.message, 0.0)
            return fresh(request, sum(used.values()))
        if policy.change is Change.ADAPT:
            then = learned(self._forms.get(request.model, Adaptation()), failure, request)
            if then is not None:
                self._forms[request.model] = then
                return request
        return None

    def scale(self, model: str) -> TokenScale:
        """How the model's real token counts compare with our estimates."""
        return self._sizes.scale(model)

    def close(self) -> None:
        """Close the connections. The client opens new ones when used again."""
        self._connection.close()

    def _gave_up(self, request: ChatRequest, error: ServerAway, caught: LaoError) -> ServerAway:
        kind = Nonsense if faults.failure_of(caught) is Failure.NOT_COMPATIBLE else ServerAway
        return kind(
            f"{error.message} ({self._attempts} tries for model {request.model!r})",
            error.hint or f"Check that the model server at {self._url} runs, with `lao health`.",
            delay_s=error.delay_s,
        )

    def _note_retry(self, attempt: int, request: ChatRequest, text: str, delay_s: float) -> None:
        data = {"model": request.model, "attempt": attempt, "delay_s": round(delay_s, 2)}
        self.report(Event("model.retry", f"{text}; try {attempt + 1} of {self._attempts} in {delay_s:.1f} s", data))

    def _back_off(self, attempt: int, request: ChatRequest, text: str, delay_s: float | None) -> None:
        if delay_s is None:
            delay_s = self._backoff_s * 2 ** (attempt - 1) * self._random.uniform(0.75, 1.25)
        delay_s = min(delay_s, MAX_BACKOFF_S)
        self._note_retry(attempt, request, text, delay_s)
        left = delay_s
        while left > 0 and not self._stopping():
            self._clock.wait(min(left, 0.5))
            left -= 0.5
        if left > 0:
            raise self._interrupted(request)

    def _interrupted(self, request: ChatRequest) -> Interrupted:
        return Interrupted(f"the worker is stopping; the call to model {request.model!r} was abandoned")

    def _once(self, request: ChatRequest) -> tuple[ChatAnswer, Failure | None]:
        self._connection.prepare()
        answer = Answer()
        begun = self._clock.monotonic()
        first_s = 0.0
        exchange = Exchange(lambda wire: self._connection.read(wire, request))
        try:
            done = False
            while True:
                arrival = self._next(exchange, request, answer)
                if arrival.error is not None:
                    raise self._connection.translate(arrival.error, request)
                if arrival.ended:
                    break
                done = done or arrival.item == DONE
                self._take(answer, arrival.item, request)
                first_s = first_s or (self._clock.monotonic() - begun if answer.started else 0.0)
                if answer.runaway:
                    break
            if not (answer.finish_reason or done or answer.runaway):
                raise faults.Away(
                    Failure.STREAM_CUT,
                    f"the stream of model {request.model!r} at {self._url} ended without a finish reason",
                )
        finally:
            exchange.close()
        whole = answer.finish(request, seconds=self._clock.monotonic() - begun, first_token_s=first_s)
        return whole, answer.runaway

    def _next(self, exchange: Exchange, request: ChatRequest, answer: Answer) -> Arrival:
        limit = self._idle_s if answer.started else self._first_s
        try:
            arrival = exchange.next(limit, self._stopping)
        except Silence:
            stage = "between tokens" if answer.started else "before the first token"
            raise faults.Away(
                Failure.SILENCE,
                f"model {request.model!r} at {self._url} was silent for {limit:g} s {stage}",
                "Raise orchestration.llm_idle_timeout_s or llm_request_timeout_s if the machine is only slow.",
            ) from None
        if arrival is None:
            raise self._interrupted(request)
        return arrival

    def _take(self, answer: Answer, item: Json, request: ChatRequest) -> None:
        if not isinstance(item, dict):
            return
        if item.get("error"):
            raise faults.classify(faults.error_text(item), None, model=request.model, url=self._url)
        answer.feed(item)
        if answer.started:
            self._heard(answer)
        if not faults.same_model(request.model, answer.model):
            raise AttemptFailed(
                f"model {answer.model!r} answered instead of {request.model!r} at {self._url}",
                "Another client may have loaded it; check the server's loaded models.",
                kind=Failure.WRONG_MODEL.value,
            )
