"""T10: messages that are torn, altered, of another version or for tasks that nobody knows; and a queue's file that is
damaged as a whole.

40 examples; with ``LAO_LAB=ci`` 100, with ``nightly`` 1,000.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lao.core.states import Phase
from lao.state import queries, runs
from lao.state.tables import DeadLetterRow, PlanRow, RunRow
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures
from workflows import queue_file, queues
from workflows.reconciler import reconcile

Open = Callable[..., Plant]
LAB = os.environ.get("LAO_LAB", "")
EXAMPLES = {"": 40, "nightly": 1_000, "release": 1_000}.get(LAB, 100)

NAMES = ("workflows.phases.forgotten", "workflows.phases.verify", "os.system", "", "x" * 300)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.integers(2**62, 2**70), st.floats(), st.text(max_size=5),
    st.lists(st.integers(-3, 3), max_size=3), st.just({}), st.just({"name": "code"}),
    st.sampled_from(("2999-01-01T00:00:00", "1999-01-01T00:00:00", "2999-01-01T00:00:00+02:00")),
)  # fmt: skip
FIELDS = st.sampled_from(
    ("id", "name", "args", "kwargs", "eta", "retries", "retry_delay", "priority", "expires", "timeout", "on_complete",
     "on_error", "chord_config", "retry_backoff", "expires_resolved", "unheard_of")
)  # fmt: skip

tally: Counter[str] = Counter()


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, Callable[[bytes], Any]]:
    """What is done to a message, and its name."""
    kind = draw(st.sampled_from(("cut", "bits", "renamed", "older", "field", "other bytes", "text")))
    if kind == "cut":
        share = draw(st.floats(0, 0.99))
        return kind, lambda data: data[: int(len(data) * share)]
    if kind == "bits":
        places = draw(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 7)), min_size=1, max_size=6))
        return kind, lambda data: flipped(data, places)
    if kind == "renamed":
        name = draw(st.sampled_from(NAMES))
        return kind, lambda data: altered(data, "name", name)
    if kind == "older":
        version = draw(st.sampled_from((0, -1, 2, "1", None)))
        return kind, lambda data: json.dumps({**json.loads(data), "v": version}).encode()
    if kind == "field":
        field, value = draw(FIELDS), draw(VALUES)
        return kind, lambda data: altered(data, field, value)
    if kind == "text":
        return kind, lambda data: data.decode()[:-1]
    other = draw(st.one_of(st.binary(max_size=60), st.sampled_from((b"\x80\x04K\x01.", b"[" * 100_000, b"null", b"1"))))
    return kind, lambda _data: other


def flipped(data: bytes, places: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for share, bit in places:
        changed[int(len(changed) * share)] ^= 1 << bit
    return bytes(changed)


def altered(data: bytes, field: str, value: Any) -> bytes:
    document = json.loads(data)
    document["message"][field] = value
    return json.dumps(document).encode()


def only_run(phase: str) -> int:
    return int(RunRow.get(RunRow.phase == phase).id)


def begin(factory: Plant, phase: str, number: int) -> int:
    """A new plan whose run of this phase is ready and has its message; nothing else is there. Returns the run."""
    for huey in (queues.cpu, queues.gpu):
        huey.storage.flush_queue()
        huey.storage.flush_schedule()
    with factory.factory.store.write():
        PlanRow.delete().execute()
        DeadLetterRow.delete().execute()
    factory.submit(f"plan{number}", f"# Plan {number}\n\n- task: part | file: part.txt | content: x\n")
    if phase == "plan":
        assert factory._one(queues.cpu)
    return only_run(phase)


def put(huey: queues.FactoryHuey, table: str, data: Any) -> None:
    """The message as it is in the file now, its columns as they were."""
    if table == "schedule":
        huey.storage.sql("insert into schedule (queue, data, timestamp) select queue, data, 1 from task", commit=True)
        huey.storage.sql("delete from task", commit=True)
    huey.storage.sql(f"update {table} set data = ?", (data,), commit=True)


@pytest.mark.parametrize("phase", ["ingest", "plan"])
def test_no_message_can_stop_or_mislead_a_run(
    plant: Open,  # noqa: F811
    phase: str,
    record_property: Callable[[str, object], None],
) -> None:
    """T10: what cannot be read is kept as a dead letter, byte for byte, what can be read does nothing wrong, and either
    way the run is woken again and done, once."""
    factory = plant()
    huey = queues.cpu if phase == "ingest" else queues.gpu
    numbers = iter(range(10_000))
    tally.clear()

    @settings(
        max_examples=EXAMPLES // 2,
        deadline=None,
        derandomize=LAB not in ("nightly", "release"),
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(damage=damages(), table=st.sampled_from(("task", "schedule")))
    def example(damage: tuple[str, Callable[[bytes], Any]], table: str) -> None:
        run_id = begin(factory, phase, next(numbers))
        ((whole,),) = huey.storage.sql("select data from task", results=True)
        kind, change = damage
        torn = change(whole)
        put(huey, table, torn)
        tally[kind] += torn != whole
        read = deliver(huey, table)
        kept = [bytes(row.data) for row in DeadLetterRow.select()]
        assert kept == ([] if read else [torn.encode() if isinstance(torn, str) else bytes(torn)])
        tally["dead letter" if kept else "read"] += 1
        finish(factory, run_id)
        assert [row.state for row in RunRow.select().where(RunRow.phase == phase)] == ["done"]
        assert RunRow.get_by_id(run_id).errors == 0

    example()
    print(f"{phase}: {dict(tally)}")
    record_property("injected", EXAMPLES // 2)
    assert tally["dead letter"] > EXAMPLES // 5, "too few of them were damaged"
    assert set(tally) >= {"cut", "bits", "renamed", "older", "field"}


def deliver(huey: queues.FactoryHuey, table: str) -> bool:
    """What a consumer does with the message; whether it could be read."""
    if table == "schedule":
        read = huey.read_schedule()
        for task in read:
            huey.enqueue(task)
        if not read:
            return False
    try:
        task = huey.dequeue()
    except Exception:  # noqa: BLE001  # as Huey's worker does
        return False
    if task is not None:
        try:
            huey.execute(task)
        except Exception:  # noqa: BLE001
            tally["refused by Huey"] += 1
    return True


def finish(factory: Plant, run_id: int) -> None:
    """The reconciler and the worker until the run is over."""
    for _ in range(20):
        run = runs.get(factory.factory.store, run_id)
        if run is not None and run.state.value == "done":
            return
        reconcile(factory.factory)
        for huey in (queues.cpu, queues.gpu):
            factory._one(huey)
    raise AssertionError(f"not done: {queries.running_view(factory.factory.store)}, {run}")


def test_a_message_for_another_phase_of_a_run_does_nothing(plant: Open) -> None:  # noqa: F811
    """T10: a flipped bit in a run's number must not let the coder's work be done in the name of a verification."""
    factory = plant()
    factory.submit("p", "# P\n\n- task: part | file: part.txt | content: x\n")
    run_id = only_run("ingest")
    queues.cpu.storage.flush_queue()
    queues.cpu.enqueue(queues.task_for(Phase.CLOSE, run_id))
    assert factory._one(queues.cpu)
    run = runs.get(factory.factory.store, run_id)
    assert run is not None
    assert (run.state.value, run.epoch) == ("ready", 0)
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"


def garble(factory: Plant) -> None:
    """Garbage over the whole file but its head, under the open connections."""
    for huey in (queues.cpu, queues.gpu):
        huey.storage.sql("pragma wal_checkpoint(truncate)")
        huey.storage.close()
    path = factory.factory.settings.paths.queue
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(200)
        file.write(os.urandom(size - 200))


def turn_past_errors(factory: Plant) -> None:
    """As consumers do: an error of the queue's file is logged, and the next poll tries again."""
    for _ in range(5):
        try:
            factory.turn()
        except sqlite3.Error:
            continue
        return
    raise AssertionError("the queue's file stays damaged")


def test_a_damaged_queue_file_is_moved_aside_and_all_work_goes_on(plant: Open) -> None:  # noqa: F811
    """T10: the file holds wake-ups only; it used to stop all work for good."""
    factory = plant()
    factory.submit("p", "# P\n\n- task: part | file: part.txt | content: x\n")
    garble(factory)
    turn_past_errors(factory)
    assert factory.plans()[0]["state"] == "completed"
    path = factory.factory.settings.paths.queue
    assert path.with_name("queue.db.damaged").exists()
    assert queue_file.problem_of(path) == ""


def test_a_queue_file_that_somebody_deletes_is_made_again(plant: Open) -> None:  # noqa: F811
    """T10: also under open connections, which would go on with a file that nobody else sees."""
    factory = plant()
    factory.submit("p", "# P\n\n- task: part | file: part.txt | content: x\n")
    path = factory.factory.settings.paths.queue
    for name in ("queue.db", "queue.db-wal", "queue.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"
    assert path.exists()


def test_passing_trouble_is_no_damage() -> None:
    """T10: a lock or a full disk moves no file."""
    for text in ("database is locked", "database or disk is full", "disk I/O error", "unable to open database file"):
        assert not queue_file.is_damage(sqlite3.OperationalError(text))
    assert not queue_file.is_damage(sqlite3.ProgrammingError("Cannot operate on a closed database."))
    for text in ("database disk image is malformed", "no such table: task", "Could not decode to UTF-8 column 'name'"):
        assert queue_file.is_damage(sqlite3.OperationalError(text))
