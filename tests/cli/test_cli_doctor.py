"""``lao doctor`` and ``lao restore``: what they find, say, and leave alone; their exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lao.cli.main import main
from lao.core.states import Queue
from lao.durable import trial
from lao.durable.owners import FileLock
from lao.servers.simulated.server import SimulatedServer
from lao.state import backups, ledger
from lao.state.store import open_store
from lao.state.tables import PlanRow
from tests.state.pipeline_steps import hand_in


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose model server answers."""
    monkeypatch.chdir(tmp_path)
    with SimulatedServer() as server:
        monkeypatch.setenv("LM_STUDIO_BASE_URL", server.url)
        yield tmp_path


@pytest.fixture
def state(project: Path) -> Path:
    """A project with one plan, a backup, and a plan since then."""
    tmp_path = project
    path = tmp_path / ".lao" / "state.db"
    store = open_store(path)
    hand_in(store)
    store.mark()
    store.back_up()
    hand_in(store, "# Later\n", "/plans/later.md")
    store.mark()
    store.close()
    return path


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The exit code, the document, and its checks by name."""
    code = main(["doctor", "--json", *arguments])
    view = json.loads(capsys.readouterr().out)
    return code, view, {check["name"]: check for group in view["groups"] for check in group["checks"]}


def test_a_sound_state_is_ok(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a check, exit code 0."""
    code, view, checks = doctor(capsys)
    (found,) = [group for group in view["groups"] if group["group"] == "State"]
    assert (code, view["ok"], found["verdict"]) == (0, True, "ok")
    names = ("file", "schema", "integrity", "backup", "log")
    assert {check["id"]: check["level"] for check in found["checks"]} == {f"state.{name}": "ok" for name in names}
    assert [check for check in checks.values() if check["level"] == "fail"] == []
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "State: ok\n" in text
    assert f"✓ file: {state}" in text


def test_a_project_without_a_state_gets_none_from_being_looked_at(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Looking creates nothing."""
    code, _, checks = doctor(capsys)
    assert code == 0
    assert "not there yet" in checks["file"]["text"]
    assert list(project.iterdir()) == []


def test_what_is_wrong_has_a_remedy_and_exit_code_1(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A torn page, a damaged backup, a large log and a full disk are told apart, and nothing is changed."""
    (newest,) = backups.every(state)
    newest.path.with_name("state-5-29990101T000000Z.db").write_bytes(b"torn")
    data = state.read_bytes()
    state.write_bytes(data[:4096] + os.urandom(4096) + data[8192:])
    before = state.read_bytes()
    code, view, checks = doctor(capsys)
    assert (code, view["ok"], view["verdict"]) == (1, False, "fail")
    assert state.read_bytes() == before
    failed = checks["integrity"] if "integrity" in checks else checks["file"]
    assert failed["level"] == "fail"
    assert str(newest.path) in failed["remedy"]
    if "backup" in checks:
        assert checks["backup"]["level"] == "warn"
        assert "29990101" in checks["backup"]["text"]
    assert main(["doctor"]) == 1
    assert "→" in capsys.readouterr().out


def test_little_room_is_a_warning(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below the limit, at which plans wait: still exit code 0."""
    Path("factory.yaml").write_text(f"orchestration: {{min_free_disk_mb: {10**12}}}\n")
    code, view, checks = doctor(capsys)
    assert (code, view["verdict"], checks["space"]["level"]) == (0, "warn", "warn")
    assert checks["space"]["remedy"]


def plans_in(path: Path) -> int:
    store = open_store(path)
    try:
        return int(PlanRow.select().count())
    finally:
        store.close()


def test_a_damaged_state_is_said_by_every_command_and_restored(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 42, one message with the backup and the command; that command works."""
    state.write_bytes(b"gone" * 5000)
    (newest,) = backups.every(state)
    for words in (["status"], ["run", "--single-run"], ["retry-failed"], ["submit", "x.md"]):
        (state.parent.parent / "x.md").write_text("# X\n")
        assert main(words) == 42, words
        said = capsys.readouterr().err
        assert str(newest.path) in said
        assert "lao restore" in said
        assert "Traceback" not in said
    assert state.read_bytes() == b"gone" * 5000
    (state.parent / "queue.db").write_bytes(b"wake-ups")
    assert main(["restore", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["backup"] == str(newest.path)
    assert Path(view["aside"]).read_bytes() == b"gone" * 5000
    assert not (state.parent / "queue.db").exists()
    assert plans_in(state) == 1


def test_a_named_file_can_be_restored_and_a_restore_undone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that was kept aside is a state file like any other."""
    (newest,) = backups.every(state)
    assert main(["restore", str(newest.path.relative_to(Path.cwd()))]) == 0
    assert plans_in(state) == 1
    (aside,) = [path for path in state.parent.glob("state.db.aside-*") if path.suffix != ".mark"]
    capsys.readouterr()
    assert main(["restore", str(aside)]) == 0
    assert plans_in(state) == 2


@pytest.mark.parametrize("name", ["run.lock", *(f"{queue.value}.lock" for queue in Queue)])
def test_nothing_is_restored_while_workers_run(state: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Refused with the pid of the worker."""
    before = state.read_bytes()
    with FileLock(state.with_name(name)):
        assert main(["restore"]) == 1
    assert str(os.getpid()) in capsys.readouterr().err
    assert state.read_bytes() == before
    assert list(state.parent.glob("*.aside-*")) == []


def test_the_trial_of_a_disk_strikes_really(tmp_path: Path) -> None:
    """Kills, tears and a second worker on a real disk: none loses anything, and each has happened."""
    done = trial.run(tmp_path, seed=1, seconds=4)
    assert done.kills >= 2
    assert done.acknowledged >= done.kills
    assert (done.lost, done.corrupt, done.bad_tears) == (0, 0, 0)
    assert done.tears >= 2
    assert done.noticed == done.losing >= 1
    assert (done.seconds_tried, done.refused) == (1, 1)
    assert done.fsyncs > 0


def test_the_trial_notices_a_writer_that_acknowledges_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what is acknowledged and not written is counted as lost; a trial that cannot fail proves nothing."""
    monkeypatch.setattr(ledger, "add_model_event", lambda *_, **__: None)
    done = trial.run(tmp_path, seed=1, seconds=2)
    assert done.kills > 0
    assert done.lost > 0


def test_the_verdict_of_the_trial(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures become a verdict: too few faults are no proof, one loss is a failure, a lying disk is a warning."""
    good = trial.Trial(99, 1.0, 0.01, 30, 200, 0, 0, 50, 0, 40, 40, 1, 1)
    for change, level, code in (
        ({}, "ok", 0),
        ({"fsync_ms": 0.001}, "warn", 0),
        ({"kills": 3}, "fail", 1),
        ({"lost": 1}, "fail", 1),
        ({"corrupt": 1}, "fail", 1),
        ({"bad_tears": 1}, "fail", 1),
        ({"noticed": 39}, "fail", 1),
        ({"refused": 0}, "fail", 1),
    ):
        made = trial.Trial(**{**vars(good), **change})
        monkeypatch.setattr(trial, "run", lambda *_, made=made: made)
        found, view, checks = doctor(capsys, "--durability")
        assert (found, view["verdict"]) == (code, level), change
        assert set(checks) == {"fsync", "kill -9", "torn writes", "second worker"}
    assert [path.name for path in state.parent.iterdir() if "trial" in path.name] == []
