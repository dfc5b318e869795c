"""T9: nothing is acknowledged on a sync that has failed: each sync of ``lao submit`` fails once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.durability.nursery import can_attach

WHY_NOT = can_attach()
pytestmark = [pytest.mark.durability, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be done here")]

LAO = [sys.executable, "-m", "lao"]
TRACED = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync"]
SYNC = re.compile(r"\b(f(?:data)?sync)\(\d+<([^>]*)>\) += (.*)")


def submit(project: Path, *inject: str) -> tuple[int, str, list[tuple[str, str, str]]]:
    """A new project with one plan, submitted: exit status, what was said, its syncs as (call, file, result)."""
    shutil.rmtree(project, ignore_errors=True)
    (project / "plans").mkdir(parents=True)
    (project / "plans" / "x.md").write_text("# Plan\n\n- one thing\n")
    (project / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
    log = project / "strace.log"
    argv = [*TRACED, "-o", str(log), *inject, *LAO, "submit", "plans/x.md"]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, SYNC.findall(log.read_text())


def accepted(project: Path) -> int:
    """How many plans the state holds."""
    done = subprocess.run([*LAO, "status"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.count("  x: ")


def test_a_plan_whose_sync_failed_is_not_acknowledged(tmp_path: Path, record_property: Any) -> None:
    """Exit code 0 only with the plan in the state, and what could not be synced was synced afterwards."""
    project = Path(os.path.realpath(tmp_path)) / "project"
    code, said, syncs = submit(project)
    assert code == 0, said
    assert len(syncs) > 15
    struck, refused = 0, 0
    for call, number in Counter(call for call, _, _ in syncs).items():
        for nth in range(1, number + 1):
            code, said, found = submit(project, "-e", f"inject={call}:error=EIO:when={nth}")
            at = next((n for n, (_, _, result) in enumerate(found) if "INJECTED" in result), None)
            if at is None:
                continue
            struck += 1
            refused += code != 0
            assert "Traceback" not in said, said
            assert code == 0 or "queue.db" not in found[at][1], said  # the plan is committed by then
            assert accepted(project) == int(code == 0), (call, nth, found[at], said)
            if code:
                assert "i/o error" in said.lower(), said
            elif "queue.db" not in found[at][1] and not any("-mark" in file for _, file, _ in found[: at + 1]):
                # the mark is written when the state has been committed; messages are made again
                assert found[at][1] in [file for _, file, result in found[at + 1 :] if result == "0"], found
    assert struck >= len(syncs) - 3
    assert refused >= 1
    record_property("injected", struck)
