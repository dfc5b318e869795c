"""One chat completion of the simulated server: make the model resident, choose the answer, send it, fail on demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lao.core.words import Json
from lao.servers.simulated import wire
from lao.servers.simulated.connection import Gone
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, Fault
from lao.servers.simulated.vram import Refusal

if TYPE_CHECKING:
    from lao.servers.simulated.handler import Handler

_INSTEAD = frozenset({"close", "http", "hang", "garbage", "html"})
_DURING = frozenset({"cut", "hang", "error_event"})
_SERVER_FAULT = {
    "error": {"type": "internal_error", "message": "The model has crashed without additional information."}
}


class Chat:
    """Answers one request and logs how it ended.

    The log's ``status`` is "ok", a fault's kind, an HTTP status, or "abandoned" when the client hung up. It is set
    before the last byte is sent, so that a client finds it in the log.
    """

    def __init__(self, handler: Handler, request: SimRequest) -> None:
        self._handler = handler
        self._line = handler.line
        self._home = handler.home
        self._request = request
        answer, fault = self._home.script.choose(request)
        self._answer = answer
        self._fault = fault
        self._entry = self._home.vram.note_completion(
            model=request.model,
            role=request.role or None,
            tools=len(request.tools),
            schema=request.schema is not None,
            messages=len(request.messages),
            prompt_tokens=request.prompt_tokens,
            fault=fault.kind if fault else None,
            status="open",
        )

    def run(self) -> None:
        """Send the answer, or do what the fault says.

        Raises:
            Gone: the connection must end.
        """
        try:
            if self._fault is not None and self._acts_instead(self._fault):
                self._ends(self._fault.status if self._fault.kind == "http" else self._fault.kind)
                self._handler.fail(self._fault)
            else:
                self._send()
        except Refusal as refusal:
            self._ends(refusal.status)
            self._handler.refuse(refusal)
        except Gone:
            if self._entry["status"] in ("open", "hang"):
                self._ends("abandoned")
            raise

    def _acts_instead(self, fault: Fault) -> bool:
        if fault.kind == "hang" and fault.after and self._request.stream:
            return False
        return fault.kind in _INSTEAD

    def _send(self) -> None:
        instance = self._home.vram.use(self._request.model)
        kind = self._fault.kind if self._fault else ""
        name = self._fault.name if self._fault and kind == "wrong_model" else instance.id
        if kind == "empty":
            self._answer = Answer(finish_reason="stop")
        created = int(self._home.clock.now())
        envelope = wire.Envelope(int(self._entry["number"]), name, created, self._request.prompt_tokens)
        self._line.pause(self._home.scenario.first_token_s)
        if self._request.stream:
            self._stream(wire.events(self._answer, envelope, include_usage=self._request.include_usage))
        else:
            self._whole(envelope)

    def _whole(self, envelope: wire.Envelope) -> None:
        self._line.pause(self._seconds(wire.usage(self._answer, envelope)["completion_tokens"]))
        fault = self._fault
        if fault is not None and fault.kind == "error_event":
            self._ends("error_event")
            return self._handler.send(500, "application/json", json.dumps(fault.body or _SERVER_FAULT).encode())
        data = json.dumps(wire.completion(self._answer, envelope), ensure_ascii=False).encode()
        if fault is not None and fault.kind == "cut":
            self._ends("cut")
            self._line.write(wire.head(200, "application/json", len(data)) + data[: len(data) // 2])
            raise Gone
        self._ends("ok")
        return self._handler.send(200, "application/json", data)

    def _stream(self, events: list[wire.Event]) -> None:
        """One write for everything when no pace is set."""
        fault = self._fault if self._fault is not None and self._fault.kind in _DURING else None
        out = wire.head(200, "text/event-stream", None)
        for event in events if fault is None else events[: fault.after]:
            if seconds := self._seconds(event.tokens):
                self._line.write(out)
                self._line.pause(seconds)
                out = b""
            out += wire.frame(event.data)
        if fault is None:
            self._ends("ok")
            return self._line.write(out + wire.LAST_FRAME)
        return self._break_off(fault, out)

    def _break_off(self, fault: Fault, out: bytes) -> None:
        self._ends(fault.kind)
        if fault.kind == "error_event":
            return self._line.write(out + wire.frame(wire.error_event(fault.body or _SERVER_FAULT)) + wire.LAST_FRAME)
        self._line.write(out)
        if fault.kind == "hang":
            self._line.wait_for_end()
        raise Gone

    def _seconds(self, count: int) -> float:
        pace = self._home.scenario.tokens_per_second
        return count / pace if pace > 0 else 0.0

    def _ends(self, status: Json) -> None:
        self._home.vram.finish(self._entry, status)
