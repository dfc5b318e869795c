"""docs/tutorial.md, command by command, in a fresh folder, against the simulated server: a reader sees what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import load_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.docs.reader import Reader

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```bash\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.durability


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
