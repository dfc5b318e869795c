"""Promise: in a real terminal (tmux) ``lao run`` shows a question, reads the answer, remembers "always", goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lao.core.clock import SystemClock
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.workflows.conftest import MODELS
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)"),
    pytest.mark.durability,  # real workers, as those tests have
]


class Tmux:
    """One tmux server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self._clock = SystemClock()

    def run(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout

    def screen(self) -> str:
        return self.run("capture-pane", "-p", "-J", "-S", "-200", "-t", "lao")

    def until(self, words: str) -> str:
        def there() -> bool:
            return words in self.screen()

        self._wait(there)
        assert there(), f"{words!r} is not on the screen:\n{self.screen()}"
        return self.screen()

    def type(self, text: str) -> None:
        self.run("send-keys", "-t", "lao", text, "Enter")

    def _wait(self, true: Callable[[], bool]) -> None:
        deadline = self._clock.monotonic() + PATIENCE_S
        while not true() and self._clock.monotonic() < deadline:
            self._clock.wait(0.2)


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path_factory.mktemp("t"))
    yield terminal
    subprocess.run(
        ["tmux", "-S", terminal._socket, "kill-server"], capture_output=True, timeout=20, check=False
    )  # it may be gone


def project(folder: Path, url: str) -> None:
    (folder / "plans").mkdir()
    (folder / "plans" / "parts.md").write_text(PLAN)
    document = {
        "lm_studio_base_url": url,
        "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False},
        "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.05},
        "calibration": {"auto": False},
        "permissions": {"mode": "confirm", "ask_timeout_s": 80},
    }
    (folder / "factory.yaml").write_text(yaml.safe_dump(document))


def test_confirm_asks_remembers_and_goes_on(tmp_path: Path, tmux: Tmux) -> None:
    """G1: n refuses and the model goes on, always makes a rule that is obeyed at once, y runs once; the plan ends."""
    turns = scripted(
        [call("shell_exec", command="touch refused")],
        [call("shell_exec", command="touch kept")],
        [call("shell_exec", command="touch kept")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    with SimulatedServer(parse_scenario(turns)) as server:
        project(tmp_path, server.url)
        shell = f"{sys.executable} -m lao run --plan plans/parts.md; echo ended with $?"
        tmux.run(
            "new-session", "-d", "-s", "lao", "-x", "160", "-y", "50", "-c", str(tmp_path),
            f"PYTHONPATH={ROOT} GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e.x GIT_COMMITTER_NAME=T "
            f"GIT_COMMITTER_EMAIL=t@e.x sh -c '{shell}; exec cat'",
        )  # fmt: skip
        assert "touch refused" in tmux.until("question 1 (")
        tmux.type("n")
        tmux.until("question 1: no")
        assert "always = allow from now on: Bash(touch kept)" in tmux.until("question 2 (")
        tmux.type("always")
        assert "file_write" in tmux.until("question 3 (")
        tmux.type("y")
        tmux.until("ended with 0")
    folder = tmp_path / "parts"
    assert [(folder / name).exists() for name in ("refused", "kept")] == [False, True]
    assert (folder / "part_1.txt").read_text() == "x\n"
    assert yaml.safe_load((tmp_path / ".lao" / "permissions.yaml").read_text()) == {"allow": ["Bash(touch kept)"]}
