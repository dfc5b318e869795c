"""Makes docs/assets/*.svg: real screens of ``lao`` in a real terminal (tmux), with a simulated server behind it.

``python scripts/screens.py [--only NAME ...]``; needs tmux and git. What is shown is what tmux had in its window; only
a font and a frame are added, and for one picture the colours of a light terminal. Figures such as times differ from run
to run. A picture is taken together with the others of its session.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.shots.stories import STORIES, Step, Story  # noqa: E402 - the checkout need not be installed
from scripts.shots.terminal import Terminal, svg  # noqa: E402

ASSETS: Final = ROOT / "docs" / "assets"


def main() -> int:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [name for story in STORIES for name in story.takes]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=known, default=known, help=", ".join(known))
    names = set(parser.parse_args().only)
    ASSETS.mkdir(parents=True, exist_ok=True)
    for story in STORIES:
        if not names & set(story.takes):
            continue
        for step, text, columns in taken(story):
            if step.take in names:
                path = ASSETS / f"{step.take}.svg"
                title = f"lao {story.lao}".strip()
                path.write_text(svg(text, title, columns, light=step.light), encoding="utf-8")
                sys.stdout.write(f"{path.relative_to(ROOT)}\n")
                sys.stdout.flush()
    return 0


def taken(story: Story) -> Iterator[tuple[Step, str, int]]:
    """Each step that is a picture, what the window had then, with its colours, and its columns."""
    with tempfile.TemporaryDirectory(prefix="lao-screen-") as name:
        folder = Path(name).resolve() / "shop"
        with story.place(folder) as words:
            terminal, columns = Terminal(folder, story.lao, story.size, story.env), story.size[0]
            try:
                for step in story.steps:
                    columns = step.size[0] if step.size else columns
                    do(terminal, step, words)
                    if step.take:
                        yield step, terminal.window("-e").rstrip(), columns
            finally:
                terminal.end()
                stop = [sys.executable, "-m", "lao", "stop"]
                subprocess.run(stop, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)


def do(terminal: Terminal, step: Step, words: object) -> None:
    """What the person does in a step; returns when they see what they wait for."""
    if step.size:
        terminal.resize(*step.size)
    if step.type is not None:
        terminal.type(step.type.format_map(words))
    if step.press:
        terminal.press(*step.press)
    terminal.until(step.until)


if __name__ == "__main__":
    sys.exit(main())
