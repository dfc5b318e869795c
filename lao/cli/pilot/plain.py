"""The Pilot without a terminal: questions from lines, plain answers; also one question from the command line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO, Final, TextIO

from lao.cli.look import look_of
from lao.cli.pilot import moving, route
from lao.cli.pilot.clean import clean
from lao.cli.pilot.commands import registry
from lao.cli.pilot.seat import Question, Reply, Seat
from lao.cli.pilot.talk import Item, Talk
from lao.core.errors import BadInput, LaoError
from lao.state.chats import Turn

INTERRUPTED: Final = 130
LOOK_S: Final = 0.1


class Plain:
    """Answers go to ``out``, everything else to ``err``. ``code`` is the exit code so far: that of the last failure."""

    def __init__(self, seat: Seat, out: TextIO, err: TextIO) -> None:
        self._seat, self._out, self._err = seat, out, err
        self._look = look_of(out)
        self._talk = Talk(seat)
        self._stopped = 0
        self.code = 0
        self.last: Turn | None = None

    def lines(self, source: BinaryIO, prompt: str = "") -> int:
        """Take each line of ``source`` as input, to its end, /exit or Ctrl-C. Returns the exit code."""
        with self._signals():
            for number, raw in enumerate(self._read(source, prompt), start=1):
                try:
                    text = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    why = BadInput(
                        f"line {number} is not UTF-8 text (byte {error.start}); it was not sent", "send UTF-8"
                    )
                    self._failed(why)
                    continue
                leave = self.take(text)
                if leave is not None:
                    return leave or self.code
                if self._stopped > 1:
                    break
        return INTERRUPTED if self._stopped else self.code

    def one(self, text: str) -> int:
        """Ask one question, or run one command. Returns the exit code."""
        with self._signals():
            leave = self.take(text)
        return leave or self.code

    def take(self, text: str) -> int | None:
        """One input. Returns an exit code when it ends the Pilot."""
        try:
            line = route.read(text, registry.by_any_name())
            if line.kind is route.Kind.NOTHING:
                return None
            if line.kind is route.Kind.QUESTION:
                moving.refuse_unasked(self._seat, line.rest)
                self._ask(Question(line.rest, self._seat.kind))
                return None
            return self._reply(registry.run(self._seat, line))
        except LaoError as error:
            self._failed(error)
        except OSError as error:
            self._failed(LaoError(f"the system says: {error}"))
        return None

    def _reply(self, reply: Reply) -> int | None:
        if reply.text:
            self._out.write(self._look.plain(clean(reply.text)) + "\n")
            self._out.flush()
        if reply.moved is not None:
            self._say("this Pilot stays where it is; start 'lao pilot' there")
        self.code = reply.code or self.code
        self._seat.chat = reply.chat or self._seat.chat
        if reply.ask is not None:
            self._ask(reply.ask)
        return reply.leave

    def _ask(self, question: Question) -> None:
        turn, items = self._talk.ask(question)
        self._show(items)
        self._talk.follow(turn, question)
        told = ""
        while self._talk.turn is not None:
            events, over = self._talk.fetch()
            self._show(self._talk.take(events, over))
            if self._talk.doing != told and self._talk.doing.startswith(("waits", "no worker", "loading")):
                told = self._talk.doing
                self._say(told)
            if over is not None:
                self.last = over
                self.code = self._talk.code or self.code
                self._reply(self._talk.over(over))
                return
            self._seat.factory.clock.wait(LOOK_S)

    def _show(self, items: list[Item]) -> None:
        for item in items:
            if item.kind == "markdown":
                self._out.write(self._look.plain(clean(item.text)).strip("\n") + "\n\n")
                self._out.flush()
            else:
                self._say(item.text)

    def _say(self, text: str) -> None:
        self._err.write(self._look.plain(clean(text)) + "\n")
        self._err.flush()

    def _failed(self, error: LaoError) -> None:
        self._say(f"lao: {error}")
        self.code = error.exit_code

    def _read(self, source: BinaryIO, prompt: str) -> Iterator[bytes]:
        while True:
            if prompt:
                self._err.write(prompt)
                self._err.flush()
            raw = source.readline()
            if not raw:
                return
            yield raw

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C ends the answer that comes; a second one, or one between answers, ends the Pilot."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self._stopped += 1
            if self._stopped > 1 or self._talk.turn is None:
                raise KeyboardInterrupt
            self._talk.interrupt()

        before: Callable[[int, FrameType | None], object] | int | None = signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def streams() -> tuple[TextIO, TextIO]:
    """Where answers and messages go."""
    return sys.stdout, sys.stderr
