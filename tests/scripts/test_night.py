"""Promise: the page of a disturbed night says what is so, whatever LAO says."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from scripts.bench_night import PLANS, _calls, _kind, _lied
from scripts.night.truth import NO_FILE, Task, page, tasks_of

GCD = "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n"
PRIMES = "def is_prime(n):\n    return n in (2, 3, 5, 7, 11, 13, 17, 19)\n"


@pytest.fixture
def found(tmp_path: Path) -> list[Task]:
    """A night of which three modules of one plan are there: right, right only by its own test, and wrong."""
    folder = tmp_path / "numbers"
    folder.mkdir()
    for name, text in (("gcd", GCD), ("prime", PRIMES), ("median", "def median(values):\n    return 0\n")):
        (folder / f"{name}.py").write_text(text)
    told = [
        {"plan": "p", "state": "completed", "reason": "", "attempts": 2, "title": f"{name}.py"}
        for name in ("gcd", "prime", "median")
    ]
    status = {"plans": [{"id": "p", "name": "numbers"}], "tasks": told}
    return tasks_of(tmp_path, json.dumps(status), PLANS)


def test_each_module_is_judged_by_others_than_lao(found: list[Task]) -> None:
    """The plan's own test and the hidden checks are run again; the impossible task is known as such."""
    by_name = {task.module: task for task in found}
    assert len(found) == 15
    told = {name: (by_name[name].own_test, by_name[name].hidden) for name in ("gcd", "prime", "median", "digit_sum")}
    assert told == {
        "gcd": (True, "right"), "prime": (True, "wrong"), "median": (False, "wrong"), "digit_sum": (False, NO_FILE),
    }  # fmt: skip
    assert (by_name["gcd"].attempts, by_name["digit_sum"].state) == (2, "")
    assert by_name["two_at_once"].hidden == "impossible"


def test_a_false_done_is_told_and_fails_the_script(found: list[Task], tmp_path: Path) -> None:
    """The module that LAO calls completed and whose own test fails is counted; so is what only hidden checks find."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "numbers")], check=True)
    said = subprocess.CompletedProcess([], 0, f"first\nok {tmp_path}/numbers/LAO_QUALITY.md\n", "")
    shown = page(
        header="h",
        command="c",
        events=[(1.4, "the model server is killed")],
        tasks=found,
        server=Counter(["load"]),
        made="3 recorded calls",
        code=4,
        report="# Night\n",
        checked=[said],
        root=tmp_path,
    )
    assert "(false done): **1**" in shown and "by the hidden checks: 2." in shown
    assert "| 1 | the model server is killed |" in shown and "ok numbers/LAO_QUALITY.md" in shown
    assert str(tmp_path) not in shown
    assert [task.module for task in found if _lied(task)] == ["median"]


def test_calls_are_counted_on_both_sides(tmp_path: Path) -> None:
    """What the server refused has a kind of its own; probes of a calibration are not recorded calls."""
    (tmp_path / "night.log").write_text("04:17:49 I calibrated m in 38 s (14 calls): whole\n")
    status = json.dumps({"calls": {"model": 59}, "faults": {"stream_cut": 1}})
    assert _calls(tmp_path, status) == "59 recorded calls, 14 probes of a calibration; faults: 1 stream_cut"
    assert [_kind(e) for e in ({"kind": "load"}, {"kind": "completion", "status": 400})] == [
        "load",
        "completion refused with 400",
    ]
