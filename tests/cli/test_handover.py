"""Promise: the terminal is handed over once each time that the work is done, and only where somebody takes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from lao.cli import handover
from lao.cli.context import Session
from lao.cli.handover import IDLE_S, Idleness, Then, attended, pilot_of
from lao.cli.watching import wants_view
from lao.durable.owners import current_owner
from lao.state import runs
from lao.state.store import open_store
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401 - fixtures

Open = Callable[..., Plant]


def test_once_for_each_end_of_the_work() -> None:
    """Not before it has lasted, not again until there was work."""
    now = [0.0]
    idleness = Idleness(lambda: now[0])
    assert not idleness.now(True)
    now[0] = IDLE_S - 0.1
    assert not idleness.now(True)
    now[0] = IDLE_S
    assert idleness.now(True)
    now[0] = 10 * IDLE_S
    assert not idleness.now(True)
    assert not idleness.now(False)
    assert not idleness.now(True)
    now[0] += IDLE_S
    assert idleness.now(True)


def test_not_before_the_workers_are_up(tmp_path: Path) -> None:
    """On a slow machine nothing is at work at first, since nobody has looked: that is no end of the work."""
    store = open_store(tmp_path / "state.db")
    me = current_owner().to_text()
    assert not attended(store)
    runs.register_worker(store, "gpu", me, os.getpid())
    assert not attended(store)
    runs.register_worker(store, "cpu", me, os.getpid())
    assert attended(store)
    runs.unregister_worker(store, "gpu", me)
    assert not attended(store)
    store.close()


def test_nobody_takes_it_where_it_is_not_wanted(plant: Open, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """--single-run, --plan and pilot_mode_enabled: false keep the view; without a Pilot nobody takes it."""
    seat = ModuleType("a_seat_of_a_test")
    seat.on_idle = lambda _session, _factory: lambda: Then.RESUME  # type: ignore[attr-defined]
    opened = plant().factory
    monkeypatch.setattr(handover, "SEAT", "lao.cli.nobody.seat")
    assert pilot_of(Session(), opened) is None
    monkeypatch.setattr(handover, "SEAT", "lao.cli.pilots_seat")
    assert pilot_of(Session(), opened) is None
    monkeypatch.setitem(sys.modules, "lao.cli.pilots_seat", seat)
    seat.__spec__ = handover.find_spec("lao.cli.handover")
    on_idle = pilot_of(Session(), opened)
    assert on_idle is not None and on_idle() is Then.RESUME
    assert pilot_of(Session(flags={"single_run": True}), opened) is None
    assert pilot_of(Session(flags={"plan": "x.md"}), opened) is None
    assert pilot_of(Session(), plant(orchestration={"pilot_mode_enabled": False}).factory) is None


@pytest.mark.parametrize(
    ("flags", "env", "wanted"),
    [
        ({}, {"TERM": "xterm"}, True),
        ({"plain": True}, {"TERM": "xterm"}, False),
        ({}, {"TERM": "xterm", "LAO_NO_TUI": "1"}, False),
        ({}, {"TERM": "xterm", "LAO_NO_TUI": "0"}, True),
        ({}, {"TERM": "xterm", "LAO_UI_MODE": "plain"}, False),
        ({}, {"TERM": "xterm", "LAO_UI_MODE": "tui"}, True),
        ({}, {"TERM": "dumb"}, False),
        ({}, {}, False),
    ],
)
def test_who_wants_plain_lines_gets_them(
    flags: dict[str, object], env: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--plain, the two variables of 3.1, and terminals without a cursor; off a terminal there is no view at all."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert wants_view(Session(flags=flags), env) is wanted
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert not wants_view(Session(flags=flags), env)
