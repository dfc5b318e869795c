"""The queue: order of work by resident model, message format, routing, wake-ups."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest
from huey.registry import Message

from workflows.serializer import JsonSerializer, peek_name, peek_runs
from workflows.storage import Affinity, QueueStorage

MODELS = {"plan": "p", "code": "c", "review": "r"}


def affinity(resident: str = "", **waves: int | None) -> Affinity:
    return Affinity(MODELS.__getitem__, lambda name: waves.get(name), lambda: resident)


def served(chooser: Affinity, names: list[str]) -> list[str]:
    """The order in which messages that are all waiting are taken."""
    waiting = [(number, name, 0.0) for number, name in enumerate(names, 1)]
    order = []
    while waiting:
        chosen = chooser.choose(waiting)
        order.append(next(name for number, name, _ in waiting if number == chosen))
        waiting = [row for row in waiting if row[0] != chosen]
    return order


def test_the_resident_model_is_served_first() -> None:
    """E4: work for the loaded model goes before older work for another one."""
    assert served(affinity("c"), ["review", "code", "review", "code"]) == ["code", "code", "review", "review"]


def test_the_longest_line_is_next() -> None:
    """E6: when the resident model has nothing to do, the swap that serves most work is made."""
    assert served(affinity("p"), ["code", "review", "review"]) == ["review", "review", "code"]


def test_a_wave_ends_at_its_size_while_others_wait() -> None:
    """D11: a batch size bounds how long another model's work waits; without other work there is no bound."""
    chooser = affinity("c", code=2, review=1)
    order = served(chooser, ["code"] * 4 + ["review"] * 2)
    assert order == ["code", "code", "review", "code", "code", "review"]
    assert served(affinity("c", code=2), ["code"] * 5) == ["code"] * 5


def test_one_model_for_all_roles_keeps_the_order_of_arrival() -> None:
    """E4: the same key across roles means no preference and no swap."""
    chooser = Affinity(lambda _name: "one", lambda _name: None)
    assert served(chooser, ["review", "code", "plan"]) == ["review", "code", "plan"]


def test_urgent_messages_go_first() -> None:
    """C5: a higher priority is served before affinity is asked."""
    assert affinity("c").choose([(7, "review", 5.0), (1, "code", 0.0)]) == 7


def test_messages_survive_as_json() -> None:
    """The queue file holds JSON; a chain comes back as it was."""
    tail = Message("id-2", "workflows.phases.verify", args=(8,), kwargs={})
    eta = dt.datetime(2030, 1, 2, 3, 4, 5)
    head = Message("id-1", "workflows.phases.code", eta=eta, retries=3, args=(7,), kwargs={}, on_complete=tail)
    data = JsonSerializer().serialize(head)
    assert json.loads(data)["v"] == 1
    assert JsonSerializer().deserialize(data) == head
    assert peek_name(data) == "workflows.phases.code"
    assert peek_runs(data) == {7, 8}


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04pickle", b'{"v":2,"message":{}}', b'{"v":1,"message":[]}'])
def test_unreadable_messages_are_errors_and_not_code(data: bytes) -> None:
    """Security: no message runs anything while it is read; peeking at a broken one says nothing."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        JsonSerializer().deserialize(data)
    assert peek_name(data) == ""
    assert peek_runs(data) == set()


def test_scheduled_messages_come_due_across_a_change_of_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E5: a retry that is due in the hour that daylight saving time skips comes when it is due, not an hour later."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    storage = QueueStorage("cpu", lambda: tmp_path / "queue.db")
    due = dt.datetime(2027, 3, 28, 2, 30)  # UTC; 02:30 does not exist in Berlin that night
    storage.add_to_schedule(b"x", due)
    assert storage.read_schedule(due - dt.timedelta(seconds=1)) == []
    assert storage.read_schedule(due + dt.timedelta(seconds=1)) == [b"x"]
    storage.add_to_schedule(b"y", due)
    ((at,),) = storage.sql("select timestamp from schedule", results=True)
    assert at == due.replace(tzinfo=dt.timezone.utc).timestamp()
    assert (tmp_path / "queue.db").stat().st_mode & 0o777 == 0o600
    storage.close()
    monkeypatch.undo()
    time.tzset()
