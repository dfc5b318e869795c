"""How ``lao run`` shows itself: the live view on a terminal, else log lines; questions in both. Supervises nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lao.cli.context import Session, say
from lao.cli.handover import Idleness, Then, attended, pilot_of
from lao.cli.questions import Questions, on_a_terminal

if TYPE_CHECKING:
    from lao.cli.view.live import RunView
    from workflows.factory import Factory
    from workflows.supervisor import Supervisor

LOG: Final = "workers.log"
"""In the folder of the state: where the workers write while the live view is on."""

_NO: Final = ("", "0", "no", "false", "off")
_PLAIN: Final = ("plain", "log", "text", "none")


@dataclass(frozen=True)
class Eyes:
    """What shows a run.

    Attributes:
        log: the file for the workers' own lines; None: they go where ours go.
        tell: shows a text to the person.
        look: to be called several times a second; True: the person wants the run to end.
        finish: tells the last news, when the workers have ended.
    """

    log: Path | None
    tell: Callable[[str], None] | None
    look: Callable[[Supervisor], bool]
    finish: Callable[[], None]


def wants_view(session: Session, env: Mapping[str, str]) -> bool:
    """Whether the run is shown by the live view: on a terminal that can move its cursor, unless somebody wants plain
    lines."""
    return not wants_plain(session, env) and env.get("TERM", "dumb") != "dumb" and sys.stderr.isatty()


def wants_plain(session: Session, env: Mapping[str, str]) -> bool:
    """Whether somebody wants plain lines: ``--plain``, ``LAO_NO_TUI``, ``LAO_UI_MODE=plain``."""
    if session.flag("plain") or env.get("LAO_NO_TUI", "").lower() not in _NO:
        return True
    return env.get("LAO_UI_MODE", "").strip().lower() in _PLAIN


@contextmanager
def watching(session: Session, factory: Factory, *, quiet: bool = False) -> Iterator[Eyes]:
    """Show the run for a block; ``quiet``: show nothing and ask nobody."""
    if quiet:
        yield Eyes(None, None, lambda _supervisor: False, lambda: None)
    elif wants_view(session, os.environ):
        with _live(session, factory) as eyes:
            yield eyes
    elif on_a_terminal():
        with Questions(factory, sys.stdin.fileno(), time.monotonic) as questions:
            yield Eyes(None, say, lambda _supervisor: _asked(questions), lambda: None)
    else:
        yield Eyes(None, say, lambda _supervisor: False, lambda: None)


def _asked(questions: Questions) -> bool:
    questions.look()
    return False


@contextmanager
def _live(session: Session, factory: Factory) -> Iterator[Eyes]:
    from lao.cli.view.live import RunView

    log = factory.settings.paths.state_dir / LOG
    with RunView(factory, log) as view:
        if not on_a_terminal():
            yield Eyes(log, view.say, _looker(session, factory, view, None), view.finish)
            return
        with Questions(factory, sys.stdin.fileno(), time.monotonic, view.ask) as questions:
            view.asks_by(questions)
            yield Eyes(log, view.say, _looker(session, factory, view, questions), view.finish)


def _looker(
    session: Session, factory: Factory, view: RunView, questions: Questions | None
) -> Callable[[Supervisor], bool]:
    on_idle = pilot_of(session, factory) if questions is not None else None
    idleness = Idleness(time.monotonic)

    def look(supervisor: Supervisor) -> bool:
        if questions is not None:
            questions.look()
        view.look()
        asking = questions is not None and questions.asking
        if on_idle is None or not idleness.now(view.idle and not asking and attended(factory.store)):
            return False
        view.rest()
        with supervisor.tended():
            then = on_idle()
        return then is Then.LEAVE

    return look
