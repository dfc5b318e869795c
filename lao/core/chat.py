"""Chat as data: requests, answers, tool calls. What goes over the wire is built in ``lao.llm``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Protocol

from lao.core.words import Json


@dataclass(frozen=True)
class ToolCall:
    """A call that a model asked for.

    Attributes:
        arguments: the decoded object, or None when the text was not a JSON object.
        raw: the arguments as the model wrote them.
    """

    id: str
    name: str
    arguments: dict[str, Json] | None
    raw: str = ""


@dataclass(frozen=True)
class Usage:
    """Token counts of one call; ``estimated`` when the server gave none. ``cached`` is None when unknown."""

    prompt: int = 0
    completion: int = 0
    cached: int | None = None
    estimated: bool = False


@dataclass(frozen=True)
class ChatRequest:
    """One chat completion.

    Attributes:
        model: the server's key of the model.
        messages: OpenAI-format messages, roles alternating after the optional first system message.
        tools: OpenAI-format tool list, or empty.
        schema: JSON Schema that the answer must satisfy (sent as ``response_format``), or None.
        max_tokens: upper limit of generated tokens; always sent.
        stop: texts that end the answer before them; at most four.
    """

    model: str
    messages: tuple[dict[str, Json], ...]
    max_tokens: int
    tools: tuple[dict[str, Json], ...] = ()
    schema: dict[str, Json] | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    repetition_penalty: float | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChatAnswer:
    """What came back, whole. ``finish_reason`` is "stop", "length", "tool_calls" or "" when the server gave none."""

    text: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    seconds: float = 0.0
    first_token_s: float = 0.0

    def to_json(self) -> dict[str, Json]:
        return {**asdict(self), "tool_calls": [asdict(c) for c in self.tool_calls]}

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> ChatAnswer:
        """The answer in a recorded step; what else is recorded with it (``asked``) is left aside."""
        return cls(
            **{
                **{name: value for name, value in data.items() if name != "asked"},
                "tool_calls": tuple(ToolCall(**c) for c in data["tool_calls"]),
                "usage": Usage(**data["usage"]),
            }
        )


class Model(Protocol):
    """Something that answers a chat request (``lao.llm.client.OpenAIModel``, and a scripted one in tests)."""

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer the request.

        Raises:
            ServerAway: the server cannot be reached, is loading or broke off (retries inside are used up).
            AttemptFailed: the answer is unusable (kind names the class).
            Terminal: the request can never succeed (unknown model, context overflow).
        """
        ...
