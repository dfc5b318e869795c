"""``lao pilot --project``: a question to another project, from anywhere; off a terminal a phrase asks no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


class Two:
    """A user with two projects, without a server: whoever asked a model would start a worker."""

    def __init__(self, folder: Path) -> None:
        self.home, self.here, self.shop = folder / "home", folder / "here", folder / "the shop"
        for place in (self.home, self.here / "plans", self.shop / "plans"):
            place.mkdir(parents=True)
        for place in (self.here, self.shop):
            (place / "factory.yaml").write_text("lm_studio_base_url: 'http://127.0.0.1:9'\n")
        assert self("projects", "add", str(self.shop), "--name", "shop").returncode == 0

    def __call__(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lao", *arguments],
            cwd=self.here,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.home), **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def nobody_was_asked(self) -> bool:
        return not any((place / ".lao" / "logs").exists() for place in (self.here, self.shop))


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_a_question_to_another_project(two: Two) -> None:
    """L3: by its name or its folder; -m, lines and flags go along, variables that mean a project do not."""
    for reference in ("shop", str(two.shop), "../the shop"):
        done = two("--seed", "7", "pilot", "--project", reference, "-m", "/project", DB_PATH=str(two.here / "other.db"))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"project {two.shop}\n")
    assert two("pilot", "--project", "shop", stdin="/project\n").stdout.startswith(f"project {two.shop}\n")
    assert (two.shop / ".lao" / "state.db").exists()
    assert not (two.here / ".lao" / "state.db").exists()
    assert not (two.here / "other.db").exists()


def test_a_project_that_cannot_be_told(two: Two) -> None:
    """L3: an unknown name is 42 with the nearest one; a flag that means another project is a usage error."""
    unknown = two("pilot", "--project", "shpo", "-m", "/status")
    assert unknown.returncode == 42
    assert "did you mean 'shop'?" in unknown.stderr
    both = two("pilot", "--project", "shop", "--db", "x.db", "-m", "/status")
    assert both.returncode == 2
    assert "--project and --db" in both.stderr
    assert json.loads(two("pilot", "--project", "shop", "-m", "/show 9", "--json").stdout or "null") is None


def test_off_a_terminal_a_phrase_is_told_and_not_asked(two: Two) -> None:
    """L3: nobody can confirm there, so the command that does it is named, and no model is asked; 42."""
    for line in (str(two.shop), "switch to the shop project"):
        done = two("pilot", "-m", line)
        assert done.returncode == 42, done.stdout
        assert f"lao pilot --project '{two.shop}'" in done.stderr
        lines = two("pilot", stdin=f"{line}\n/plans\n")
        assert (lines.returncode, lines.stdout.startswith("no plans yet")) == (42, True)
    (two.home / "plain").mkdir()
    assert "lao projects scan --root" in two("pilot", "-m", str(two.home / "plain")).stderr
    assert two.nobody_was_asked()
