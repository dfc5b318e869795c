"""K1: a disk that fills up in the middle of a run: LAO says so, waits, and goes on by itself when there is space."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.durability.factory_run import plan_text, project
from tests.durability.test_processes import can_mount

pytestmark = pytest.mark.durability

SCRIPT = """
mount -t tmpfs -o size=40m tmpfs "$1" || exit 99
cp "$2/factory.yaml" "$1/"; cd "$1"
mkdir plans; cp "$4" plans/
"$3" -m lao run --plain >"$5" 2>&1 &
run=$!
wanted() { i=0
  while ! "$@"; do
    i=$((i+1)); [ $i -gt 600 ] && { echo "gave up: $*"; kill -TERM $run; exit 98; }
    sleep 0.1
  done
}
committed() { grep -q "code task 1 attempt 1" "$1"; }
full() { grep -q -i "disk full" "$1"; }
wanted committed "$5"
dd if=/dev/zero of=filler bs=4k 2>/dev/null
echo "filled, $(df --output=avail -k . | tail -1 | tr -d ' ') KB left"
wanted full "$5"
echo "said"
sleep 6
kill -0 $run && echo "alive"
rm filler
started=$(date +%s)
py="$3"
completed() { "$py" -m lao status 2>/dev/null | grep -q ': completed, 6 of 6'; }
wanted completed
echo "resumed after $(( $(date +%s) - started )) s"
kill -TERM $run; wait $run
"$3" -m lao status --json >"$6"
"$3" -m lao doctor --json >"$7"
"""


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces to mount a small disk")
def test_a_disk_that_fills_during_a_run_is_waited_for(tmp_path: Path) -> None:
    """The workers stay, nothing is counted or lost, and the plan is completed once space is there."""
    limits = {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "min_free_disk_mb": 0}
    with project(tmp_path, settings={"orchestration": limits}, first_token_s=0.3) as factory:
        plan = tmp_path / "parts.md"
        plan.write_text(plan_text(6))
        mount, log, status, doctor = (tmp_path / name for name in ("mount", "log", "status", "doctor"))
        mount.mkdir()
        names = (mount, factory.root, sys.executable, plan, log, status, doctor)
        done = subprocess.run(
            ["unshare", "-Urm", "sh", "-c", SCRIPT, "sh", *map(str, names)],
            env=factory.environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        said = log.read_text() if log.exists() else ""
        assert "resumed after" in done.stdout, done.stdout + done.stderr + said
        assert "filled, " in done.stdout
        assert "alive" in done.stdout
        assert "MB needed" in said
        view = json.loads(status.read_text())
        assert [task["state"] for task in view["tasks"]] == ["completed"] * 6
        assert {task["attempts"] for task in view["tasks"]} == {1}
        assert json.loads(doctor.read_text())["ok"]
