"""A real terminal for tests: one tmux server of its own with one window, looked at by polling."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lao.core.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
NEEDS_TMUX = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)")
_COMMITTER = "GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e.x GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@e.x"


class Tmux:
    """One tmux server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self._clock = SystemClock()

    def run(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout

    def start(self, folder: Path, lao: str, size: tuple[int, int] = (160, 50), env: str = "") -> None:
        """Run ``lao`` with these arguments in a folder; then the screen says ``ended with CODE`` and how echo is."""
        shell = f"trap : INT; {sys.executable} -m lao {lao}; echo ended with $?; stty -a | grep -wo -e -echo -e echo"
        self.run(
            "new-session", "-d", "-s", "lao", "-x", str(size[0]), "-y", str(size[1]), "-c", str(folder),
            f"PYTHONPATH={ROOT} LC_ALL=C.UTF-8 {_COMMITTER} {env} sh -c '{shell}; exec cat'",
        )  # fmt: skip

    def screen(self, *more: str) -> str:
        """The scrollback and the window; ``"-e"`` with its colours."""
        return self.run("capture-pane", "-p", "-J", "-S", "-200", *more, "-t", "lao")

    def window(self) -> str:
        """What is in the window now."""
        return self.run("capture-pane", "-p", "-t", "lao")

    def _shows(self, words: str) -> bool:
        """Whether the words are on the screen, be it that a long path has broken their line."""
        screen = self.screen()
        return words in screen or words in " ".join(screen.split())

    def until(self, words: str) -> str:
        self.wait(lambda: self._shows(words))
        assert self._shows(words), f"{words!r} is not on the screen:\n{self.screen()}"
        return self.screen()

    def resize(self, columns: int, height: int) -> None:
        self.run("resize-window", "-t", "lao", "-x", str(columns), "-y", str(height))

    def type(self, text: str) -> None:
        self.run("send-keys", "-t", "lao", text, "Enter")

    def press(self, key: str) -> None:
        """A key by tmux's name, such as ``C-c``."""
        self.run("send-keys", "-t", "lao", key)

    def wait(self, true: Callable[[], bool]) -> None:
        deadline = self._clock.monotonic() + PATIENCE_S
        while not true() and self._clock.monotonic() < deadline:
            self._clock.wait(0.2)

    def end(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=20, check=False)


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path_factory.mktemp("t"))
    yield terminal
    terminal.end()
