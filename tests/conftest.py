"""A real state file on disk, with a clock that tests turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.state.store import Store, open_store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    opened = open_store(tmp_path / ".lao" / "state.db", clock)
    yield opened
    opened.close()
