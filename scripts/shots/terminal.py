"""A real terminal for pictures: a tmux server with one window, in which a shell runs one command of ``lao``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 300.0
PROMPT: Final = r"\$\s*$"
"""The shell's, when the command is over."""

COMMITTER: Final = " ".join(f"GIT_{who}_NAME=LAO GIT_{who}_EMAIL=lao@example.org" for who in ("AUTHOR", "COMMITTER"))
_FONT: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Terminal:
    """The window, as large as is said.

    Args:
        folder: where the command runs; the socket lies beside it, and it is the person's home.
        env: assignments of variables, for a shell.
    """

    def __init__(self, folder: Path, lao: str, size: tuple[int, int], env: str) -> None:
        self._socket = str(folder.parent / "tmux")
        command = f'trap : INT; {sys.executable} -m lao {lao}; printf "$ "; exec cat'
        self._tmux(
            "new-session", "-d", "-s", "lao", "-x", str(size[0]), "-y", str(size[1]), "-c", str(folder),
            f"PYTHONPATH={ROOT} LC_ALL=C.UTF-8 HOME={folder.parent} {COMMITTER} {env} sh -c '{command}'",
        )  # fmt: skip

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", os.devnull, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def window(self, *more: str) -> str:
        """What is in it now; ``"-e"``: with colours."""
        return self._tmux("capture-pane", "-p", *more, "-t", "lao")

    def until(self, pattern: str) -> None:
        """Wait for a regular expression; what has not come in time ends the program."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.window()):
            if time.monotonic() > deadline:
                raise SystemExit(f"{pattern!r} did not come:\n{self.window()}")
            time.sleep(0.1)

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as if the window were dragged."""
        self._tmux("resize-window", "-t", "lao", "-x", str(columns), "-y", str(rows))

    def type(self, text: str) -> None:
        """A line and Enter."""
        self._tmux("send-keys", "-t", "lao", "-l", text)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        self._tmux("send-keys", "-t", "lao", *keys)

    def end(self) -> None:
        """End the command, if it still runs, and the server."""
        for key in ("C-d", "C-c", "C-c"):
            if re.search(PROMPT, self.window()):
                break
            self.press(key)
            time.sleep(1.0)
        self.until(PROMPT)
        self._tmux("kill-server")


def svg(text: str, title: str, columns: int, *, light: bool = False) -> str:
    """The window as a picture that loads nothing from elsewhere.

    Args:
        text: with SGR sequences.
        columns: of the window.
        light: in the colours of a light terminal.
    """
    from rich.console import Console
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
    from rich.text import Text

    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, color_system="standard")
    console.print(Text.from_ansi(text), no_wrap=True, crop=True)
    theme = DEFAULT_TERMINAL_THEME if light else SVG_EXPORT_THEME
    drawn = _FONT.sub("", console.export_svg(title=title, theme=theme))
    return re.sub(r"[ \t]+$", "", drawn, flags=re.MULTILINE)
