"""``lao demo`` in a process of its own, as the README's first command runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.durability


def demo(home: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with an empty home: no git identity, no configuration."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "LAO_", "LM_"))}
    environment = {**kept, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(ROOT), **extra}
    command = [sys.executable, "-m", "lao", "demo", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=90, check=False)


def test_the_demo_ends_with_a_finished_plan_on_a_bare_machine(tmp_path: Path) -> None:
    """A6: files, commits, evidence and the word that the server is simulated, also where git does not know its user."""
    done = demo(tmp_path, "--server", "simulated", "--dir", str(tmp_path / "d"), "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["simulated"] is True
    assert "simulated server" in shown["server"]
    assert [p["state"] for p in shown["plans"]] == ["completed"]
    assert sorted(t["rung"] for t in shown["tasks"]) == ["draft", "draft", "repair"]
    assert all(t["state"] == "completed" and t["commit"] for t in shown["tasks"])
    assert (tmp_path / "d" / "temperatures" / "convert.py").exists()
    assert all(e["exit_code"] == 0 for e in shown["evidence"] if e["moment"] != "before")
    assert any(e["exit_code"] != 0 for e in shown["evidence"] if e["moment"] == "before")


def test_the_demo_says_on_the_screen_that_the_server_is_simulated(tmp_path: Path) -> None:
    """A6: nobody takes scripted answers for a model's; without git it says that there are no commits."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "python3"):
        (tools / name).symlink_to(sys.executable if name == "python3" else "/bin/sh")
    done = demo(tmp_path, "--dir", str(tmp_path / "d"), "--lm-studio-url", "http://127.0.0.1:9", PATH=str(tools))
    assert done.returncode == 0, done.stderr
    assert "simulated server" in done.stderr
    assert "All answers came from the simulated server." in done.stdout
    assert "git is not on PATH" in done.stderr
    assert "plan temperatures: completed" in done.stdout


def test_the_demo_leaves_a_used_folder_alone(tmp_path: Path) -> None:
    """M3: a folder with something in it is a usage error, and nothing is written there."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("x")
    done = demo(tmp_path, "--dir", str(tmp_path / "d"))
    assert done.returncode == 2
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["mine.txt"]
