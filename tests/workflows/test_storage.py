"""The queue: message format, routing, wake-ups."""

from __future__ import annotations

import datetime as dt
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huey.registry import Message

from lao.core.priority import TURN
from workflows.order import Affinity
from workflows.serializer import JsonSerializer, peek_name, peek_run
from workflows.slots import Slots
from workflows.storage import GpuStorage, QueueStorage


def test_messages_survive_as_json() -> None:
    """The queue file holds JSON; a chain comes back as it was."""
    tail = Message("id-2", "workflows.phases.verify", args=(8,), kwargs={})
    eta = dt.datetime(2030, 1, 2, 3, 4, 5)
    head = Message("id-1", "workflows.phases.code", eta=eta, retries=3, args=(7,), kwargs={}, on_complete=tail)
    data = JsonSerializer().serialize(head)
    assert json.loads(data)["v"] == 1
    assert JsonSerializer().deserialize(data) == head
    assert peek_name(data) == "workflows.phases.code"
    assert peek_run(data) == 7


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04pickle", b'{"v":2,"message":{}}', b'{"v":1,"message":[]}'])
def test_unreadable_messages_are_errors_and_not_code(data: bytes) -> None:
    """Security: no message runs anything while it is read; peeking at a broken one says nothing."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        JsonSerializer().deserialize(data)
    assert peek_name(data) == ""
    assert peek_run(data) == 0


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


def message(name: str) -> bytes:
    return JsonSerializer().serialize(Message("id", f"workflows.phases.{name}", args=(1,), kwargs={}))


def gpu_queue(path: Path) -> GpuStorage:
    chooser = Affinity({"workflows.phases.code": "c", "workflows.phases.review": "r"}.__getitem__, lambda _name: None)
    slots = Slots()
    return GpuStorage("gpu", lambda: path, chooser, lambda: slots)


def taken(storage: GpuStorage) -> list[str]:
    found = iter(storage.dequeue, None)
    return [peek_name(data).rpartition(".")[2] for data in found]


def test_the_queue_hands_out_by_line_and_in_order(tmp_path: Path) -> None:
    """E6, C5: a higher priority first, then the longest line, then what is left; each message once."""
    storage = gpu_queue(tmp_path / "queue.db")
    for name, priority in [("code", 0), ("review", 0), ("review", 0), ("code", 5), ("review", -10), ("code", -10)]:
        storage.enqueue(message(name), priority)
    assert taken(storage) == ["code", "code", "review", "review", "review", "code"]
    storage.close()


def test_a_queue_file_without_names_is_read(tmp_path: Path) -> None:
    """Messages of a queue made by plain Huey keep their place in line."""
    plain = QueueStorage.__mro__[1]("gpu", filename=str(tmp_path / "queue.db"), strict_fifo=True)
    for name in ("review", "code", "review"):
        plain.enqueue(message(name))
    plain.close()
    storage = gpu_queue(tmp_path / "queue.db")
    assert storage.next_runs(0) == {1}
    assert taken(storage) == ["review", "review", "code"]
    storage.close()


def test_a_turn_goes_beside_what_is_under_way(tmp_path: Path) -> None:
    """L2: a turn of the Pilot is handed out though as many phases as may be are at work, one turn at a time; phases
    wait for a place meanwhile."""
    models = {"workflows.phases.code": "c", "workflows.phases.pilot": "p"}
    slots = Slots()
    chooser = Affinity(models.__getitem__, lambda _name: None)
    storage = GpuStorage("gpu", lambda: tmp_path / "queue.db", chooser, lambda: slots, most=lambda: 1)
    for name, priority in [("code", 9), ("code", 9), ("pilot", TURN), ("pilot", TURN)]:
        storage.enqueue(message(name), priority)
    workers = [ThreadPoolExecutor(1) for _ in range(3)]

    def took(worker: int) -> str:
        data = workers[worker].submit(storage.dequeue).result()
        return peek_name(data).rpartition(".")[2] if data else ""

    assert [took(0), took(1), took(2)] == ["pilot", "code", ""]
    assert [took(0), took(2)] == ["pilot", ""]
    assert [took(0), took(1), took(2)] == ["", "code", ""]
    for worker in workers:
        worker.submit(storage.close).result()
        worker.shutdown()
