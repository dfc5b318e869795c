"""One chat completion of the simulated server: make the model resident, choose the answer, send it, fail on demand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lao.core.words import Json
from lao.servers.simulated import wire
from lao.servers.simulated.connection import Gone
from lao.servers.simulated.faults.context import overflow_text
from lao.servers.simulated.faults.forms import Act
from lao.servers.simulated.ledger import Instance
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
_BEHEADED = "It seems that the beginning of your message is missing. What would you like me to do?"


class Chat:
    """Answers one request and logs how it ended.

    The log's ``status`` is "ok", a fault's kind, an HTTP status, or "abandoned" when the client hung up; ``fault`` is
    the kind of a rule's fault or the code of a class. Both are set before the last byte is sent, so that a client finds
    them in the log.
    """

    def __init__(self, handler: Handler, request: SimRequest) -> None:
        self._handler = handler
        self._line = handler.line
        self._home = handler.home
        self._request = request
        self._answer, self._fault = self._home.script.choose(request)
        self._act = Act()
        self._entry = self._home.vram.note_completion(
            model=request.model,
            role=request.role or None,
            tools=len(request.tools),
            schema=request.schema is not None,
            messages=len(request.messages),
            prompt_tokens=request.prompt_tokens,
            fault=self._fault.kind if self._fault else None,
            status="open",
        )

    def run(self) -> None:
        """Send the answer, or do what the fault says.

        Raises:
            Gone: the connection must end.
        """
        try:
            with self._home.slots.entered() as crowded:
                self._answer_or_fail(crowded)
        except Refusal as refusal:
            self._ends(refusal.status)
            self._handler.refuse(refusal)
        except Gone:
            if self._entry["status"] in ("open", "hang"):
                self._ends("abandoned")
            raise

    def _answer_or_fail(self, crowded: bool) -> None:
        try:
            if self._fault is None:
                self._strike(crowded)
            if self._fault is not None and self._acts_instead(self._fault):
                self._ends(self._fault.status if self._fault.kind == "http" else self._fault.kind)
                self._handler.fail(self._fault)
            else:
                self._send()
        finally:
            self._aftermath()

    def _strike(self, crowded: bool) -> None:
        """Let the classes of faults have their chance."""
        faults, request = self._home.faults, self._request
        if evicted := faults.on("evict", request.role):
            self._home.vram.amend(self._entry, fault=evicted)
            self._home.vram.lose(request.model)
        strike = faults.on_chat(request, self._answer, int(self._entry["number"]), crowded=crowded)
        if strike is not None:
            self._act, self._fault = strike.act, strike.act.fault
            self._answer = strike.act.answer or self._answer
            self._home.vram.amend(self._entry, fault=strike.code)

    def _aftermath(self) -> None:
        if self._act.crash:
            self._home.vram.lose(self._request.model)
        if self._act.busy_s:
            self._home.slots.take(self._act.busy_s)

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
        form = self._within(instance)
        created = int(self._home.clock.now())
        shared = self._home.slots.shared(instance, self._request.prompt)
        cached = shared if self._home.scenario.tell_cache else None
        envelope = wire.Envelope(int(self._entry["number"]), name, created, self._request.prompt_tokens, cached, form)
        self._home.slots.wait()
        self._line.pause(self._home.scenario.first_token_s)
        if self._request.stream:
            self._stream(wire.events(self._answer, envelope, include_usage=self._request.include_usage))
        else:
            self._whole(envelope)

    def _within(self, instance: Instance) -> wire.Form:
        """Keep to the loaded context and to ``max_tokens``.

        Raises:
            Refusal: the prompt does not fit.
        """
        prompt, context = self._request.prompt_tokens, instance.context_length
        form = self._act.form
        if prompt >= context:
            if self._home.scenario.overflow == "error":
                text = overflow_text(int(self._entry["number"]), prompt, context)
                raise Refusal(400, "exceed_context_size_error", text)
            beheaded = self._home.scenario.overflow == "truncate"
            self._answer = Answer(_BEHEADED if beheaded else "", finish_reason="stop")
            return replace(form, prompt_tokens=context - 1, bare=not beheaded)
        self._answer = wire.limited(self._answer, min(self._request.max_tokens or context, context - prompt))
        return form

    def _whole(self, envelope: wire.Envelope) -> None:
        self._line.pause(self._act.delay_s + self._seconds(wire.generated(self._answer)))
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
        if self._act.delay_s:
            self._line.write(out + wire.frame(b": keep-alive\n\n"))
            self._line.pause(self._act.delay_s)
            out = b""
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
            out += wire.frame(wire.error_event(fault.body or _SERVER_FAULT))
            self._line.write(out if self._act.hold else out + wire.LAST_FRAME)
            if not self._act.hold:
                return
        else:
            self._line.write(out)
        if fault.kind == "hang" or self._act.hold:
            self._line.wait_for_end()
        raise Gone

    def _seconds(self, count: int) -> float:
        pace = self._home.scenario.tokens_per_second
        return count / pace if pace > 0 else 0.0

    def _ends(self, status: Json) -> None:
        self._home.vram.finish(self._entry, status)
