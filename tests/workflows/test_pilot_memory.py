"""Promise: a worker that answers a person's questions for months does not grow."""

from __future__ import annotations

import gc
import json
import linecache
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lao.core.states import TurnState
from lao.state.chat_tables import TurnEventRow
from lao.state.chats import KEPT_TURNS
from tests.workflows.conftest import Plant
from tests.workflows.test_pilot import asked
from workflows import pilot

Open = Callable[..., Plant]
TABLE = 1_000_000
WARM_UP = 30
"""Turns until the events of old ones are dropped and every cache has what it keeps."""


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[str]:
    """The URL of a simulated server in a process of its own, whose memory is not the worker's."""
    scenario = tmp_path / "scenario.json"
    rules = [{"match": {"role": "pilot"}, "answer": {"text": "word " * 40}}]
    scenario.write_text(json.dumps({"responses": rules}))
    command = [sys.executable, "-m", "lao.servers.simulated", "--port", "0", "--scenario", str(scenario)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.terminate()


def held() -> int:
    """Bytes of Python objects allocated since the tracing began, by anything but the tests and the tracing.

    The interpreter's one table of interned strings is left aside too: it is a single block of megabytes that doubles
    at once, at whichever path happens to be the one too many.
    """
    aside = [tracemalloc.Filter(False, pattern) for pattern in ("*/tests/*", "*/tracemalloc.py", "*/linecache.py")]
    found = tracemalloc.take_snapshot().filter_traces(aside).statistics("lineno")
    return sum(item.size for item in found if not (item.size > TABLE and "intern(" in _line(item.traceback[0])))


def _line(frame: tracemalloc.Frame) -> str:
    return linecache.getline(frame.filename, frame.lineno)


def test_many_turns_leave_nothing_behind(plant: Open, outside: str) -> None:
    """L2: memory is flat, events are those of the latest turns. LAO_PILOT_TURNS=1000 says how many are tried."""
    turns = int(os.environ.get("LAO_PILOT_TURNS", "40"))
    factory = plant(lm_studio_base_url=outside)
    chat = pilot.open_chat(factory.factory).id
    for _ in range(WARM_UP):
        asked(factory, "warm up", chat)
    gc.collect()
    tracemalloc.start()
    before = held()
    for number in range(turns):
        assert asked(factory, f"question {number}?", chat).state is TurnState.DONE
    gc.collect()
    left = held() - before
    tracemalloc.stop()
    with factory.factory.store.reading():
        events = TurnEventRow.select().count()
    print(f"{turns} turns: {left / 1000:.0f} kB left, {events} events kept")
    assert left < 500_000
    assert events < KEPT_TURNS * 12
