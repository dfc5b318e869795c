"""Promises: what a reviewer gives as proof proves something only when the code is at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.steps import DirectSteps
from lao.core.words import CommandResult
from lao.quality.proofs import MOST, proof_command, prove, reproduced

CODE = """def mean(numbers):
    return sum(numbers) / len(numbers)


def first(items):
    return helper(items)[0]


def helper(items):
    return items.missing


def check(number):
    if number < 0:
        raise ValueError("negative")
"""
DEMANDS = "Write mean(numbers) and median in stats.py. The mean of [1, 2, 3] is 3 and not 5; of no numbers it is 0."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stats.py").write_text(CODE, encoding="utf-8")
    return tmp_path


def shown(folder: Path, said: str) -> tuple[bool, str]:
    command = proof_command(said, ["stats.py"], DEMANDS)
    results = prove([command] if command else [], folder, DirectSteps(), marker=str(folder), timeout_s=30)
    return any(map(reproduced, results)), "".join(r.output for r in results)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("mean([]) == 0", True),
        ("mean([1, 2, 3]) == 3", True),
        ("assert mean([1, 3]) == 3", True),
        ("first([1]) == 1", True),
        ("stats.mean([]) == 0", True),
        ("`mean([1, 2, 3]) > 5`", True),
        ("python3 -c 'from stats import mean; assert mean([1]) == 2'", True),
        ("grep -q median stats.py", True),
        ("mean([1, 2, 3]) == 2", False),
        ("mean([1, 2, 3]) == 4", False),
        ("mean([7, 9]) == 3", False),
        ("mean(['a', 'b']) == 9", False),
        ("mean(None)", False),
        ("check(-1)", False),
        ("python3 -c 'from stats import mean; assert mean([1]) == 9'", False),
        ("grep -q variance stats.py", False),
        ("median([1]) == 1", False),
        ("mean(1, 2) == 3", False),
        ("1 == 2", False),
        ("False", False),
        ("mean", False),
        ("python3 -c 'from stats import median'", False),
        ("python3 -c 'from stats import mean; mean('", False),
        ("python3 no_stats.py stats", False),
        ("nosuchtool stats.py", False),
        ("cat stats.py", False),
    ],
)
def test_what_proves(folder: Path, said: str, expected: bool) -> None:
    """A false or raising expression and a failing command about the change do; the reviewer's own mistakes do not."""
    assert shown(folder, said)[0] is expected


@pytest.mark.parametrize(
    "said",
    [
        "", "false", "exit 1", "cat stats.py; exit 1", "cat stats.py && false",
        "python -c 'import stats; assert False'",
        "python -c 'import stats, sys; sys.exit(1)'", "ls /nowhere", "pytest -q other.py", "x" * 700, "a stats.py\nb",
        "python -c 'import stats; raise ValueError'",
    ],
)  # fmt: skip
def test_what_is_not_even_run(said: str) -> None:
    """Commands that fail in any case, have nothing to do with the change, or are no single line."""
    assert proof_command(said, ["stats.py"], DEMANDS) == ""


def test_the_value_is_shown(folder: Path) -> None:
    """The output tells the coder what the code gave instead."""
    assert "mean([1, 2, 3]) is 2.0" in shown(folder, "mean([1, 2, 3]) == 3")[1]
    assert "ZeroDivisionError" in shown(folder, "mean([]) == 0")[1]


def test_denied_commands_do_not_run(folder: Path) -> None:
    """The built-in denials hold for a reviewer as well, and no more than a few proofs are run."""
    denied = ["rm -rf /tmp/stats.py", "git reset --hard stats.py", "sudo cat stats.py"]
    assert prove(denied, folder, DirectSteps(), marker=str(folder), timeout_s=30) == ()
    many = [f"test stats.py = {n}" for n in range(9)]
    assert len(prove(many, folder, DirectSteps(), marker=str(folder), timeout_s=30)) == MOST


def test_packages_and_tests() -> None:
    """Modules in folders are imported by their dotted name, tests are not imported, other files need a mention."""
    command = proof_command("mean([]) == 0", ["src/pkg/stats.py", "tests/test_stats.py"], DEMANDS)
    assert "pkg.stats" in command
    assert "test_stats" not in command
    assert proof_command("mean([]) == 0", ["tests/test_stats.py"], DEMANDS) == ""
    assert proof_command("node app.js", ["app.js"], "") == "node app.js"
    assert proof_command("node other.js", ["app.js"], "") == ""


def test_results_that_prove_nothing() -> None:
    """Passing, hanging, missing programs and misuse."""
    assert not reproduced(CommandResult("c", 0))
    assert not reproduced(CommandResult("c", -15, timed_out=True))
    assert not reproduced(CommandResult("c", 127))
    assert not reproduced(CommandResult("c", 2, "sh: 1: Syntax error: end of file unexpected"))
    assert not reproduced(CommandResult("c", 2, "usage: tool [-h]"))
    assert reproduced(CommandResult("c", 1, "AssertionError"))
    assert reproduced(CommandResult("c", -11, ""))
