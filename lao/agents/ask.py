"""Model calls as steps of the journal, and the token limits of a role. Knows no role's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import AttemptFailed
from lao.core.steps import StepKind, Steps
from lao.core.words import Event, Json
from lao.llm.clean import clean
from lao.llm.failures import Failure, fault_event
from lao.llm.faults import ContextOverflow
from lao.llm.tokens import TokenScale, estimate_messages

_LEAST_COMPLETION = 256
_FULL = 0.95


class JournaledModel:
    """A ``Model`` whose every call is a step, labelled ``model:<label>-<n>``.

    A failed attempt is an outcome too and is recorded: agents answer some failures with another call, and a resumed
    run must take the same way.

    Args:
        report: gets a ``model.fault`` event for each fault seen in an answer; the wrapped model's own when None. A
            recorded answer is not reported again.
        context: tokens of the model's window, 0 when unknown: an empty answer to a prompt that fills it is an overflow.
    """

    def __init__(
        self,
        model: Model,
        steps: Steps,
        label: str,
        *,
        report: Callable[[Event], None] | None = None,
        context: int = 0,
    ) -> None:
        self._model = model
        self._steps = steps
        self._label = label
        self._report = report or getattr(model, "report", None)
        self._context = context
        self._count = 0
        self._live = False
        self._key = ""
        self.answered = 0
        self.scale = TokenScale()

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self._count += 1
        self._live, self._key = False, request.model
        result = self._steps.run(StepKind.MODEL, f"model:{self._label}-{self._count}", self._outcome(request))
        if "failed" in result:
            raise _failure(result["failed"])
        answer = ChatAnswer.from_json(result)
        self._look(request, answer)
        self.answered += 1
        return answer

    def fault(self, failure: Failure, text: str) -> None:
        """Report a fault seen in the last answer."""
        self.note(fault_event(failure, text, self._key))

    def note(self, event: Event) -> None:
        """Report an event about the last answer, unless that came from the record."""
        if self._live and self._report is not None:
            self._report(event)

    @property
    def key(self) -> str:
        """The model of the last request."""
        return self._key

    def _outcome(self, request: ChatRequest) -> Callable[[], Json]:
        def run() -> Json:
            self._live = True
            try:
                return {**self._model.complete(request).to_json(), "asked": _asked(request)}
            except AttemptFailed as error:
                counts = {"prompt_tokens": getattr(error, "prompt_tokens", 0), "context": getattr(error, "context", 0)}
                failed = {"message": error.message, "hint": error.hint, "kind": error.kind, **counts}
                return {"failed": failed, "asked": _asked(request)}

        return run

    def _look(self, request: ChatRequest, answer: ChatAnswer) -> None:
        """Name what concerns every role: no answer at all, only thinking, cut off, a prompt that fills the window."""
        usage = answer.usage
        if not usage.estimated:
            self.scale.observe(estimate_messages(request.messages, request.tools), usage.prompt)
        named = f"model {request.model!r}: "
        if answer.finish_reason == "length":
            self.fault(Failure.TRUNCATED, f"{named}the answer was cut off at {usage.completion} tokens")
        elif not (answer.tool_calls or clean(answer.text)):
            thought = answer.reasoning.strip() or answer.text.strip()
            if not thought and self._context and not usage.estimated and usage.prompt >= _FULL * self._context:
                self.fault(Failure.CONTEXT_OVERFLOW, f"{named}nothing came for a prompt of {usage.prompt} tokens")
                raise ContextOverflow(
                    f"model {request.model!r} gave nothing for a prompt of {usage.prompt} tokens in a window of "
                    f"{self._context}",
                    "Raise context_length, or split the plan.",
                    prompt_tokens=usage.prompt,
                    context=self._context,
                )
            failure = Failure.REASONING_ONLY if thought else Failure.EMPTY_ANSWER
            self.fault(failure, f"{named}{'only thinking' if thought else 'an empty answer'}")


def _asked(request: ChatRequest) -> dict[str, Json]:
    """What is recorded of the request beside the answer; None is the server's default and left out."""
    told = {name: getattr(request, name) for name in ("max_tokens", "temperature", "top_p", "seed")}
    return {name: value for name, value in told.items() if value is not None}


def _failure(record: dict[str, Json]) -> AttemptFailed:
    if record["kind"] in (Failure.CONTEXT_OVERFLOW.value, Failure.SILENT_TRUNCATION.value):
        return ContextOverflow(
            record["message"],
            record["hint"],
            prompt_tokens=record["prompt_tokens"],
            context=record["context"],
            kind=record["kind"],
        )
    return AttemptFailed(record["message"], record["hint"], kind=record["kind"])


def completion_limit(settings: ModelSettings) -> int:
    """``max_tokens`` of a call: the role's limit, but never more than half of the window."""
    return max(_LEAST_COMPLETION, min(settings.max_completion, settings.context_length // 2))


def prompt_limit(settings: ModelSettings) -> int:
    """Tokens that a prompt may have."""
    return max(_LEAST_COMPLETION, settings.context_length - completion_limit(settings))


def request(
    settings: ModelSettings,
    messages: Sequence[dict[str, Json]],
    *,
    tools: Sequence[dict[str, Json]] = (),
    schema: dict[str, Json] | None = None,
    stop: tuple[str, ...] = (),
) -> ChatRequest:
    """A request with the role's model, limits and sampling."""
    return ChatRequest(
        model=settings.key,
        messages=tuple(messages),
        max_tokens=completion_limit(settings),
        tools=tuple(tools),
        schema=schema,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
        repetition_penalty=settings.repetition_penalty,
        stop=stop,
    )
