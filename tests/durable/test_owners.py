"""Promises of lao.durable.owners: an owner is one process, and a lock dies with its holder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lao.core.errors import BadInput, Refused
from lao.durable.owners import FileLock, Owner, current_owner


def test_owner_is_one_process_of_one_boot() -> None:
    """An owner is alive while that very process runs; another start time, boot or a dead pid is dead."""
    me = current_owner()
    assert me.alive() and me.local
    assert Owner.from_text(me.to_text()) == me
    assert not Owner(me.host, me.boot_id, me.pid, me.started + 1).alive()
    assert not Owner(me.host, "other-boot", me.pid, me.started).alive()
    assert not Owner("elsewhere", me.boot_id, me.pid, me.started).local
    with pytest.raises(BadInput):
        Owner.from_text("nonsense")


def test_zombie_owner_is_dead() -> None:
    """A killed worker whose parent has not reaped it counts as dead at once."""
    code = "from lao.durable.owners import current_owner as c; print(c().to_text(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        owner = Owner.from_text(child.stdout.readline().strip())
        assert owner.alive()
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not owner.alive()
    assert not owner.alive()


def test_lock_refuses_and_names_the_holder(tmp_path: Path) -> None:
    """The second taker is told the pid and the thing; after release it may."""
    first, second = FileLock(tmp_path / "d" / "gpu.lock", "the gpu queue"), FileLock(tmp_path / "d" / "gpu.lock")
    with first:
        first.acquire()
        with pytest.raises(Refused, match=str(os.getpid())):
            second.acquire()
    with second:
        assert str(os.getpid()) in second.holder()
    assert second.holder() == ""


def test_lock_dies_with_its_owner(tmp_path: Path) -> None:
    """After kill -9 of the holder the lock is free at once, without cleaning up."""
    path = tmp_path / "lock"
    code = f"""
from pathlib import Path
from lao.durable.owners import FileLock
lock = FileLock(Path({str(path)!r}), "the project"); lock.acquire(); print("held", flush=True); input()"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(Refused, match=f"the project is held by process {child.pid}"):
            FileLock(path, "the project").acquire()
        child.kill()
    with FileLock(path):
        pass


def test_a_lock_that_is_only_looked_at_refuses_nobody(tmp_path: Path) -> None:
    """P6: two that start at once each look whether the other works; that look used to make a worker end."""
    path = tmp_path / "gpu.lock"
    looking = FileLock(path)
    looking.acquire()
    timer = threading.Timer(0.1, looking.release)
    timer.start()
    with FileLock(path):
        timer.join()


def test_a_refusal_names_a_holder_that_has_only_just_begun(tmp_path: Path) -> None:
    """P6: between the lock and the pid in its file the second of two starts used to be told of "another process"."""
    path = tmp_path / "gpu.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        timer = threading.Timer(0.1, lambda: path.write_text("4711\nlao run\n"))
        timer.start()
        with pytest.raises(Refused, match="process 4711"):
            FileLock(path).acquire()
        timer.join()
