"""What a fault works on (a request and its right answer) and what it makes of them. Knows no class and no chance."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lao.core.words import Json
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, Fault, SimCall
from lao.servers.simulated.wire import Form

MOST_CHARS = 40_000
"""Of an answer that runs away: what ``max_tokens`` allows, but no more than this."""


@dataclass(frozen=True)
class Case:
    """One chat request with its right answer, and the dice of this fault and this request.

    Attributes:
        small_context: the window that a fault of the context class pretends to have.
        crowded: another chat is being answered at this moment.
    """

    request: SimRequest
    answer: Answer
    dice: random.Random
    small_context: int = 4096
    crowded: bool = False

    @property
    def calls(self) -> tuple[SimCall, ...]:
        return self.answer.tool_calls

    @property
    def runaway(self) -> int:
        """Characters of an answer that ends at the token limit only."""
        return min(MOST_CHARS, 4 * (self.request.max_tokens or MOST_CHARS))


@dataclass(frozen=True)
class Act:
    """What the server does instead of answering rightly.

    Attributes:
        answer: said instead of the right answer; None leaves it.
        fault: done instead of, or in the middle of, answering.
        form: how the answer goes over the wire.
        crash: the model is out of memory afterwards.
        hold: the socket stays open after an error inside the stream.
        delay_s: before the first token, with signs of life.
        busy_s: how long the slot stays taken once the client has hung up.
    """

    answer: Answer | None = None
    fault: Fault | None = None
    form: Form = field(default_factory=Form)
    crash: bool = False
    hold: bool = False
    delay_s: float = 0.0
    busy_s: float = 0.0


Doing: TypeAlias = Callable[[Case], Act | None]
"""One wire form of a class; None when the request gives no occasion for it."""


@dataclass(frozen=True)
class FaultClass:
    """A class of the catalogue with the wire forms that it has been seen in.

    Attributes:
        place: "chat", or what else it strikes: "load", "unload", "evict" (just before a chat).
    """

    code: str
    title: str
    forms: tuple[Doing, ...] = ()
    place: str = "chat"


def said(text: str, *, reasoning: str = "", finish: str = "stop") -> Act:
    """An answer of plain text."""
    return Act(Answer(text, (), reasoning, finish))


def saying(text: str) -> Doing:
    """The same text whatever was asked."""
    return lambda _case: said(text)


def refusing(status: int, body: Json, when: Callable[[Case], bool] = lambda _case: True) -> Doing:
    """An HTTP error instead of an answer, to requests of a certain kind."""

    def act(case: Case) -> Act | None:
        return Act(fault=Fault("http", status, body)) if when(case) else None

    return act


def message(text: str, code: int = 500, kind: str = "server_error") -> dict[str, Json]:
    """An error body as llama-server writes it."""
    return {"error": {"code": code, "message": text, "type": kind}}


def recalled(case: Case, change: Callable[[SimCall], SimCall]) -> Act | None:
    """The same calls, each changed."""
    if not case.calls:
        return None
    return Act(replace(case.answer, tool_calls=tuple(change(c) for c in case.calls)))


def arguments(call: SimCall) -> dict[str, Json]:
    """The decoded arguments of a right call."""
    value: dict[str, Json] = json.loads(call.arguments)
    return value


def named(call: SimCall, indent: int | None = None) -> str:
    """The call as the JSON object that most dialects wrap."""
    return json.dumps({"name": call.name, "arguments": arguments(call)}, ensure_ascii=False, indent=indent)


def is_json(case: Case) -> bool:
    """Whether the right answer is a JSON object in text: a plan or a verdict."""
    return case.answer.text.lstrip().startswith("{")
