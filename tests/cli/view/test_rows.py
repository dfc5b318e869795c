"""Promise: the rows of the run view are right to the letter at 20x5, 80, 120 and 200 columns, coloured and in ASCII."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lao.cli.look import STYLES, Look, cells
from lao.cli.view.rows import rows
from lao.durable.live import LiveCall
from lao.state.progress import PhaseProgress, PlanProgress, Standing
from workflows.progress import Snapshot, Totals

GOLDEN = Path(__file__).with_name("golden")
NOW = 1_000_000.0
SIZES = {"20x5": (20, 5), "80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
LOOKS = {"plain": Look(), "colour": Look(colour=True), "ascii": Look(ascii=True)}

CODE = PhaseProgress(
    run=7, phase="code", plan="shop", task=4, title="Write the parser of price lists", attempt=2,
    started_at=NOW - 92, prompt=18_400, completion=950, calls=3,
)  # fmt: skip
VERIFY = PhaseProgress(
    run=8,
    phase="verify",
    plan="shop",
    task=3,
    title="Preise lesen, auch in 日本語 \x1b[2J",
    attempt=1,
    started_at=NOW - 3,
)
WAIT = PhaseProgress(
    run=9, phase="review", plan="site", task=11, title="Menu", attempt=1, started_at=None,
    until=NOW + 12, reason="sim-reviewer needs 9.1 GB, 4.0 GB are free",
)  # fmt: skip
BUSY = Snapshot(
    standing=Standing(
        at=NOW,
        plans=(
            PlanProgress("a" * 16, "shop", "active", paused=False, total=8, completed=3, parked=1, left_s=265.0),
            PlanProgress("b" * 16, "site-of-the-summer-festival-2026", "active", paused=False, total=5),
            PlanProgress("c" * 16, "later", "queued", paused=True),
        ),
        phases=(CODE, VERIFY),
        waits=(WAIT,),
        queue={"cpu": 1, "gpu": 3},
        later=1,
        gate="waits for memory: 9.1 GB needed, 4.0 GB free",
        questions=1,
    ),
    calls=(LiveCall(7, "coder", "qwen3-coder-30b", NOW - 20, NOW - 10, tokens=411, at=NOW),),
    totals=Totals(calls=14, prompt=92_300, completion=8_120, loads=3, swaps=2, faults=1),
    model="qwen3-coder-30b",
    history=9,
)
IDLE = Snapshot(
    Standing(at=NOW, queue={"cpu": 0, "gpu": 0}), totals=Totals(calls=2, prompt=900, completion=12, loads=1)
)
SNAPSHOTS = {"busy": BUSY, "idle": IDLE}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", SNAPSHOTS)
def test_golden(name: str, look: str, size: str) -> None:
    """Each size and look is as the file in golden/ says; a new file is to be read before it is committed."""
    found = "\n".join(rows(SNAPSHOTS[name], LOOKS[look], *SIZES[size])) + "\n"
    path = GOLDEN / f"{name}-{size}-{look}.txt"
    shown = found.replace("\x1b", "␛")
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
        pytest.fail(f"{path.name} was not there and is written; read it")
    assert shown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", range(1, 210, 3))
def test_every_row_fits_and_hides_nothing(width: int) -> None:
    """At every width each row leaves the last column free and has no control character; colours change no text."""
    for height in (1, 2, 3, 5, 24):
        plain = rows(BUSY, Look(), width, height)
        assert 1 <= len(plain) <= max(1, height - 2)
        assert all(cells(row) <= max(0, width - 1) for row in plain)
        assert all(char.isprintable() for row in plain for char in row)
        coloured = rows(BUSY, Look(colour=True), width, height)
        assert [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in coloured] == plain
        assert all(row.isascii() for row in rows(BUSY, Look(ascii=True), width, height))


def test_what_is_at_work_comes_first_where_room_is_short() -> None:
    """Three rows of a window of five: the plan, the phase, the status."""
    first, second, last = rows(BUSY, Look(), 60, 5)
    assert (first.split()[:2], "Write the pars" in second, last.split()[1]) == (["+2", "shop"], True, "working")
    assert rows(BUSY, Look(), 90, 5)[0].startswith("+2 more  shop")


def test_time_left_is_not_invented() -> None:
    """Without finished tasks there is no estimate, and it says so; with them there is one."""
    shop = BUSY.standing.plans[0]
    text = "\n".join(rows(BUSY, Look(), 100, 40))
    assert "≈4 min left" in text
    new = replace(BUSY, standing=replace(BUSY.standing, plans=(replace(shop, left_s=None),)))
    assert "no history yet" in rows(new, Look(), 100, 40)[0]


def test_only_the_plain_colours_are_used() -> None:
    """Light and dark terminals: no bright colour, no background, nothing of 256 colours."""
    allowed = {"1", "2", *map(str, range(31, 37))}
    assert {part for code in STYLES.values() if code for part in code.split(";")} <= allowed
