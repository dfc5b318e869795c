"""Promise: ``lao doctor`` names the right remedy: state, disk, plans folder, the system's watches."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from lao.cli.main import main
from tests.cli.doctor.setups import Project, Rows, rows_of
from tests.durability.test_processes import can_mount


def test_the_state_is_of_a_newer_lao(project: Project) -> None:
    """Told as that, and nothing is changed."""
    project.state().close()
    with sqlite3.connect(project.database) as db:
        db.execute("UPDATE lao_meta SET value = '999' WHERE key = 'schema'")
    db.close()
    code, rows = project.doctor()
    assert (code, rows["state.schema"]["level"]) == (1, "fail")
    assert "schema 999" in rows["state.schema"]["text"]
    assert "upgrade LAO" in rows["state.schema"]["remedy"]


def test_the_state_is_damaged(project: Project) -> None:
    """The command puts the backup in its place."""
    store = project.state()
    store.mark()
    store.back_up()
    store.close()
    project.database.write_bytes(b"gone" * 5000)
    code, rows = project.doctor()
    assert (code, rows["state.file"]["level"]) == (1, "fail")
    assert "lao restore" in rows["state.file"]["remedy"]
    assert main(["restore"]) == 0
    assert project.row("state.file")["level"] == "ok"


def test_the_disk_has_little_room(project: Project) -> None:
    """Below the limit, at which plans wait; above it again the row is ok."""
    project.write(more=f"orchestration: {{min_free_disk_mb: {10**12}}}\n")
    row = project.row("disk.space")
    assert (row["level"], "free some space" in row["remedy"]) == ("warn", True)
    project.write()
    assert project.row("disk.space")["level"] == "ok"


MOUNTED = """
mount -t tmpfs -o size=4m tmpfs .lao || exit 99
{break_it}
"$0" -m lao doctor --json
"""


def mounted(break_it: str) -> Rows:
    """The rows with ``.lao`` on a small disk of its own."""
    script = MOUNTED.format(break_it=break_it)
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("{"), done.stderr
    return rows_of(done.stdout)


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces to mount a disk")
def test_the_folder_of_the_state_cannot_be_written(project: Project) -> None:
    """A disk that is mounted read-only, a full one, and one that a restart empties."""
    (project.root / ".lao").mkdir()
    row = mounted("mount -o remount,ro .lao")["disk.writable"]
    assert (row["level"], "Read-only file system" in row["text"]) == ("fail", True)
    assert "mount its disk read-write" in row["remedy"]
    rows = mounted("dd if=/dev/zero of=.lao/filler bs=4k 2>/dev/null")
    assert (rows["disk.writable"]["level"], rows["disk.space"]["level"]) == ("fail", "warn")
    assert "No space left" in rows["disk.writable"]["text"]
    assert "free some space" in rows["disk.space"]["remedy"]
    rows = mounted("true")
    assert (rows["disk.writable"]["level"], rows["disk.filesystem"]["level"]) == ("ok", "warn")
    assert "paths.database" in rows["disk.filesystem"]["remedy"]


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces for limits of its own")
def test_the_system_has_no_watch_left(project: Project) -> None:
    """inotify's limit: plans are swept for instead; the remedy, in that namespace, makes the row ok."""
    script = (
        'echo 0 >/proc/sys/user/max_inotify_instances && "$0" -m lao doctor --json && echo ==== && '
        'echo 99 >/proc/sys/user/max_inotify_instances && "$0" -m lao doctor --json'
    )
    command = ["unshare", "-Ur", "sh", "-c", script, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "====" not in done.stdout:
        pytest.skip(f"no limits of a namespace here: {done.stderr}")
    before, after = (rows_of(text)["plans.watch"] for text in done.stdout.split("===="))
    assert (before["level"], before["remedy"]) == ("warn", "`sudo sysctl fs.inotify.max_user_instances=512`")
    assert after["level"] == "ok"


def test_the_plans_folder_is_missing(project: Project) -> None:
    """A warning, since ``lao run`` makes it; the command makes it as well. A file in its place fails."""
    (project.root / "plans").rmdir()
    row = project.row("plans.folder")
    assert row["level"] == "warn"
    project.carry_out(row["remedy"].replace("`lao run`", ""))
    assert project.row("plans.folder")["level"] == "ok"
    (project.root / "plans").rmdir()
    (project.root / "plans").write_text("no folder")
    row = project.row("config.settings")
    assert (row["level"], "plans' is not a folder" in row["text"]) == ("fail", True)
