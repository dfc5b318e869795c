"""The chat client: one streamed request at a time, with deadlines, retries and hang-up. Judges no answer's content."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lao.core.chat import ChatAnswer, ChatRequest
from lao.core.clock import Clock
from lao.core.errors import AttemptFailed, Interrupted, LaoError, ServerAway
from lao.core.words import Event, Json
from lao.llm import faults
from lao.llm.adapt import Adaptation, adapt, fresh, learned
from lao.llm.exchange import Arrival, Exchange, Silence, Wire
from lao.llm.failures import POLICIES, Change, Failure, fault_event
from lao.llm.sizes import Sizes
from lao.llm.sse import read_events
from lao.llm.stream import Answer
from lao.llm.tokens import TokenScale

if TYPE_CHECKING:
    from openai import OpenAI

MAX_BACKOFF_S = 120.0
_WRITE_TIMEOUT_S = 60.0
_DOUBTS = 2
_DOUBT_S = 1.0
_DONE = "[DONE]"


class _Runaway(AttemptFailed):
    """The answer only repeated itself; ``answer`` is what came until then."""

    def __init__(self, failure: Failure, model: str, answer: ChatAnswer) -> None:
        super().__init__(f"model {model!r} only repeated itself and was stopped", kind=failure.value)
        self.answer = answer


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
    ) -> None:
        self._url = base_url.rstrip("/")
        self._key = api_key
        self._connect_s = connect_timeout_s
        self._first_s = first_token_timeout_s
        self._idle_s = idle_timeout_s
        self._attempts = max(1, retry_attempts)
        self._backoff_s = retry_backoff_base_s
        self._clock = clock
        self.report = report
        self._stopping = stopping
        self._random = random.Random()  # noqa: S311 - jitter
        self._forms: dict[str, Adaptation] = {}
        self._sizes = Sizes()
        self._sdk: OpenAI | None = None
        self._served = False
        self._local = threading.local()
        self._opening = threading.Lock()

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
                self._served = True
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
                    raise self._gave_up(request, error) from caught
                raise

    def _for_a_while(self, error: LaoError, doubts: int) -> LaoError:
        """A server that has answered is no wrong address: what looks like one passes. One that speaks of an unknown
        endpoint is asked twice more, since some say so while they start."""
        if faults.failure_of(error) is not Failure.NOT_COMPATIBLE:
            return error
        if self._served:
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
        if self._sdk is not None:
            self._sdk.close()
            self._sdk = None

    def _gave_up(self, request: ChatRequest, error: ServerAway) -> ServerAway:
        return ServerAway(
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
        answer = Answer()
        begun = self._clock.monotonic()
        first_s = 0.0
        exchange = Exchange(lambda wire: self._read(wire, request))
        try:
            done = False
            while True:
                arrival = self._next(exchange, request, answer)
                if arrival.error is not None:
                    raise self._translate(arrival.error, request)
                if arrival.ended:
                    break
                done = done or arrival.item == _DONE
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
        if not faults.same_model(request.model, answer.model):
            raise AttemptFailed(
                f"model {answer.model!r} answered instead of {request.model!r} at {self._url}",
                "Another client may have loaded it; check the server's loaded models.",
                kind=Failure.WRONG_MODEL.value,
            )

    def _read(self, wire: Wire, request: ChatRequest) -> Iterator[Json]:
        """Runs on the exchange's thread. Yields chunks (dicts), None for a sign of life, and ``[DONE]``."""
        self._local.wire = wire
        with self._client().chat.completions.with_streaming_response.create(**self._body(request)) as response:
            kind = response.headers.get("content-type", "")
            if "text/event-stream" not in kind:
                yield self._plain(response.read(), kind)
                return
            for event in read_events(response.iter_bytes()):
                if event.data.startswith(_DONE):
                    yield _DONE
                    return
                yield _decoded(event.name, event.data) if event.data else None

    def _plain(self, body: bytes, kind: str) -> Json:
        """A body that is no stream: an error that came with status 200, or the answer of a server that cannot do it."""
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if isinstance(value, dict) and (value.get("choices") or value.get("error")):
            return value
        raise faults.not_compatible(
            self._url, f"{kind or 'no content type'}: {body[:120].decode('utf-8', 'replace')!r}"
        )

    def _client(self) -> OpenAI:
        with self._opening:
            self._sdk = self._sdk or self._open()
            return self._sdk

    def _open(self) -> OpenAI:
        from openai import DefaultHttpxClient, OpenAI, Timeout

        backstop_s = max(self._first_s, self._idle_s) + 30.0  # the exchange's own deadlines come first
        timeout = Timeout(backstop_s, connect=self._connect_s, write=_WRITE_TIMEOUT_S)
        http = DefaultHttpxClient(
            timeout=timeout,
            trust_env=not _is_local(self._url),  # a proxy cannot reach a server on this machine
            event_hooks={"request": [self._watch_wire]},
        )
        return OpenAI(
            base_url=self._url,
            api_key=self._key or "none",
            max_retries=0,
            timeout=timeout,
            http_client=http,
            default_headers={"Connection": "close"},  # a new socket for each call, known from its first byte
        )

    def _watch_wire(self, request: Any) -> None:
        request.extensions["trace"] = self._local.wire.trace

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": list(request.messages),
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name in ("temperature", "top_p", "seed"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        if request.tools:
            body |= {"tools": list(request.tools), "parallel_tool_calls": False}
        if request.schema is not None:
            schema = {"name": str(request.schema.get("title") or "answer"), "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.repetition_penalty is not None:
            body["extra_body"] = {"repeat_penalty": request.repetition_penalty}
        return body

    def _translate(self, error: Exception, request: ChatRequest) -> LaoError:
        """The error of our tree for what the SDK or the network raised on the reader's thread."""
        from openai import APIConnectionError, APIError, APIStatusError

        if isinstance(error, LaoError):
            return error
        if isinstance(error, APIStatusError):
            kind = error.response.headers.get("content-type", "")
            text = faults.error_text(error.body) or error.message
            if "html" in kind and error.status_code < 500:
                return faults.not_compatible(self._url, f"{kind} (HTTP {error.status_code})")
            return faults.classify(
                text,
                error.status_code,
                model=request.model,
                url=self._url,
                delay_s=_retry_after(error.response.headers),
            )
        if isinstance(error, APIConnectionError):
            cause = error.__cause__ or error
            said = str(cause) or type(cause).__name__
            return faults.Away(Failure.SERVER_AWAY, f"cannot reach the model server at {self._url}: {said}")
        if isinstance(error, APIError):
            return faults.classify(error.message, None, model=request.model, url=self._url)
        if type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2") or isinstance(
            error, OSError
        ):
            said = f"the stream of model {request.model!r} at {self._url} broke off: {error}"
            return faults.Away(Failure.STREAM_CUT, said)
        raise error  # a defect of ours, not of the server


def _decoded(name: str, data: str) -> Json:
    try:
        value = json.loads(data)
    except ValueError:
        # Half an event: the sender died in the middle of it.
        return {"error": data} if name == "error" else None
    if name == "error" and not (isinstance(value, dict) and value.get("error")):
        return {"error": value}
    return value


def _retry_after(headers: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, float(headers.get("retry-after")))
    return None


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".local")
