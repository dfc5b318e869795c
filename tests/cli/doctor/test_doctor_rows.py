"""Single rows of ``lao doctor`` that no set-up of one machine can bring about: other disks, versions and machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lao.cli.context import Session
from lao.cli.doctor import disk, validators, versions, work
from lao.cli.doctor.scene import Scene
from lao.core.states import Queue
from lao.durable.owners import current_owner
from lao.state import lookover, pauses
from lao.state.store import Store, open_store
from lao.state.tables import RunRow, WorkerRow
from tests.state.pipeline_steps import hand_in

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / {root} rw,relatime - tmpfs tmpfs rw
31 30 0:41 / {root}/my\\040share rw - nfs4 server:/x rw
a torn line
"""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Store]:
    """The project's state, by the machine's clock."""
    store = open_store(tmp_path / ".lao" / "state.db")
    yield store
    store.close()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A project without a server, whose state a test may fill."""
    return Scene(Session(cwd=tmp_path, env={"LM_STUDIO_BASE_URL": "http://127.0.0.1:9"}))


def test_the_kind_of_a_disk_is_that_of_the_innermost_mount(tmp_path: Path) -> None:
    """Names with blanks are escaped in the table; one that cannot be read says nothing."""
    table = tmp_path / "mountinfo"
    share = tmp_path / "my share" / "deep"
    share.mkdir(parents=True)
    table.write_text(TABLE.format(root=tmp_path))
    found = [disk.filesystem(folder, table) for folder in (Path("/usr"), tmp_path, share)]
    assert found == ["ext4", "tmpfs", "nfs4"]
    assert disk.filesystem(tmp_path, tmp_path / "none") == ""


@pytest.mark.parametrize(
    ("kind", "level"), [("nfs4", "fail"), ("9p", "fail"), ("overlay", "warn"), ("xfs", "ok"), ("", "skipped")]
)
def test_a_network_is_no_place_for_the_state(kind: str, level: str) -> None:
    """SQLite's log and locks do not hold there; what does not last is a warning."""
    row = disk.judged(Path("/x"), kind)
    assert (row.level, bool(row.remedy)) == (level, level in ("warn", "fail"))


@pytest.mark.parametrize(("took_ms", "level"), [(0.001, "warn"), (5.0, "ok"), (900.0, "warn")])
def test_an_fsync_that_does_not_wait_is_told(took_ms: float, level: str) -> None:
    """So is one that holds every step up."""
    row = disk.fsync_row(took_ms)
    assert (row.level, "paths.database" in row.remedy) == (level, level == "warn")


def test_a_version_is_judged_by_its_numbers() -> None:
    """3.9 is less than 3.10."""
    assert versions.judged("x", (3, 9, 30), (3, 10), "newer").level == "fail"
    assert versions.judged("x", (3, 10, 0), (3, 10), "newer").level == "ok"


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("npm test", "npm"),
        ("CI=1 'my tool' --x", "my tool"),
        ("cd web && npm test", ""),
        ("$PYTHON -m pytest", ""),
        ('"torn', ""),
        ("", ""),
    ],
)
def test_the_program_of_a_command_line(line: str, program: str) -> None:
    """Nothing where only a shell could tell, so that no good command is called wrong."""
    assert validators.program_of(line) == program


def test_a_manifest_without_its_program(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The languages are those of the manifests that are there."""
    (tmp_path / "go.mod").write_text("module x\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    row = {check.name: check for check in validators.examine(scene)}["tools"]
    assert (row.level, row.text, row.remedy) == ("warn", "not there: go (for go.mod)", "install go")
    (tmp_path / "go").write_text("#!/bin/sh\n")
    (tmp_path / "go").chmod(0o755)
    assert {check.name: check for check in validators.examine(scene)}["tools"].level == "ok"


def test_a_worker_of_another_machine(scene: Scene, real: Store) -> None:
    """Whether it lives cannot be known from here; its machine and since when are told."""
    hand_in(real)
    owner = replace(current_owner(), host="elsewhere")
    WorkerRow.create(queue=Queue.CPU.value, owner=owner.to_text(), pid=owner.pid, started_at=time.time())
    row = {check.name: check for check in work.workers(scene)}["second"]
    assert (row.level, "elsewhere" in row.text, "`lao stop` on elsewhere" in row.remedy) == ("warn", True, True)


def test_what_waits_too_long_beside_a_worker(scene: Scene, real: Store) -> None:
    """Ten minutes; a paused plan waits for nobody."""
    plan = hand_in(real)
    owner = current_owner()
    WorkerRow.create(queue=Queue.CPU.value, owner=owner.to_text(), pid=owner.pid, started_at=time.time())
    RunRow.update(created_at=time.time() - 700).execute()
    row = {check.name: check for check in work.queue(scene)}["waiting"]
    assert (row.level, "`lao status`" in row.remedy) == ("warn", True)
    pauses.pause(real, plan)
    seen = lookover.look(real.path)
    assert seen is not None
    assert seen.waiting == ()
    assert {check.name: check for check in work.queue(scene)}["waiting"].level == "ok"
