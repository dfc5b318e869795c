"""Questions of models on a terminal: shown one after the other, answered by y, n or always. Blocks nothing."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from lao.cli.context import say
from lao.cli.view.region import in_foreground
from lao.core.errors import LaoError

if TYPE_CHECKING:
    from lao.state.approvals import Approval
    from workflows.factory import Factory

LOOK_S: Final = 0.5
_LONGEST: Final = 2_000
_SHORT: Final = 100
_WORDS: Final = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "a": "always", "always": "always"}


def on_a_terminal() -> bool:
    """Whether a person can see questions here and answer them."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def shown(found: Approval) -> str:
    """A question in words, with the call that it is about."""
    where = f"{found.plan}" + (f", task {found.task}" if found.task is not None else "")
    text = _call(found.tool, found.arguments)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text)} characters)"
    lines = [f"question {found.id} ({where}): may the model run this?", *(f"    {line}" for line in text.splitlines())]
    lines.append(f"  {found.reason}")
    if found.remember:
        lines.append(f"  always = allow from now on: {', '.join(found.remember)}")
    return "\n".join(_printable(line) for line in lines)


def in_short(question: Mapping[str, Any]) -> str:
    """An open question of ``view`` in one line, with the commands that answer it."""
    where = question["plan"] + (f", task {question['task']}" if question["task"] is not None else "")
    text = _printable(" ".join(_call(question["tool"], question["arguments"]).split()))
    text = text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
    return f"question {question['id']} ({where}): {text}; {' or '.join(repr(c) for c in question['commands'])}"


def answers(found: Approval) -> list[str]:
    """The commands that answer a question; [] when it is answered."""
    if found.answer:
        return []
    always = [f"lao approve {found.id} --always"] if found.remember else []
    return [f"lao approve {found.id}", *always, f"lao deny {found.id}"]


def view(found: Approval) -> dict[str, Any]:
    """A question as ``--json`` shows it; times in seconds since the epoch, ``answer`` null while it is open."""
    return {
        "id": found.id,
        "run": found.run,
        "plan": found.plan,
        "task": found.task,
        "tool": found.tool,
        "arguments": dict(found.arguments),
        "reason": found.reason,
        "remember": list(found.remember),
        "asked_at": found.asked_at,
        "answer": found.answer or None,
        "note": found.note,
        "answered_at": found.answered_at,
        "commands": answers(found),
    }


def _call(tool: str, arguments: Mapping[str, Any]) -> str:
    for key in ("command", "approved_plan"):
        if isinstance(arguments.get(key), str):
            return f"{tool}: {arguments[key]}"
    rest = "\n".join(f"{name}: {value}" for name, value in arguments.items())
    return f"{tool}\n{rest}" if rest else tool


def _printable(text: str) -> str:
    """Without what could move the cursor: a model must not be able to hide its question."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Questions(AbstractContextManager["Questions"]):
    """Shows the open questions of a project on this terminal and takes the answers from it, as long as it is open.

    Args:
        source: the descriptor that answers are read from, line by line.
        clock: seconds that never go back.
        tell: shows a text to the person.
    """

    def __init__(
        self, factory: Factory, source: int, clock: Callable[[], float], tell: Callable[[str], None] = say
    ) -> None:
        self._tell = tell
        self._factory, self._source, self._clock = factory, source, clock
        self._shown: Approval | None = None
        self._line = b""
        self._next_look = 0.0
        self._gone = False

    def __enter__(self) -> Questions:
        from lao.state import approvals

        approvals.attend(self._factory.store, self._factory.owner.to_text())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from lao.state import approvals

        approvals.leave(self._factory.store, self._factory.owner.to_text())

    @property
    def asking(self) -> bool:
        """Whether a question is shown that nobody has answered yet."""
        return self._shown is not None

    def look(self) -> None:
        """Show what is new and take what was typed; returns at once."""
        for line in self._typed():
            self._take(line.strip().lower())
        if self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_S
            self._show()

    def _show(self) -> None:
        from lao.state import approvals

        if self._shown is not None:
            now = approvals.get(self._factory.store, self._shown.id)
            if now is not None and not now.answer:
                return
            if now is not None:
                self._tell(f"question {now.id} is answered: {now.answer}")
            self._shown = None
        waiting = approvals.waiting(self._factory.store)
        if waiting:
            self._shown = waiting[0]
            self._tell("\a" + shown(self._shown) + "\n" + self._choices())

    def _choices(self) -> str:
        return "  y(es), n(o)" + (" or always?" if self._shown and self._shown.remember else "?")

    def _take(self, word: str) -> None:
        if self._shown is None or not word:
            return
        answer = _WORDS.get(word)
        if answer is None or (answer == "always" and not self._shown.remember):
            self._tell(self._choices())
            return
        from workflows.approvals import decide

        number, self._shown = self._shown.id, None
        self._next_look = 0.0
        try:
            done = decide(self._factory, number, answer)
        except LaoError as error:  # answered elsewhere at this moment, or the file of rules cannot be written
            self._tell(f"lao: {error}")
            return
        self._tell(f"question {number}: {done.answer}")

    def _is_ours(self) -> bool:
        """Whether what is typed is meant for this process: one in the background would be stopped by reading it."""
        return not os.isatty(self._source) or in_foreground(self._source)

    def _typed(self) -> list[str]:
        """The whole lines that were typed since the last look."""
        while not self._gone and self._is_ours() and select.select([self._source], [], [], 0)[0]:
            try:
                data = os.read(self._source, 4096)
            except OSError:  # the terminal was closed
                data = b""
            self._gone = not data
            self._line += data
        *lines, self._line = self._line.split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]
