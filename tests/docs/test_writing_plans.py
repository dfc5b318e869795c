"""docs/writing-plans.md: its figures are those of the measured pages, and its two plans fare as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.overrides import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "writing-plans.md").read_text(encoding="utf-8")
PLAIN = " ".join(TEXT.split())


def source(name: str) -> str:
    return " ".join((ROOT / "docs" / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("claim", "page", "measured"),
    [
        ("| with the command | 14 of 20 | 0 | 303 |", "benchmarks.md", "| **sum** | | 14 of 20 | | 303 |"),
        ("| without any | 8 of 20 | 12 | 91 |", "benchmarks.md", "| **sum** | | 8 of 20 | | 91 |"),
        ("| 10 of 20 (tests shown) | | 20 |", "benchmarks.md", "One bare prompt solved 10, two solved 10"),
        ("| 8 of 20 | 12 |", "benchmarks.md", "false done 12, and each of the 12 is shown as"),
        (
            "six of the fourteen",
            "benchmarks.md",
            "Eight were solved by the draft, two by a fresh start, four by candidates",
        ),
        (
            "two such tasks after 42 calls",
            "benchmarks.md",
            "| gigasecond | active, no check | over the limit | draft | 42 |",
        ),
        ("run alone afterwards, in 36", "benchmarks.md", "it was solved in 36 calls and 151 s"),
        ("in 42 seconds and 7 calls", "live-run.md", "tokens: prompt 3694, completion 618; calls: 7"),
        ("into `src/`", "live-run.md", "The planner put `isogram.py` into `src/`"),
        ("47 % with tools and 78 % in", "benchmarks.md", "| plan excerpt | 3,110 | 47 % | 1,555 | 78 % |"),
        ("a chain of six tasks took 13", "benchmarks.md", "| chain of 6 | 6 | 13 | 13 | 3 | 3 |"),
        ("twenty independent ones 3", "benchmarks.md", "| 20 independent tasks | 20 | 3 | 3 | 3 | 3 |"),
    ],
)
def test_each_figure_stands_in_a_measured_page(claim: str, page: str, measured: str) -> None:
    """C5: nothing is claimed of small models that no table of the benchmarks or of the live run has."""
    assert claim in PLAIN
    assert measured in source(page)


def test_what_is_not_solved_cost_as_many_calls_as_told() -> None:
    """C5: calls of the exercises with visible tests, counted from the table of the benchmarks."""
    part = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split("### Tests visible")[1].split("###")[0]
    rows = re.findall(r"^\| [a-z-]+ \|[^|]*\| ([^|]+) \|[^|]*\| (\d+) \|", part, re.MULTILINE)
    solved = [int(calls) for judge, calls in rows if judge == "solved"]
    others = [int(calls) for judge, calls in rows if judge != "solved"]
    assert (len(others), min(others), max(others)) == (6, 24, 45)
    assert (len(solved), solved.count(3)) == (14, 8)
    assert "took 24 to 45 calls and some six minutes each, eight of the fourteen others 3 calls" in PLAIN


def test_the_plan_of_the_live_run_is_quoted_as_it_was() -> None:
    """C5: the piece that is shown stands in the plan that was measured."""
    shown = re.search(r"```markdown\n(.*?)```", TEXT, re.DOTALL)
    assert shown
    assert shown[1] in (ROOT / "tests" / "live" / "text_tools.md").read_text(encoding="utf-8")


def test_the_same_wish_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """C5: the vague plan gets the warnings that the page shows, the other one is taken without a word."""
    (tmp_path / "home").mkdir()
    (tmp_path / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    vague, warnings, good = re.findall(r"```text\n(.*?)```", TEXT.split("### The same wish, twice", 1)[1], re.DOTALL)
    (tmp_path / "shop.md").write_text(vague)
    (tmp_path / "totals.md").write_text(good)
    assert main(["submit", "shop.md"]) == 0
    assert capsys.readouterr().err == warnings
    assert main(["submit", "totals.md"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["preflight", "--plan", "totals.md"]) == 0
