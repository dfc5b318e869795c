"""Real processes: ``lao run``, plain huey_consumer, a second worker, signals, and a short sweep of kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from lao.core.states import Queue
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.kill_sweep import sweep
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Poll until the condition holds."""
    clock = SystemClock()
    end = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < end, "it did not happen in time"
        clock.wait(0.05)


def status(factory: Project) -> dict:
    done = factory.lao("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def workers(factory: Project) -> dict[str, int]:
    return {w["queue"]: w["pid"] for w in status(factory)["workers"]}


def test_a_dropped_plan_is_worked_on_while_lao_run_watches(tmp_path: Path) -> None:
    """C1 K4: ``lao run`` takes a plan from the folder; a second worker of any kind is refused with the first's pid."""
    with project(tmp_path) as factory:
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: len(workers(factory)) == 2)
            (factory.root / "plans" / "late.md").write_text(plan_text(2))
            until(lambda: [p["state"] for p in status(factory)["plans"]] == ["completed"])
            pids = workers(factory)
            second = factory.lao("run", "--single-run")
            assert second.returncode == 1
            assert str(run.pid) in second.stderr or any(str(pid) in second.stderr for pid in pids.values())
            consumer = subprocess.run(
                worker_command(Queue.GPU),
                cwd=factory.root,
                env=factory.environment(),
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert consumer.returncode == 1
            assert str(pids["gpu"]) in consumer.stderr
            assert workers(factory) == pids
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=30) == 130
            assert workers(factory) == {}
        finally:
            kill_group(run)
        assert status(factory)["calls"]["model"] == factory.server.stats["completions"]


def test_ctrl_c_lets_go_of_the_work_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """L5: Ctrl-C (SIGINT for the whole group) in the middle of a call ends at once, and no crash is counted."""
    with project(tmp_path, first_token_s=1.0) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(2))
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: [r for r in status(factory)["running"] if r["phase"] == "code" and r["state"] == "running"])
            os.killpg(run.pid, signal.SIGINT)
            assert run.wait(timeout=20) == 130
        finally:
            kill_group(run)
        connection = sqlite3.connect(factory.root / ".lao" / "state.db")
        crashes, running = connection.execute("SELECT sum(crashes), sum(state = 'running') FROM lao_run").fetchone()
        connection.close()
        assert (crashes, running) == (0, 0)
        assert factory.lao("run", "--single-run", "--plain").returncode == 0
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1, 1]


def test_two_plain_consumers_and_submit_wait_do_the_same(tmp_path: Path) -> None:
    """O1: two huey_consumer processes, with no code of ours around them, work a plan that ``submit --wait`` follows."""
    with project(tmp_path) as factory:
        consumers = [
            subprocess.Popen(
                worker_command(queue),
                cwd=factory.root,
                env=factory.environment(),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for queue in Queue
        ]
        try:
            plan = factory.root / "plain.md"
            plan.write_text(plan_text(3))
            done = factory.lao("submit", "plain.md", "--wait", "--json")
            assert done.returncode == 0, done.stderr
            view = json.loads(done.stdout)
            assert view["plan"]["state"] == "completed"
            assert view["plan"]["tasks"]["completed"] == 3
            again = factory.lao("submit", "plain.md")
            assert again.stdout.strip() == view["id"]
        finally:
            for consumer in consumers:
                kill_group(consumer)


@pytest.mark.parametrize("early", [False, True])
def test_kill_9_at_random_moments_loses_and_repeats_nothing(tmp_path: Path, early: bool) -> None:
    """K1 K2: the short form of ``python -m tests.durability.kill_sweep [--early]`` (six kills, a fixed seed)."""
    figures = sweep(tmp_path, kills=6, seed=7, early=early)
    assert figures["kills"] == 6
    assert figures["violations"] == []


def test_failed_and_parked_plans_have_their_exit_codes(tmp_path: Path) -> None:
    """M3: 4 when a person is asked; the run says so although everything was worked on."""
    with project(
        tmp_path, settings={"orchestration": {"retry_cap_validation": 1, "validation_build_cmd": "false"}}
    ) as factory:
        (factory.root / "plans" / "bad.md").write_text(plan_text(1))
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 4, done.stderr
        assert status(factory)["tasks"][0]["state"] == "needs_human"
        assert factory.lao("retry-failed").stdout.strip() == "1 set back"


def can_mount() -> bool:
    """Whether this machine lets a test mount a small disk of its own (user namespaces)."""
    probe = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs -o size=100k tmpfs /mnt"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces to mount a small disk")
def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """Full disk: submit says it and exits with 1; with space again the same command works."""
    with project(tmp_path) as factory:
        plan = tmp_path / "full.md"
        plan.write_text(plan_text(1) + "x" * 400_000)
        script = """
set -e
mount -t tmpfs -o size=700k tmpfs "$1"
cp "$2/factory.yaml" "$1/"; cd "$1"
dd if=/dev/zero of=filler bs=1k count=500 status=none
set +e
"$3" -m lao submit "$4"; echo "first $?"
rm filler
mount -o remount,size=8m "$1"
"$3" -m lao submit "$4"; echo "second $?"
"$3" -m lao status --json
"""
        import sys

        mount = tmp_path / "mount"
        mount.mkdir()
        done = subprocess.run(
            ["unshare", "-Urm", "sh", "-c", script, "sh", str(mount), str(factory.root), sys.executable, str(plan)],
            env=factory.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "first 1" in done.stdout, done.stdout + done.stderr
        assert "space" in done.stderr
        assert "Traceback" not in done.stderr
        assert "second 0" in done.stdout
        shown = json.loads(done.stdout[done.stdout.index("{") :])
        assert [p["name"] for p in shown["plans"]] == ["full"]
