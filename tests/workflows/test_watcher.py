"""Plans dropped into the folder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.state import plans
from tests.workflows.conftest import Plant
from workflows.watcher import AGAIN_S, SETTLE_S, PlanFolder, clean_leftovers, watch_forever

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"


def settle(plant: Plant, folder: PlanFolder) -> list[str]:
    """Two sweeps with the settling time between them."""
    folder.sweep()
    plant.factory.clock.wait(SETTLE_S + 0.05)
    folder.sweep()
    return folder.take_settled()


def test_a_dropped_plan_is_taken_once(plant: Open) -> None:
    """C1 C3: a settled file becomes a plan; touching it again with the same content does not make a second one."""
    factory = plant(clock=FakeClock())
    folder = PlanFolder(factory.factory)
    path = factory.root / "plans" / "a.md"
    path.write_text(PLAN)
    assert len(settle(factory, folder)) == 1
    os.utime(path)
    assert settle(factory, folder) == []
    path.write_text(PLAN + "\nMore.\n")
    (changed,) = settle(factory, folder)
    assert plans.get(factory.factory.store, changed).supersedes is not None


def test_a_file_that_is_still_written_waits(plant: Open) -> None:
    """C1: half-written files are not taken in."""
    factory = plant(clock=FakeClock())
    folder = PlanFolder(factory.factory)
    path = factory.root / "plans" / "a.md"
    path.write_text(PLAN[:10])
    folder.sweep()
    factory.factory.clock.wait(SETTLE_S + 0.05)
    path.write_text(PLAN)
    folder.sweep()
    assert folder.take_settled() == []
    factory.factory.clock.wait(SETTLE_S + 0.05)
    assert len(folder.take_settled()) == 1


def test_a_plan_that_cannot_be_taken_in_now_is_taken_in_later(plant: Open, caplog: pytest.LogCaptureFixture) -> None:
    """K1: a full disk or a locked state is no fault of the plan's: it is neither forgotten nor reported as bad."""
    factory = plant(clock=FakeClock())
    folder, store = PlanFolder(factory.factory), factory.factory.store
    (factory.root / "plans" / "a.md").write_text(PLAN)
    (factory.root / "plans" / "b.md").write_text(PLAN + "\nMore.\n")
    store.db.execute_sql("PRAGMA busy_timeout = 1")
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert settle(factory, folder) == []
    assert settle(factory, folder) == []
    assert caplog.text.count("plan a.md waits") == 1
    holder.execute("ROLLBACK")
    holder.close()
    factory.factory.clock.wait(AGAIN_S)
    assert len(settle(factory, folder)) == 2
    assert plans.rejections(store) == ()


def test_files_that_are_no_plans_are_left_alone_or_reported_once(plant: Open) -> None:
    """C1: README.md and hidden files never count; a bad plan is named with its reason, once, and changes nothing."""
    factory = plant(clock=FakeClock())
    folder = PlanFolder(factory.factory)
    for name in ("README.md", "readme.md", ".draft.md", "notes.txt"):
        (factory.root / "plans" / name).write_text(PLAN)
    (factory.root / "plans" / "binary.md").write_bytes(b"\x00\xff\xfe")
    (factory.root / "plans" / "factory.md").write_text(PLAN)
    assert settle(factory, folder) == []
    found = {Path(file).name: reason for file, _, reason in plans.rejections(factory.factory.store)}
    assert set(found) == {"binary.md", "factory.md"}
    assert "reserved" in found["factory.md"]
    assert plans.all_plans(factory.factory.store) == ()


def test_what_killed_writers_left_is_removed_at_the_start(plant: Open) -> None:
    """C1: temporary files of dead processes go from all three folders; those of live ones, and all else, stay."""
    factory = plant()
    paths = factory.factory.settings.paths
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folders = (paths.plans, paths.root, paths.state_dir)
    left = [folder / f".lao-{ended.pid}-0123456789ab.tmp" for folder in folders]
    kept = [
        paths.plans / f".lao-{os.getpid()}-0123456789ab.tmp",
        paths.root / ".lao-notes.tmp",
        paths.plans / "a.md.tmp",
    ]
    for path in (*left, *kept):
        path.write_text("half")
    factory.factory.stop.set()
    watch_forever(factory.factory)
    assert [path.name for path in left if path.exists()] == []
    assert all(path.exists() for path in kept)
    assert clean_leftovers(factory.factory) == 0
