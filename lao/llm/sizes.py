"""Real prompt sizes against our estimates: learns the ratio per model and notices a prompt that was cut in silence."""

from __future__ import annotations

from lao.core.chat import ChatAnswer, ChatRequest
from lao.llm.failures import Failure
from lao.llm.faults import ContextOverflow
from lao.llm.tokens import TokenScale, estimate_messages

_LARGE = 2500
_LEAST_KEPT = 500
_LOST = 0.8
_LOST_UNKNOWN = 0.5
"""Of the estimate, while the model's ratio is not known: prose has up to 5 characters a token, we count with 3.3."""


class Sizes:
    """What the answers of all models said about the size of their prompts."""

    def __init__(self) -> None:
        self._scales: dict[str, TokenScale] = {}
        self._alarms: dict[str, int] = {}

    def scale(self, model: str) -> TokenScale:
        return self._scales.setdefault(model, TokenScale())

    def check(self, request: ChatRequest, answer: ChatAnswer, url: str) -> None:
        """Learn from an answer.

        A second alarm in a row, for a prompt already cut down, means that the server counts in another way (without
        what came from the cache, say): it is not heard any more.

        Raises:
            ContextOverflow: of kind "silent_truncation": the server read much less than it was sent.
        """
        if answer.usage.estimated or request.schema is not None:
            return
        scale = self.scale(request.model)
        expected = estimate_messages(request.messages, request.tools)
        real = answer.usage.prompt
        lost = real < expected * (scale.ratio * _LOST if scale.known else _LOST_UNKNOWN)
        alarms = self._alarms.get(request.model, 0)
        if not (lost and expected > _LARGE and real >= _LEAST_KEPT) or alarms >= 2:
            self._alarms[request.model] = alarms if alarms >= 2 else 0
            scale.observe(expected, real)
            return
        self._alarms[request.model] = alarms + 1
        if alarms:
            self._alarms[request.model] = 2
            scale.observe(expected, real)
            return
        raise ContextOverflow(
            f"the server at {url} read {real} tokens of a prompt of about {expected} for model {request.model!r}: "
            "its context is smaller and it cut the prompt in silence",
            "Load the model with a larger context (num_ctx on Ollama), or lower context_length.",
            prompt_tokens=expected,
            context=real + min(request.max_tokens, real),
            kind=Failure.SILENT_TRUNCATION.value,
        )
