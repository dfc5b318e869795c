"""Promise: what surrounded the commands of a project can be told from its state."""

from __future__ import annotations

from lao.core.words import CommandResult
from lao.state import surroundings
from lao.state.store import Store


def test_the_last_worker_is_believed(store: Store) -> None:
    """Nothing before the first; then what it found, until another one finds something else."""
    assert surroundings.last(store) is None
    surroundings.note(store, "none", "NO SANDBOX", holds=False)
    surroundings.note(store, "bubblewrap", "bubblewrap, no network", holds=True)
    found = surroundings.last(store)
    assert found is not None
    assert 0 <= store.now() - found.pop("at") < 600
    assert found == {"backend": "bubblewrap", "text": "bubblewrap, no network", "holds": True}


def test_a_result_that_was_recorded_before_is_read() -> None:
    """Steps of an older journal have no isolation, and what has none is written as it was then."""
    old = CommandResult("c", 0, "o")
    assert "isolation" not in old.to_json()
    assert CommandResult.from_json(old.to_json()) == old
    new = CommandResult("c", 0, isolation="landlock, no TCP (UDP is open)")
    assert CommandResult.from_json(new.to_json()) == new
