"""What loads took, and which instances are LAO's, is kept across processes, for each server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.servers.gate.record import LoadRecord, LoadsInMemory
from lao.state.loads import KeptLoads
from lao.state.store import Store, open_store

URL = "http://127.0.0.1:1234"


@pytest.fixture(params=["memory", "state"])
def record(request: pytest.FixtureRequest, store: Store) -> LoadRecord:
    return LoadsInMemory() if request.param == "memory" else KeptLoads(store, URL)


def test_the_last_three_figures_are_kept(record: LoadRecord) -> None:
    """E4: for each model and context, the newest last."""
    for count in (1, 2, 3, 4):
        record.note_taken("m", 8192, count)
    record.note_taken("m", 4096, 9)
    assert record.taken("m", 8192) == (2, 3, 4)
    assert record.taken("m", 4096) == (9,)
    assert record.taken("other", 8192) == ()


def test_instances_come_and_go(record: LoadRecord) -> None:
    """E4: an instance is LAO's until it is gone; an unknown one that goes is no error."""
    record.note_loaded("m:2", "m")
    record.note_loaded("m:2", "m")
    assert record.loaded() == {"m:2": "m"}
    record.note_gone("m:2")
    record.note_gone("m:2")
    assert record.loaded() == {}


def test_another_process_knows_what_this_one_loaded(tmp_path: Path) -> None:
    """E4: the record is in the state file; another server's is another record."""
    first = open_store(tmp_path / "state.db")
    KeptLoads(first, URL).note_loaded("m", "m")
    KeptLoads(first, URL).note_taken("m", 8192, 20_000_000_000)
    first.close()
    second = open_store(tmp_path / "state.db")
    try:
        assert KeptLoads(second, URL).loaded() == {"m": "m"}
        assert KeptLoads(second, URL).taken("m", 8192) == (20_000_000_000,)
        assert KeptLoads(second, "http://other").loaded() == {}
        assert KeptLoads(second, "http://other").taken("m", 8192) == ()
    finally:
        second.close()
