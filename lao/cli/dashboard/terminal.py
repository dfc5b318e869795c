"""``lao dashboard`` on a terminal: what ``lao run`` shows, beside it, and what needs the person. Reads only."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TextIO

from lao.cli.look import Look, look_of
from lao.cli.view.region import Keys, Region, reflows, size_of
from lao.cli.view.rows import rows
from lao.cli.view.told import told

if TYPE_CHECKING:
    from lao.projects.needs import Need
    from lao.state.progress import Standing
    from workflows.factory import Factory

LOOK_S: Final = 0.25
NEEDS: Final = 4
"""Rows of what needs the person, at most; the rest is counted."""

LEAVES: Final = "Ctrl-C leaves, the work goes on"


def show(factory: Factory, ended: threading.Event, out: TextIO | None = None) -> None:
    """Draw until ``ended`` is set; then the terminal is as it was, with what has happened in its scrollback.

    Raises:
        LaoError: the state cannot be read.
    """
    from lao.projects.needs import needs_in
    from lao.state.glance import glance
    from workflows.progress import Watch

    out = sys.stdout if out is None else out
    look, keys = look_of(out), Keys()
    region = Region(out, lambda: size_of(out), reflowing=reflows(os.environ))
    continued = threading.Event()
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(factory))
        before = signal.signal(signal.SIGCONT, lambda _number, _frame: continued.set())
        stack.callback(signal.signal, signal.SIGCONT, before)
        stack.callback(keys.show)
        stack.callback(region.erase)
        standing: Standing | None = None
        needs: tuple[Need, ...] = ()
        while not ended.is_set():
            if continued.is_set():
                continued.clear()
                region.forget()
            snapshot, found = watch.look()
            if snapshot.standing is not standing:
                standing, needs = snapshot.standing, needs_in(glance(factory.settings.paths.database))
            if keys.ours:  # one in the background would be stopped by the terminal
                keys.hide()
                width, height = size_of(out)
                wanting = need_rows(needs, look, width, min(NEEDS, max(0, height - 5)))
                at_work = rows(snapshot, look, width, height - len(wanting), ends=LEAVES)
                region.draw([told(item, look) for item in found], [*wanting, *at_work])
            ended.wait(LOOK_S)


def need_rows(needs: tuple[Need, ...], look: Look, width: int, most: int) -> list[str]:
    """What needs the person, each with the command for it; no row is wider than the window."""
    shown = needs if len(needs) <= most else needs[: max(0, most - 1)]
    found = [
        look.line([look.piece("needs_human"), (f" {need.hint}: ", "strong"), (need.text, "person")], width - 1)
        for need in shown
    ]
    if most and len(shown) < len(needs):
        found.append(look.line([(f"  +{len(needs) - len(shown)} more: lao status", "quiet")], width - 1))
    return found
