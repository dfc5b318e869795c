"""The Pilot on a terminal: an input line that stays ready while answers are printed above it."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from prompt_toolkit.shortcuts import PromptSession

from lao.cli.pilot import face, following, moving, route
from lao.cli.pilot.beside import Beside
from lao.cli.pilot.clean import one_line
from lao.cli.pilot.commands import registry
from lao.cli.pilot.commands.models import ServerModels
from lao.cli.pilot.completion import Completions
from lao.cli.pilot.history import FILE_NAME, KeptHistory
from lao.cli.pilot.screen import Screen
from lao.cli.pilot.seat import Question, Reply, Seat
from lao.cli.pilot.status import EVERY_S, Glance, Looker
from lao.cli.pilot.talk import Item, Talk, past, question_line
from lao.core.errors import LaoError
from lao.state import approvals
from lao.state.chats import Turn
from workflows import pilot

INTERRUPTED: Final = 130
LOOK_S: Final = 0.06
TWICE_S: Final = 3.0
"""Two Ctrl-C within this time leave."""

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
_ANSWERS: Final = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "a": "always", "always": "always"}


class Terminal:
    """One person at one terminal.

    Args:
        screen: what is printed above the input line.
        source, sink: the terminal; None is the process's own.
    """

    def __init__(self, seat: Seat, screen: Screen, source: Input | None = None, sink: Output | None = None) -> None:
        self.seat, self.screen, self.talk = seat, screen, Talk(seat)
        self._source, self._sink = source, sink
        self._glance = Glance()
        self._watched = ""
        self._asked: int | None = None
        self._offer: moving.Offer | str | None = None
        self._held: deque[Question] = deque()
        self._inputs: asyncio.Queue[str] = asyncio.Queue()
        self._stopped_at = -TWICE_S
        self._told = ""
        self._beside = Beside(self._failed)
        self._session: PromptSession[int]

    def run(self) -> int:
        """Until the person leaves. Returns the exit code: 0, or 130 after Ctrl-C."""
        before = {number: signal.getsignal(number) for number in _ENDING}
        try:
            with create_app_session(input=self._source, output=self._sink):
                return asyncio.run(self._main())
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in before.items():  # the loop has put the system's own in their place
                    signal.signal(number, handler)

    async def _main(self) -> int:
        path = self.seat.factory.settings.paths.state_dir / FILE_NAME
        self._session = face.input_line(
            self,
            history=KeptHistory(path, lambda text: self._later([Item("warn", text)])),
            completer=Completions(
                lambda: self._glance, self.seat.factory.settings.paths.root, ServerModels(self.seat.session)
            ),
            accept=self._accept,
            look=self.screen.look,
        )
        store, owner = self.seat.factory.store, self.seat.factory.owner.to_text()
        await self._beside.work(lambda: approvals.attend(store, owner))
        try:
            code = await self._session.prompt_async(pre_run=self._begin, handle_sigint=False)
        finally:
            await self._beside.work(lambda: approvals.leave(store, owner))
            await self._beside.close(store.close)
        if self.talk.turn is not None:
            self.screen.line("the answer goes on; the next 'lao pilot' shows it", "note")
        return code

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            try:
                loop.add_signal_handler(number, lambda: self._exit(INTERRUPTED))
            except (ValueError, RuntimeError, NotImplementedError):  # not the main thread: a test
                break
        self._beside.start(self._beside.look(self.screen.warm))
        self._beside.start(self._guarded(self._greet()))
        self._beside.start(self._serve())
        self._beside.start(self._watch())

    async def _greet(self) -> None:
        """Show what the last terminal did not see the end of, or the conversation that was asked for."""
        seat = self.seat
        left = await self._beside.work(lambda: following.left(seat.factory.settings.paths.state_dir))
        if left is not None:
            seat.chat = left[0]
            self._print(
                [Item("note", f"the last terminal ended in the middle of conversation {left[0]}; it goes on here")]
            )
        else:
            self._print([Item("note", face.greeting(seat.factory.settings.paths.root, moving.came_from()))])
        await self._take_up()
        if left is not None and self.talk.turn is None:
            await self._beside.work(lambda: following.forget(seat.factory.settings.paths.state_dir, left[0]))

    async def _take_up(self) -> None:
        """Show the end of the conversation, and follow its turn in flight."""
        said = await self._beside.work(lambda: pilot.turns(self.seat.factory, self.seat.chat))
        self._print(past(said))
        if said and not said[-1].over:
            self.talk.follow(said[-1], Question(said[-1].question))

    # what is typed

    def _accept(self, buffer: Buffer) -> bool:
        self._inputs.put_nowait(buffer.text)
        return False

    async def _serve(self) -> None:
        while True:
            await self._guarded(self._take(await self._inputs.get()))

    async def _take(self, text: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._print([Item("error", "what was typed is not UTF-8 text; it was not sent")])
            return
        if text.strip():
            self._print([Item("you", question_line(face.head(text)))])
        if self._asked is not None and text.strip().lower() in _ANSWERS:
            await self._answer(self._asked, _ANSWERS[text.strip().lower()])
            return
        offer, self._offer = self._offer, None
        if offer is not None and (word := text.strip().lower()) in _ANSWERS:
            if _ANSWERS[word] != "no":
                await self._go(offer)
            return
        line = route.read(text, registry.by_any_name())
        if line.kind is route.Kind.QUESTION:
            if not await self._moves(line.rest):
                await self._ask(Question(line.rest, self.seat.kind))
        elif line.kind is route.Kind.COMMAND:
            reply = await self._beside.work(lambda: registry.run(self.seat, line))
            self._watched, self._offer = reply.watched, reply.offer or None
            await self._replied(reply)

    async def _moves(self, text: str) -> bool:
        """Whether the line is about another project: then it is no question, and going there is asked first."""
        found = await self._beside.work(lambda: moving.offered(self.seat, text))
        self._offer = found if isinstance(found, moving.Offer) else None
        told = found.text if isinstance(found, moving.Offer) else found
        self._print([Item("warn", told)] if told else [])
        return bool(told)

    async def _go(self, offer: moving.Offer | str) -> None:
        if isinstance(offer, str):
            await self._take(offer)
        elif offer.scan:
            await self._take(f"/project scan {shlex.quote(str(offer.path))}")
        else:
            self._move(offer.path)

    def _move(self, path: Path) -> None:
        self.seat.moved = moving.next_seat(path)
        self._exit(0)

    async def _replied(self, reply: Reply) -> None:
        if reply.text:
            kind = reply.form if reply.form != "text" else "warn" if reply.code else "text"
            self._print([Item(kind, reply.text)])
        if reply.chat is not None and reply.chat != self.seat.chat:
            self.seat.chat, self.talk.turn = reply.chat, None
            await self._take_up()
        if reply.ask is not None:
            await self._ask(reply.ask)
        if reply.moved is not None:
            self._move(reply.moved)
        if reply.leave is not None:
            self._exit(reply.leave)

    async def _ask(self, question: Question) -> None:
        if self.talk.turn is not None:
            self._held.append(question)
            self._print([Item("note", f"asked when this answer is over ({len(self._held)} waiting)")])
            return
        turn, items = await self._beside.work(lambda: self.talk.ask(question))
        self._print(items)
        self.talk.follow(turn, question)

    async def _answer(self, number: int, word: str) -> None:
        from workflows.approvals import decide

        self._asked = None
        done = await self._beside.work(lambda: decide(self.seat.factory, number, word))
        self._print([Item("note", f"question {number}: {done.answer}")])

    # what comes

    async def _watch(self) -> None:
        looker = Looker(self.seat.factory, time.monotonic)
        next_glance = 0.0
        while True:
            if self.talk.turn is not None:
                await self._guarded(self._follow())
            if time.monotonic() >= next_glance:
                next_glance = time.monotonic() + EVERY_S
                await self._guarded(self._glanced(looker))
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        events, over = await self._beside.look(self.talk.fetch)
        if not events and over is None:
            return
        self._print(self.talk.take(events, over))
        self._session.app.invalidate()
        if over is not None:
            await self._ended(over)

    async def _ended(self, over: Turn) -> None:
        reply = await self._beside.work(lambda: self.talk.over(over))
        await self._replied(reply)
        if self._held:
            await self._ask(self._held.popleft())

    async def _glanced(self, looker: Looker) -> None:
        self._glance = await self._beside.look(lambda: looker.look(self._watched))
        if self._glance.over and self._watched:
            self._print([Item("text", self._glance.gate)])
            self._watched = ""
        question = self._glance.question
        if question is not None and question.id != self._asked:
            from lao.cli.questions import shown

            self._asked = question.id
            self._print([Item("warn", f"{shown(question)}\n  y(es), n(o){' or always' if question.remember else ''}?")])
        elif question is None:
            self._asked = None
        self._session.app.invalidate()

    # keys

    def stop(self) -> None:
        """Ctrl-C: end the answer, or clear the line; twice leaves."""
        now, before = time.monotonic(), self._stopped_at
        self._stopped_at = now
        if now - before < TWICE_S:
            self._exit(INTERRUPTED)
        elif self.talk.turn is not None:
            self._held.clear()
            self._beside.start(self._guarded(self._interrupt()))
        elif self._session.default_buffer.text:
            self._session.default_buffer.reset()
        else:
            self._print([Item("note", "Ctrl-C again, or Ctrl-D, leaves")])

    async def _interrupt(self) -> None:
        await self._beside.work(self.talk.interrupt)

    def leave(self) -> None:
        """Ctrl-D."""
        self._exit(0)

    def expand(self) -> None:
        """Ctrl-O."""
        self._inputs.put_nowait("/expand")

    def close(self) -> None:
        """Escape: the live gate is shown no more."""
        self._watched = ""

    def paste(self, text: str) -> str:
        """The text, or nothing of one that is too long to be a question."""
        if len(text) <= pilot.MOST_CHARACTERS:
            return text
        self._print([face.not_taken(text)])
        return ""

    # what is shown

    def message(self) -> StyleAndTextTuples:
        """What stands before the cursor, and above it."""
        gate = self._glance.gate if self._watched else ""
        doing = self.talk.doing if self.talk.turn is not None else None
        return face.above_the_line(gate, self.talk.open_text, doing, self.screen.look)

    def toolbar(self) -> str:
        """The status line."""
        kind = "" if self.seat.kind == "chat" else f"{self.seat.kind} · "
        return self.screen.look.plain(one_line(kind + self._glance.line, shutil.get_terminal_size().columns - 1))

    def _print(self, items: list[Item]) -> None:
        """Above the input line, which is drawn anew below."""
        if not items:
            return
        app = self._session.app
        running = app.is_running
        if running:
            app.renderer.erase()
        for item in items:
            face.onto(self.screen, item)
        if running:
            app.renderer.request_absolute_cursor_position()
            app.invalidate()

    def _later(self, items: list[Item]) -> None:
        """From another thread, or before the line is there."""
        loop = self._session.app.loop
        if loop is None:
            self._print(items)
        else:
            loop.call_soon_threadsafe(self._print, items)

    # threads and errors

    async def _guarded(self, step: Coroutine[Any, Any, None]) -> None:
        """What goes wrong is said, and the line stays; the same words are not said twice in a row."""
        try:
            await step
        except (LaoError, OSError) as error:
            if str(error) != self._told:
                self._print([Item("error", str(error))])
            self._told = str(error)
        else:
            self._told = ""

    def _failed(self, error: BaseException) -> None:
        """An error that nobody expected ends the Pilot; the command line says what it was."""
        if self._session.app.is_running and not self._session.app.is_done:
            self._session.app.exit(exception=error)

    def _exit(self, code: int) -> None:
        if self._session.app.is_running and not self._session.app.is_done:
            self._session.app.exit(result=code)
