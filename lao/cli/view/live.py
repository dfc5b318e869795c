"""The run view at work: looks at the project a few times a second, tells what has happened, draws where it stands."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from lao.cli.look import Look, look_of, printable
from lao.cli.view.region import Keys, Region, reflows, size_of
from lao.cli.view.rows import rows
from lao.cli.view.told import told
from lao.cli.view.worker_log import WorkerLog
from workflows.progress import Snapshot, Watch

if TYPE_CHECKING:
    from lao.cli.questions import Questions
    from workflows.factory import Factory

EVERY_S: Final = 0.25
"""Between two looks at a project; the window's size is looked at whenever ``look`` is called."""


class _Told(logging.Handler):
    """Warnings of this very process, which would be printed into the rows."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(printable(record.getMessage()))


class RunView:
    """One terminal, from ``with`` to its end; then the terminal is as it was, with what has happened in its scrollback.

    Args:
        log: where the workers write; their warnings and errors are told.
        out: the terminal that is written to.
        clock: seconds that never go back.
    """

    def __init__(
        self, factory: Factory, log: Path, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = sys.stderr if out is None else out
        self._look: Look = look_of(self._out)
        self._watch = Watch(factory)
        self._log = WorkerLog(log)
        self._region = Region(self._out, lambda: size_of(self._out), reflowing=reflows(os.environ))
        self._keys = Keys()
        self._clock, self._next = clock, 0.0
        self._lines: list[str] = []
        self._snapshot: Snapshot | None = None
        self._questions: Questions | None = None
        self._continued = False
        self._open = ExitStack()

    def __enter__(self) -> RunView:
        self._open.enter_context(self._watch)
        before = signal.signal(signal.SIGCONT, self._continue)
        self._open.callback(signal.signal, signal.SIGCONT, before)
        logger, handler = logging.getLogger("lao"), _Told(self.say)
        logger.addHandler(handler)
        self._open.callback(logger.removeHandler, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._read_log()  # why a worker could not start
        self.rest()

    def asks_by(self, questions: Questions) -> None:
        """While a question of these is open, nothing is drawn and what is typed is shown."""
        self._questions = questions

    def say(self, text: str) -> None:
        """Tell a person something in the scrollback; for texts of LAO itself."""
        self._lines += [self._look.plain(line) for line in text.splitlines()]

    def ask(self, text: str) -> None:
        """As ``say``, at once, with the rows out of the way: an answer may be typed beneath it."""
        self.say(text)
        self.rest()

    @property
    def idle(self) -> bool:
        """Whether nothing was to be done at the last look."""
        return self._snapshot is not None and self._snapshot.standing.idle

    def look(self) -> None:
        """Draw what is new; returns at once. Draws nothing in the background, nor while somebody is asked.

        Raises:
            LaoError: the state cannot be read.
        """
        if not self._keys.ours:
            return
        if self._continued:
            self._continued = False
            self._region.forget()
        if self._clock() >= self._next:
            self._next = self._clock() + EVERY_S
            self._gather()
        if self._questions is not None and self._questions.asking:
            return
        self._keys.hide()
        self._draw()

    def finish(self) -> None:
        """Tell what has happened since the last look.

        Raises:
            LaoError: the state cannot be read.
        """
        self._gather()

    def rest(self) -> None:
        """Give the terminal back, as it was; the next ``look`` takes it again."""
        if not self._keys.ours:
            return
        if self._continued:
            self._region.forget()
        self._region.erase()
        self._region.draw(self._taken(), ())
        self._keys.show()

    def _continue(self, _number: int, _frame: object) -> None:
        self._continued = True

    def _gather(self) -> None:
        self._snapshot, found = self._watch.look()
        self._lines += [told(item, self._look) for item in found]
        self._read_log()

    def _read_log(self) -> None:
        self._lines += [self._look.line([self._look.piece("warn"), (" ", ""), (line, "")]) for line in self._log.news()]

    def _draw(self) -> None:
        if self._snapshot is not None:
            self._region.draw(self._taken(), rows(self._snapshot, self._look, *size_of(self._out)))

    def _taken(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines
