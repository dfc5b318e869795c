"""Makes docs/assets/*.svg: real screens of ``lao`` in a real terminal (tmux), with the simulated server behind it.

``python scripts/screens.py [NAME ...]``; needs tmux and git. What is shown is what tmux had in its window; only a font
and a frame are added. Figures such as times differ from run to run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lao.servers.simulated.scenario import parse_scenario  # noqa: E402 - the checkout need not be installed
from lao.servers.simulated.server import SimulatedServer  # noqa: E402

ASSETS: Final = ROOT / "docs" / "assets"
PATIENCE_S: Final = 300.0
MODELS: Final = {"planner": "qwen3.5-35b-a3b", "coder": "qwen3-coder-30b", "reviewer": "gemma-3-27b-it"}
_FONT: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PARTS: Final = (
    ("Read a price list", "prices.py", "test -f prices.py"),
    ("Totals with VAT", "totals.py", "test -f totals.py"),
    ("Group by supplier", "groups.py", "test -f groups.py"),
    ("Order of the rows", "order.py", "test -f sorted.py"),
    ("Print the table", "table.py", "test -f table.py"),
    ("Command line", "cli.py", "test -f cli.py"),
)
_GIT: Final = " ".join(f"GIT_{who}_NAME=LAO GIT_{who}_EMAIL=lao@example.org" for who in ("AUTHOR", "COMMITTER"))
_CONTENT: Final = " ⏎ ".join(f"LINE_{n} = {n}" for n in range(60))


@dataclass(frozen=True)
class Take:
    """One picture: the window's size, and what (a regular expression) is in it then."""

    name: str
    until: str
    size: tuple[int, int] = (100, 26)


@dataclass(frozen=True)
class Story:
    """One command and the pictures that are taken of it, in their order."""

    lao: str
    takes: tuple[Take, ...]
    env: str = ""


_PROMPT: Final = r"\$\s*$"
_AT_WORK: Final = r"left\n(.*\n)*.*tok/s"
STORIES: Final = (
    Story("run --single-run", (
        Take("run", rf"proved(.*\n)*.*{_AT_WORK}"),
        Take("run-narrow", r"left\n(.*\n)*. working.*\n*$", (48, 14)),
        Take("run-end", _PROMPT, (110, 40)),
    )),
    Story("run --single-run", (Take("run-ascii", _AT_WORK),), "LAO_ASCII=1 LAO_COLOR=never"),
    Story("doctor", (Take("doctor", _PROMPT, (110, 76)),)),
)  # fmt: skip


class Terminal:
    """A tmux server with one window, in which a shell has run one command."""

    def __init__(self, folder: Path, story: Story) -> None:
        self._socket = str(folder / "tmux")
        columns, rows = story.takes[0].size
        command = f'trap : INT; {sys.executable} -m lao {story.lao}; printf "$ "; exec cat'
        self._tmux(
            "new-session", "-d", "-s", "lao", "-x", str(columns), "-y", str(rows), "-c", str(folder / "shop"),
            f"PYTHONPATH={ROOT} LC_ALL=C.UTF-8 {_GIT} {story.env} sh -c '{command}'",
        )  # fmt: skip

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, "-f", os.devnull, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def window(self, *more: str) -> str:
        return self._tmux("capture-pane", "-p", *more, "-t", "lao")

    def until(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.window()):
            if time.monotonic() > deadline:
                raise SystemExit(f"{pattern!r} did not come:\n{self.window()}")
            time.sleep(0.2)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", "lao", "-x", str(columns), "-y", str(rows))

    def end(self) -> None:
        if not re.search(_PROMPT, self.window()):
            self._tmux("send-keys", "-t", "lao", "C-c")
            self.until(_PROMPT)
        self._tmux("kill-server")


def main() -> int:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join(take.name for story in STORIES for take in story.takes)
    parser.add_argument("names", nargs="*", metavar="NAME", help=known)
    names = parser.parse_args().names
    ASSETS.mkdir(parents=True, exist_ok=True)
    for story in STORIES:
        if names and not {take.name for take in story.takes} & set(names):
            continue
        for take, text in taken(story):
            path = ASSETS / f"{take.name}.svg"
            path.write_text(svg(text, f"lao {story.lao}", take.size[0]), encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


def taken(story: Story) -> Iterator[tuple[Take, str]]:
    """What the window had at each take, with its colours."""
    with tempfile.TemporaryDirectory(prefix="lao-screen-") as name, project(Path(name) / "shop"):
        terminal = Terminal(Path(name), story)
        for take in story.takes:
            terminal.resize(*take.size)
            terminal.until(take.until)
            yield take, terminal.window("-e").rstrip()
        terminal.end()


@contextmanager
def project(folder: Path) -> Iterator[None]:
    """A project with a plan of which one part cannot pass, and a server that answers as slowly as a model."""
    scenario = {
        "models": [{"key": key, "size_bytes": 9_000_000_000} for key in MODELS.values()],
        "tokens_per_second": 70, "first_token_s": 1.0, "load_seconds": 1.0,
    }  # fmt: skip
    with SimulatedServer(parse_scenario(scenario)) as server:
        document = {
            "lm_studio_base_url": server.url,
            "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
            "orchestration": {
                "infer_validation_commands": False, "retry_cap_validation": 1, "retry_cooldown_base_s": 0,
                "release": "reviewed", "tasks_in_flight": 2, "phase_gated": False,
            },
            "attempts": {"repairs": 0, "candidates": 1, "idle": False},
            "memory_gate": {"poll_interval_s": 0.1},
            "calibration": {"auto": False},
        }  # fmt: skip
        (folder / "plans").mkdir(parents=True)
        (folder / "factory.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        lines = (f"- task: {title} | file: {file} | content: {_CONTENT} | test: {test}" for title, file, test in _PARTS)
        begin_a_history(folder)
        (folder / "plans" / "price-list.md").write_text("# Price list\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
        yield


def begin_a_history(folder: Path) -> None:
    """Three tasks that are done, so that there is something to tell the time left by."""
    plan = folder / "plans" / "suppliers.md"
    lines = (f"- task: {file} | file: {file}.py | content: {_CONTENT} | test: test -f {file}.py" for file in "abc")
    plan.write_text("# Suppliers\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), **dict(pair.split("=") for pair in _GIT.split())}
    command = [sys.executable, "-m", "lao", "run", "--single-run", "--plain"]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    plan.unlink()


def svg(text: str, title: str, columns: int) -> str:
    """The window as a picture that loads nothing from elsewhere.

    Args:
        text: with SGR sequences.
        columns: of the window.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, color_system="standard")
    console.print(Text.from_ansi(text), no_wrap=True, crop=True)
    drawn = _FONT.sub("", console.export_svg(title=title))
    return re.sub(r"[ \t]+$", "", drawn, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
