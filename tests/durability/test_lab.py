"""The lab itself: every promise is tried, what it prints is read right, and the page says what was measured."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.durability import lab
from tests.durability.promises import EXPERIMENTS, PROMISES, Experiment

KILLS = next(e for e in EXPERIMENTS if e.name == "kills")


def test_every_promise_is_tried_by_something() -> None:
    """A promise that no experiment tries to break is none."""
    tried = {name for experiment in EXPERIMENTS for name in experiment.promises}
    assert tried == set(PROMISES)


def test_the_page_says_what_was_measured() -> None:
    """docs/guarantees.md is what docs/guarantees.json gives."""
    assert lab.render(check=True) == 0


def test_a_larger_slice_takes_the_next_smaller_command() -> None:
    """Every experiment runs in every slice."""
    assert KILLS.arguments("release")[-1] == "10000"
    assert KILLS.arguments("ci")[-1] == "150"
    points = next(e for e in EXPERIMENTS if e.name == "crash-points")
    assert points.arguments("release") == points.arguments("ci")


@pytest.mark.parametrize(
    ("code", "said", "found"),
    [
        (0, 'seed 3\n{"kills": 7, "violations": []}', (7, [])),
        (1, 'seed 3\n{"kills": 7, "violations": ["lost"]}', (7, ["lost"])),
        (1, "Traceback", (0, ["exit status 1: Traceback"])),
        (0, "seed 3\n{torn", (0, [])),
        (1, '{"a": {"kills": 2, "violations": ["x"]}}\n{"b": {"kills": 3, "violations": []}}', (5, ["x"])),
    ],
)
def test_what_a_sweep_prints(code: int, said: str, found: tuple[int, list[str]]) -> None:
    """A crash of the experiment itself is a violation, never a pass."""
    done = subprocess.CompletedProcess([], code, stdout=said, stderr="")
    assert lab._by_json(KILLS, done) == found


def test_what_was_printed_is_read(tmp_path: Path) -> None:
    """A run of hours need not be made again to be published; a file without figures is no pass."""
    file = tmp_path / "log"
    file.write_text('seed 3\n{"kills": 7, "seconds": 12.4, "violations": []}')
    found = lab.read(KILLS, "nightly", [file])
    assert (found["injected"], found["violations"], found["seconds"], found["slice"]) == (7, [], 12, "nightly")
    other = tmp_path / "other"
    other.write_text('{"kills": 5, "seconds": 8, "violations": ["x"]}')
    both = lab.read(KILLS, "nightly", [file, other])
    assert (both["injected"], both["violations"], both["seconds"]) == (12, ["x"], 20)
    other.write_text("Traceback")
    assert lab.read(KILLS, "nightly", [file, other])["violations"]


def test_what_pytest_reports(tmp_path: Path) -> None:
    """Tests that were skipped have injected nothing."""
    report = tmp_path / "report.xml"
    cases = '<testcase classname="m" name="a"/><testcase classname="m" name="b"><failure/></testcase>'
    report.write_text(
        f'<testsuites><testsuite>{cases}<testcase name="c"><skipped/></testcase></testsuite></testsuites>'
    )
    done = subprocess.CompletedProcess([], 1, stdout="", stderr="")
    assert lab._by_pytest(report, done) == (2, ["m::b"])
    assert lab._by_pytest(tmp_path / "none.xml", done) == (0, ["exit status 1: "])


def test_an_experiment_that_injects_nothing_is_a_failure() -> None:
    """A vacuous pass is the lab's own worst fault."""
    empty = Experiment("empty", "nothing", ("P1",), {"ci": ("json.tool", "--help")}, "kills")
    found = lab.run(empty, "ci")
    assert (found["injected"], found["violations"]) == (0, ["nothing was injected"])
