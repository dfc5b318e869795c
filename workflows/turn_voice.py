"""What a terminal hears of a turn while it goes on: pieces of the answer, tool calls, notes. Kept few and in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from lao.core.words import Json
from lao.state import chats
from lao.state.chats import TurnEvent
from lao.state.records import Claim
from workflows.factory import Factory

if TYPE_CHECKING:
    from lao.llm.stream import Answer

PAUSE_S, SLOW_S = 0.1, 1.0
"""Between two pieces of text; the slow pause after ``MANY`` of them, so that a turn's events are bounded."""

MANY: Final = 300
_RESULT: Final = 2_000
_HELD: Final = re.compile(
    r"\s*(?:[{\[]|`{1,3}(?:json|tool)?\s*(?:$|[{\[])|`{3}\s*(?:json|tool)|<(?:tool|function|\|)|Action:)"
)
"""How an answer begins that may be a call written as text; it is shown only when it turns out to be none."""

_THINKING: Final = re.compile(r"\s*<(think|thinking|reasoning)>")


class TurnVoice:
    """The events of one turn, written by the worker that has it; a resumed turn repeats none.

    Raises (all methods): LostClaim when a person has interrupted the turn.
    """

    def __init__(self, factory: Factory, claim: Claim, turn_id: int) -> None:
        self._factory, self._claim, self._turn = factory, claim, turn_id
        told = chats.events(factory.store, turn_id)
        self._told = {(e.kind, e.data.get("n")) for e in told if "n" in e.data}
        self._shown = _texts(told)
        self._pieces = sum(event.kind == chats.TEXT for event in told)
        self._call = 0
        self._answer: Answer | None = None
        self._sent, self._at, self._thinks = "", 0.0, False

    # -- of the model

    def round(self, number: int) -> None:
        """The model is asked for the ``number``-th time, or its answer is taken out of the record."""
        self._call, self._answer, self._thinks = number, None, False
        self._sent = self._shown.get(number, "")

    def asked(self) -> None:
        """It is asked for real."""
        if self._sent:
            self._again("the worker was interrupted; this answer begins again")

    def heard(self, answer: Answer) -> None:
        """See ``lao.llm.client.OpenAIModel``: something of the answer has come."""
        if answer is not self._answer:
            if self._answer is not None and self._sent:
                self._again("the answer broke off and begins again")
            self._answer, self._sent = answer, ""
        if answer.reasoning and not self._thinks and not answer.text:
            self._thinks = True
            self._tell(chats.NOTE, "thinking", {"call": self._call, "thinking": True})
        now = self._factory.clock.monotonic()
        if now - self._at >= (PAUSE_S if self._pieces < MANY else SLOW_S):
            self._send(_visible("".join(answer.text)), now)

    def says(self, text: str) -> None:
        """The whole text of the last answer that is for the person: what of it was not shown yet is."""
        shown = self._sent.rstrip()
        if shown and not text.startswith(shown):
            self._again("")
        self._send(text, self._factory.clock.monotonic())

    def _send(self, text: str, now: float) -> None:
        piece = text[len(self._sent) :] if text.startswith(self._sent) else ""
        if not piece:
            return
        self._sent, self._at = text, now
        self._pieces += 1
        self._tell(chats.TEXT, piece, {"call": self._call})

    def _again(self, why: str) -> None:
        """What was shown of this call's answer does not count."""
        self._sent = ""
        self._tell(chats.NOTE, why, {"call": self._call, "again": True})

    # -- of the tools

    def calls(self, number: int, name: str, arguments: Mapping[str, Json]) -> None:
        """A tool is called, the ``number``-th one of the turn."""
        shown = {key: value[:_RESULT] if isinstance(value, str) else value for key, value in arguments.items()}
        self._once(chats.TOOL_CALL, number, name, {"name": name, "arguments": shown})

    def result(self, number: int, name: str, text: str, *, ok: bool) -> None:
        """What came of it."""
        self._once(chats.TOOL_RESULT, number, text[:_RESULT], {"name": name, "ok": ok, "length": len(text)})

    def note(self, number: int, text: str) -> None:
        """Something that the person should know; ``number`` tells it from other notes of the turn."""
        self._once(chats.NOTE, number, text, {})

    def _once(self, kind: str, number: int, text: str, data: dict[str, Json]) -> None:
        if (kind, number) not in self._told:
            self._told.add((kind, number))
            self._tell(kind, text, {"n": number, **data})

    def _tell(self, kind: str, text: str, data: dict[str, Json]) -> None:
        chats.tell_held(self._factory.store, self._claim, self._turn, [(kind, text, data)])


def _texts(told: Iterable[TurnEvent]) -> dict[int, str]:
    """What was shown of the answer to each call."""
    shown: dict[int, str] = {}
    for event in told:
        call = int(event.data.get("call", 0))
        if event.kind == chats.TEXT:
            shown[call] = shown.get(call, "") + event.text
        elif event.data.get("again"):
            shown.pop(call, None)
    return shown


def _visible(text: str) -> str:
    """What of an answer that is still coming is surely for the person."""
    thinking = _THINKING.match(text)
    if thinking:
        end = text.find(f"</{thinking[1]}>")
        if end < 0:
            return ""
        text = text[end + len(thinking[1]) + 3 :]
    text = text.lstrip()
    return "" if not text or _HELD.match(text) or "<thi".startswith(text[:4]) else text
