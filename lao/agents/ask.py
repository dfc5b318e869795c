"""Model calls as steps of the journal, and the token limits of a role. Knows no role's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import AttemptFailed
from lao.core.steps import StepKind, Steps
from lao.core.words import Json
from lao.llm.faults import ContextOverflow

_LEAST_COMPLETION = 256


class JournaledModel:
    """A ``Model`` whose every call is a step, labelled ``model:<label>-<n>``.

    A failed attempt is an outcome too and is recorded: agents answer some failures with another call, and a resumed
    run must take the same way.
    """

    def __init__(self, model: Model, steps: Steps, label: str) -> None:
        self._model = model
        self._steps = steps
        self._label = label
        self._count = 0
        self.answered = 0

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self._count += 1
        label = f"model:{self._label}-{self._count}"
        result = self._steps.run(StepKind.MODEL, label, _outcome(self._model, request))
        if "failed" in result:
            raise _failure(result["failed"])
        self.answered += 1
        return ChatAnswer.from_json(result)


def _outcome(model: Model, request: ChatRequest) -> Callable[[], Json]:
    def run() -> Json:
        try:
            return model.complete(request).to_json()
        except AttemptFailed as error:
            counts = {"prompt_tokens": getattr(error, "prompt_tokens", 0), "context": getattr(error, "context", 0)}
            return {"failed": {"message": error.message, "hint": error.hint, "kind": error.kind, **counts}}

    return run


def _failure(record: dict[str, Json]) -> AttemptFailed:
    if record["kind"] == "context_overflow":
        return ContextOverflow(
            record["message"], record["hint"], prompt_tokens=record["prompt_tokens"], context=record["context"]
        )
    return AttemptFailed(record["message"], record["hint"], kind=record["kind"])


def completion_limit(settings: ModelSettings) -> int:
    """``max_tokens`` of a call: the role's limit, but never more than half of the window."""
    return max(_LEAST_COMPLETION, min(settings.max_completion, settings.context_length // 2))


def prompt_limit(settings: ModelSettings) -> int:
    """Tokens that a prompt may have."""
    return max(_LEAST_COMPLETION, settings.context_length - completion_limit(settings))


def request(
    settings: ModelSettings, messages: Sequence[dict[str, Json]], *, tools: Sequence[dict[str, Json]] = ()
) -> ChatRequest:
    """A request with the role's model, limits and sampling."""
    return ChatRequest(
        model=settings.key,
        messages=tuple(messages),
        max_tokens=completion_limit(settings),
        tools=tuple(tools),
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
        repetition_penalty=settings.repetition_penalty,
    )
