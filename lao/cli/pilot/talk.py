"""A turn as it comes: its events made into what is shown. Knows no terminal, and keeps only the turn in flight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lao.cli.look import MARKS
from lao.cli.pilot import following
from lao.cli.pilot.blocks import Blocks
from lao.cli.pilot.clean import one_line
from lao.cli.pilot.commands import ideas
from lao.cli.pilot.seat import Question, Reply, Result, Seat
from lao.core.errors import LaoError
from lao.core.states import TurnState
from lao.state import chats
from lao.state.chats import Turn, TurnEvent
from workflows import pilot

_WORKER_RUNS: Final = "a worker runs already"


@dataclass(frozen=True)
class Item:
    """Something to show. ``kind``: markdown, tool, note, error, warn or text."""

    kind: str
    text: str


class Talk:
    """Asks, and follows one turn at a time.

    Attributes:
        turn: the one in flight, None when none is.
        doing: what it does or waits for, in words.
        code: exit code of the last turn: 0 done, 1 failed, 130 interrupted.
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.turn: Turn | None = None
        self.doing = ""
        self.code = 0
        self._question = Question("")
        self._after = 0
        self._blocks = Blocks()
        self._call = 0
        self._said = ""
        self._ended = False

    @property
    def open_text(self) -> str:
        """The part of the answer that is not a finished block yet."""
        return self._blocks.open

    def ask(self, question: Question) -> tuple[Turn, list[Item]]:
        """Queue a question, with a worker to answer it; ``lao run``, where it waits, sees to its own. The turn is to be
        followed (``follow``).

        Raises:
            LaoError: it cannot be asked.
        """
        seat = self.seat
        turn = pilot.ask(seat.factory, seat.chat, ideas.wording(seat, question))
        items = self._noted(turn)
        if seat.from_run:
            return turn, items
        told = pilot.ensure_worker(seat.factory, seat.session.worker_env())
        return turn, items if told.startswith(_WORKER_RUNS) else [*items, Item("note", told)]

    def _noted(self, turn: Turn) -> list[Item]:
        try:
            following.note(self.seat.factory.settings.paths.state_dir, turn.chat, turn.id)
        except (OSError, LaoError) as error:
            return [Item("warn", f"after a crash of this terminal use /resume-session {turn.chat}: {error}")]
        return []

    def follow(self, turn: Turn, question: Question) -> None:
        """Show this turn from its beginning."""
        self.turn, self._question = turn, question
        self.doing = "asked"
        self._after, self._call, self._said, self._ended = 0, 0, "", False
        self._blocks = Blocks()

    def fetch(self) -> tuple[Sequence[TurnEvent], Turn | None]:
        """What is new, and the turn where it is over. May be called in a thread of its own."""
        if self.turn is None:
            return (), None
        factory = self.seat.factory
        turn = pilot.turn(factory, self.turn.id)  # before the events: what is over has told all of them
        return pilot.events(factory, self.turn.id, self._after), turn if turn.over else None

    def take(self, events: Iterable[TurnEvent], over: Turn | None) -> list[Item]:
        """What is to be shown of them, in order."""
        items: list[Item] = []
        for event in events:
            self._after = max(self._after, event.seq)
            items += self._of(event)
        if over is not None and self.turn is not None and over.id == self.turn.id:
            items += self._end(over)
        return items

    def interrupt(self) -> None:
        """End the turn in flight. May be called in a thread of its own."""
        if self.turn is not None:
            pilot.interrupt(self.seat.factory, self.turn.id)

    def over(self, turn: Turn) -> Reply:
        """What follows when an answer has come: nothing, or the look at a draft.

        Raises:
            LaoError: it cannot be kept.
        """
        if turn.state is not TurnState.DONE:
            return Reply()
        return ideas.answered(self.seat, self._question, turn.answer)

    def _of(self, event: TurnEvent) -> list[Item]:
        if event.kind == chats.TEXT:
            return self._text(event)
        if event.kind == chats.WAITING:
            self.doing = one_line(event.text)
            return []
        if event.kind == chats.TOOL_CALL:
            called = _called(event)
            self.doing = one_line(called, 80)
            return [*self._finished(), Item("tool", call_line(called))]
        if event.kind == chats.TOOL_RESULT:
            self.doing = "thinks"
            return [*self._finished(), Item("tool" if event.data.get("ok", True) else "warn", self._result(event))]
        if event.kind == chats.NOTE:
            return self._note(event)
        return []  # the end is told by the turn itself

    def _text(self, event: TurnEvent) -> list[Item]:
        call = int(event.data.get("call", 0))
        before = self._finished() if call != self._call else []
        self._call, self.doing = call, "answers"
        self._said += event.text
        return before + [Item("markdown", block) for block in self._blocks.add(event.text)]

    def _note(self, event: TurnEvent) -> list[Item]:
        if event.data.get("thinking"):
            self.doing = "thinks"
            return []
        if not event.data.get("again"):
            return [*self._finished(), Item("note", event.text)] if event.text else []
        seen = bool(self._said.strip())  # what was printed stays above; what was not comes again
        self._blocks, self._said = Blocks(), ""
        return [Item("note", event.text or "the answer begins again")] if seen else []

    def _finished(self) -> list[Item]:
        return [Item("markdown", block) for block in self._blocks.finish()]

    def _result(self, event: TurnEvent) -> str:
        run = self.turn.run if self.turn is not None else None
        length = int(event.data.get("length", len(event.text)))
        place = (run, f"tool:{event.data.get('name')}-{event.data.get('n')}")
        number = self.seat.keep(Result(event.text, length, place))
        first = one_line(event.text.strip().partition("\n")[0], 120)
        more = length > len(first)
        mark = MARKS["result" if event.data.get("ok", True) else "failed"].symbol
        return f"  {mark} [{number}] {first}{f'  (/expand {number})' if more else ''}"

    def _end(self, turn: Turn) -> list[Item]:
        items = self._finished()
        if turn.answer.strip() and _squeezed(turn.answer) not in _squeezed(self._said):
            items += [Item("markdown", turn.answer)]
        if turn.state is TurnState.FAILED:
            items.append(Item("error", turn.error or "the turn failed; ask again"))
        elif turn.state is TurnState.INTERRUPTED:
            items.append(Item("warn", "interrupted; what had come is kept"))
        self.code = {TurnState.DONE: 0, TurnState.INTERRUPTED: 130}.get(turn.state, 1)
        self.turn, self.doing, self._said = None, "", ""
        try:
            following.forget(self.seat.factory.settings.paths.state_dir, turn.chat)
        except OSError as error:
            items.append(Item("warn", f"the note of this turn stays: {error}"))
        return items


def question_line(text: str) -> str:
    """What the person has typed, as it is shown."""
    return f"{MARKS['you'].symbol} {text}"


def call_line(call: str) -> str:
    """A tool's call as it is shown."""
    return f"{MARKS['tool'].symbol} {call}"


def _called(event: TurnEvent) -> str:
    """A call on one line: the tool, and the beginning of what it was given."""
    given = event.data.get("arguments")
    values = [value if isinstance(value, str) else repr(value) for value in (given or {}).values()]
    return one_line(" ".join([str(event.data.get("name") or event.text), *values]), 160)


def past(turns: Iterable[Turn], most: int = 5) -> list[Item]:
    """The last turns of a conversation as they are shown when it is taken up again; those in flight without an end."""
    items: list[Item] = []
    every = list(turns)
    if len(every) > most:
        items.append(Item("note", f"… {len(every) - most} earlier turns"))
    for turn in every[-most:]:
        items.append(Item("you", question_line(turn.question)))
        if not turn.over:
            continue
        items += [Item("tool", call_line(one_line(line, 160))) for line in turn.tools]
        items += [Item("markdown", turn.answer)] if turn.answer.strip() else []
        if turn.state is TurnState.FAILED:
            items.append(Item("error", turn.error))
        elif turn.state is TurnState.INTERRUPTED:
            items.append(Item("warn", "interrupted"))
    return items


def _squeezed(text: str) -> str:
    return " ".join(text.split())
