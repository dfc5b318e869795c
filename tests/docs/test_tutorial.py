"""docs/tutorial.md, command by command, in a fresh folder, against the simulated server: a reader sees what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import load_scenario
from lao.servers.simulated.server import SimulatedServer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.durability


class Reader:
    """Types the blocks of the page, one after the other, into one shell's folder."""

    def __init__(self, place: Path, url: str) -> None:
        self._folder, self._at = place / "reader", place / "at"
        programs = place / "bin"
        for folder in (self._folder, programs, place / "home"):
            folder.mkdir()
        lao = programs / "lao"
        lao.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m lao "$@"\n')
        lao.chmod(0o755)
        (programs / "python3").symlink_to(sys.executable)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "LAO_", "LM_", "PYTHON"))}
        names = {f"GIT_{who}_{what}": f"r@{who}.x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self._environment = {
            **kept, **names, "HOME": str(place / "home"), "PATH": f"{programs}:{os.environ['PATH']}",
            "LM_STUDIO_BASE_URL": url, "LC_ALL": "C.UTF-8", "COLUMNS": "120",
        }  # fmt: skip

    def types(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block of commands where the last one ended; the first that fails ends it."""
        script = f"set -e\n{block}\npwd >{self._at}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=self._environment, text=True, timeout=120, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode == 0:
            self._folder = Path(self._at.read_text().strip())
        return done


def missing(expected: str, shown: str) -> list[str]:
    """The lines of the page that the output lacks in this order; ``…`` stands for anything, spaces for spaces."""
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    lost = []
    for wanted in filter(None, map(str.strip, expected.splitlines())):
        parts = [re.escape(part) for part in " ".join(wanted.split()).split("…")]
        at = next((n for n, line in enumerate(lines) if re.fullmatch(".*".join(parts), line)), None)
        if at is None:
            lost.append(wanted)
        else:
            lines = lines[at + 1 :]
    return lost


def test_a_reader_of_the_tutorial_sees_what_it_says(tmp_path: Path) -> None:
    """O3: each command of the page ends with 0, and prints the lines under it in their order."""
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == PAGE.count("```bash\n")
    assert sum(bool(expected) for _, expected in blocks) == PAGE.count("```text\n"), "each text is under its command"
    with SimulatedServer(load_scenario(Path(__file__).with_name("tutorial.yaml"))) as server:
        reader = Reader(tmp_path, server.url)
        for commands, expected in blocks:
            done = reader.types(commands)
            assert done.returncode == 0, f"{commands}\n{done.stdout}"
            assert missing(expected, done.stdout) == [], f"{commands}\n{done.stdout}"


def test_a_line_that_is_not_shown_is_noticed() -> None:
    """O3: the comparison can fail: another word, another order, a line too many."""
    shown = "✔ server  answers in 3 ms\nplan words: completed\n"
    assert missing("✔ server answers in … ms\nplan words: completed", shown) == []
    assert missing("plan words: failed", shown) == ["plan words: failed"]
    assert missing("plan words: completed\n✔ server answers in … ms", shown) == ["✔ server answers in … ms"]
    assert missing("plan words", shown) == ["plan words"]
