"""Promise: who looks on sees the calls in flight of live workers; while nobody looks nothing is written."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from lao.durable.live import LiveCall, LiveCalls, Onlooker, folder_of
from lao.durable.owners import current_owner

ME = current_owner().to_text()


class Now:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_nothing_is_written_while_nobody_looks(tmp_path: Path) -> None:
    """A run without an onlooker touches no file."""
    calls = LiveCalls(tmp_path, ME, Now())
    with calls.call(1, "coder", "m"):
        calls.heard(1)
    assert list(tmp_path.iterdir()) == []


def test_a_call_is_seen_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    """Before the first token, while it streams, with its rate, and not any more when it is over."""
    now, onlooker = Now(), Onlooker(tmp_path)
    assert onlooker.calls() == ()
    calls = LiveCalls(tmp_path, ME, now)
    with calls.call(7, "coder", "m"):
        assert onlooker.calls() == (LiveCall(7, "coder", "m", 100.0, at=100.0),)
        now.at = 110.0
        calls._written = 0.0
        calls.heard(1)
        (seen,) = onlooker.calls()
        assert (seen.heard, seen.tokens, seen.rate) == (110.0, 1, None)
        now.at = 112.0
        calls._written = 0.0
        calls.heard(81)
        (seen,) = onlooker.calls()
        assert (seen.tokens, seen.rate) == (81, 40.0)
        calls.heard(82)
        assert onlooker.calls() == (seen,), "at most twice a second"
    assert onlooker.calls() == ()


def test_another_try_begins_anew(tmp_path: Path) -> None:
    """A stream that broke off and is asked for again counts from its own first token."""
    now, onlooker = Now(), Onlooker(tmp_path)
    onlooker.calls()
    calls = LiveCalls(tmp_path, ME, now)
    with calls.call(7, "coder", "m"):
        calls.heard(50)
        now.at = 200.0
        calls._written = 0.0
        calls.heard(1)
        (seen,) = onlooker.calls()
    assert (seen.heard, seen.tokens) == (200.0, 1)


def test_each_thread_has_its_call(tmp_path: Path) -> None:
    """With gpu.parallel several answer at once."""
    onlooker = Onlooker(tmp_path)
    onlooker.calls()
    calls = LiveCalls(tmp_path, ME, Now())
    begun, over = threading.Event(), threading.Event()

    def other() -> None:
        with calls.call(2, "coder", "m"):
            begun.set()
            over.wait(10)

    thread = threading.Thread(target=other)
    with calls.call(1, "coder", "m"):
        thread.start()
        assert begun.wait(10)
        assert sorted(call.run or 0 for call in onlooker.calls()) == [1, 2]
    over.set()
    thread.join()
    assert onlooker.calls() == ()


def test_what_a_dead_worker_left_is_not_believed(tmp_path: Path) -> None:
    """kill -9 in the middle of a call, half a file, a file of another version: no call, no error."""
    onlooker = Onlooker(tmp_path)
    onlooker.calls()
    dead = ME.split(":")
    dead[1] = "999999999"
    call = {"run": 1, "role": "coder", "model": "m", "since": 1.0}
    folder = folder_of(tmp_path)
    (folder / "1.json").write_text(json.dumps({"owner": ":".join(dead), "calls": [call]}))
    (folder / "2.json").write_text('{"owner": "')
    (folder / "3.json").write_text(json.dumps({"owner": ME, "calls": [{**call, "colour": "red"}]}))
    (folder / "4.json").write_text(json.dumps({"owner": "nobody", "calls": [call]}))
    (folder / "5.json").write_text(json.dumps([1]))
    assert onlooker.calls() == ()
    (folder / "6.json").write_text(json.dumps({"owner": ME, "calls": [call]}))
    assert len(onlooker.calls()) == 1
    onlooker.leave()
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_stops_no_call(tmp_path: Path) -> None:
    """What is only shown is never worth an error of a phase."""
    folder_of(tmp_path).mkdir(parents=True)
    calls = LiveCalls(tmp_path, ME, Now())
    calls._path = calls._path.parent / "a" / ".." / ("x" * 300)
    with calls.call(1, "coder", "m"):
        calls.heard(3)
