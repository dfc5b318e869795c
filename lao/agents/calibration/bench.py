"""What all probes share: asking within the time that is left, streamed or not, and the clock's figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.clock import Clock
from lao.core.errors import AttemptFailed, ConfigError
from lao.core.words import Json
from lao.llm.clean import clean
from lao.llm.stream import Answer

if TYPE_CHECKING:
    from lao.servers.rest import Reply

COMPLETIONS = "/v1/chat/completions"
_PLAIN_TIMEOUT_S = 120.0
_TELLING_TOKENS = 12
"""Answers below this many tokens say little about the speed."""

_WORST_SPEED = 4.0
"""Tokens a second that are assumed before anything was measured."""


class Wire(Protocol):
    """Plain JSON requests beside the chat client (``lao.servers.rest.Rest``)."""

    def post(self, path: str, payload: dict[str, Json], *, read_timeout_s: float | None = None) -> Reply:
        """The server's answer, errors included. Raises ServerAway."""
        ...


class NoTime(AttemptFailed):
    """The time for calibration is used up; what was not probed stays unknown."""

    def __init__(self) -> None:
        super().__init__("no time is left for this probe", kind="no_time")


@dataclass
class Bench:
    """One model under test.

    Attributes:
        name: what to call the model in requests.
        deadline: of ``clock.monotonic()``; no call is begun that would probably end after it.
        patience: factor on the answers' token limits; more for models that think first.
        folds_system: the server refuses the system role, so its text goes into the user's message.
    """

    model: Model
    wire: Wire
    clock: Clock
    name: str
    deadline: float
    patience: int = 1
    folds_system: bool = False
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _written: list[tuple[int, float]] = field(default_factory=list)

    def ask(
        self,
        user: str,
        max_tokens: int,
        *,
        system: str = "",
        tools: tuple[dict[str, Json], ...] = (),
        schema: dict[str, Json] | None = None,
    ) -> ChatAnswer:
        """One streamed answer at temperature 0.

        Raises:
            NoTime: it would take longer than is left.
            AttemptFailed, Transient, Terminal, ConfigError: what the model raises.
        """
        request = self.request(user, max_tokens, system=system, tools=tools, schema=schema)
        self._spend(request.max_tokens)
        answer = self.model.complete(request)
        self._count(answer)
        return answer

    def ask_plain(
        self, user: str, max_tokens: int, *, tools: tuple[dict[str, Json], ...], parallel: bool
    ) -> ChatAnswer:
        """One answer that is not streamed.

        Raises:
            NoTime: as ``ask``.
            AttemptFailed: the server answered with an error or with nothing readable (kind "plain").
            ServerAway: no answer.
        """
        request = self.request(user, max_tokens, tools=tools)
        self._spend(request.max_tokens)
        begun = self.clock.monotonic()
        payload: dict[str, Json] = {
            "model": request.model,
            "messages": list(request.messages),
            "max_tokens": request.max_tokens,
            "temperature": 0.0,
            "stream": False,
            "tools": list(tools),
            "parallel_tool_calls": parallel,
        }
        try:
            reply = self.wire.post(COMPLETIONS, payload, read_timeout_s=_PLAIN_TIMEOUT_S)
        except ConfigError as error:
            raise AttemptFailed(f"no plain answer: {error.message}", kind="plain") from error
        if reply.error or not isinstance(reply.body, dict) or not reply.body.get("choices"):
            raise AttemptFailed(f"no plain answer: {reply.error or reply.status}", kind="plain")
        built = Answer()
        built.feed(reply.body)
        answer = built.finish(request, seconds=self.clock.monotonic() - begun, first_token_s=0.0)
        self._count(answer, timed=False)
        return answer

    def request(
        self,
        user: str,
        max_tokens: int,
        *,
        system: str = "",
        tools: tuple[dict[str, Json], ...] = (),
        schema: dict[str, Json] | None = None,
    ) -> ChatRequest:
        """The request, with the system text where the server takes it."""
        messages: tuple[dict[str, Json], ...] = ({"role": "user", "content": user},)
        if system and self.folds_system:
            messages = ({"role": "user", "content": f"{system}\n\n{user}"},)
        elif system:
            messages = ({"role": "system", "content": system}, *messages)
        limit = max_tokens * self.patience
        return ChatRequest(self.name, messages, limit, tools=tools, schema=schema, temperature=0.0)

    @property
    def decode_tokens_s(self) -> float | None:
        """Generated tokens a second over all telling answers so far."""
        tokens, seconds = sum(n for n, _ in self._written), sum(s for _, s in self._written)
        return round(tokens / seconds, 1) if tokens and seconds > 0 else None

    @property
    def left_s(self) -> float:
        return self.deadline - self.clock.monotonic()

    def _spend(self, max_tokens: int) -> None:
        if self.left_s < max_tokens / (self.decode_tokens_s or max(_WORST_SPEED, max_tokens / 20)):
            raise NoTime
        self.calls += 1

    def _count(self, answer: ChatAnswer, *, timed: bool = True) -> None:
        self.prompt_tokens += answer.usage.prompt
        self.completion_tokens += answer.usage.completion
        writing = answer.seconds - answer.first_token_s
        if timed and answer.usage.completion >= _TELLING_TOKENS and writing > 0 and not answer.usage.estimated:
            self._written.append((answer.usage.completion - 1, writing))


def cut_while_thinking(answer: ChatAnswer) -> bool:
    """Whether the answer ended at the token limit before the answer proper began: it shows nothing."""
    return answer.finish_reason == "length" and not clean(answer.text)
