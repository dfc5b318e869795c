"""The person's seat: what the commands work on and what they answer. Shows nothing itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lao.core.errors import BadInput

if TYPE_CHECKING:
    from lao.cli.context import Session
    from workflows.factory import Factory

KEPT_RESULTS: Final = 200
"""Results of tools that ``/expand`` can still show; older ones are forgotten, so that memory stays flat."""

TALK: Final = "chat"
IDEATE: Final = "ideate"
SPEC: Final = "spec"


HANDED_BACK: Final = -1
"""``Reply.leave`` where the person gives the terminal back to ``lao run``, which is no exit code."""


@dataclass(frozen=True)
class Question:
    """A question for the model. ``kind``: how it is asked: ``TALK``, ``IDEATE`` or ``SPEC``."""

    text: str
    kind: str = TALK


@dataclass(frozen=True)
class Result:
    """What a tool gave. ``text`` is its beginning, ``length`` that of all; ``place``: run and label of its step."""

    text: str
    length: int
    place: tuple[int | None, str]


@dataclass(frozen=True)
class Reply:
    """What a command answers.

    Attributes:
        text: shown as it is; "" shows nothing.
        form: ``text``, ``markdown`` or ``diff``.
        code: 0, or the exit code that the same command has on the command line.
        ask: a question that follows from it.
        leave: the Pilot ends with this exit code.
        chat: the conversation that is gone on with from now.
        offer: the line that is taken when the person says yes to the text; "" asks nothing.
        watched: id of a plan whose gate is shown live until it is closed.
        moved: the project in which the person goes on.
    """

    text: str = ""
    form: str = "text"
    code: int = 0
    ask: Question | None = None
    leave: int | None = None
    chat: int | None = None
    offer: str = ""
    watched: str = ""
    moved: Path | None = None


@dataclass
class Seat:
    """One person at one terminal.

    Attributes:
        chat: number of the conversation.
        kind: how the next question is asked.
        from_run: the Pilot was opened by ``lao run``, and ``/resume`` gives the terminal back to it.
        moved: the project in which the Pilot goes on after it has ended here.
        results: the last results of tools with their numbers.
    """

    session: Session
    factory: Factory
    chat: int
    kind: str = TALK
    from_run: bool = False
    moved: Path | None = None
    results: deque[tuple[int, Result]] = field(default_factory=lambda: deque(maxlen=KEPT_RESULTS))
    _numbered: int = 0

    def keep(self, result: Result) -> int:
        """Keep a tool's result for ``/expand``. Returns its number."""
        self._numbered += 1
        self.results.append((self._numbered, result))
        return self._numbered

    def result(self, number: int | None) -> tuple[int, Result]:
        """A kept result, with None the last one.

        Raises:
            BadInput: there is none, or no longer.
        """
        if not self.results:
            raise BadInput("no tool has run here yet", "results are numbered as they come, for example [3]")
        if number is None:
            return self.results[-1]
        found = next((result for result in self.results if result[0] == number), None)
        if found is None:
            first, last = self.results[0][0], self.results[-1][0]
            raise BadInput(f"no result {number}", f"kept are {first} to {last}")
        return found


def on_idle(session: Session, factory: Factory) -> Callable[[], Any]:
    """What ``lao run`` calls when nothing is left to do (``lao.cli.handover``): the Pilot, in one conversation for as
    long as the run lasts, with visits to other projects. It returns whether the view goes on (``/resume``) or the run
    ends; KeyboardInterrupt after Ctrl-C twice."""
    chats: list[int] = []

    def take() -> Any:
        from lao.cli.pilot_cmd import INTERRUPTED, run
        from workflows import pilot

        if not chats:
            chats.append(pilot.open_chat(factory).id)
        code = run(session, factory, chat=chats[0], from_run=True)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        then = import_module("lao.cli.handover").Then
        return then.RESUME if code == HANDED_BACK else then.LEAVE

    return take
