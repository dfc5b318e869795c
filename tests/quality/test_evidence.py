"""Promises of evidence from real pytest, unittest and Python runs: the first failure with values, the rest short."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lao.core.words import CommandResult
from lao.durable.processes import run_command
from lao.quality.evidence import Evidence, digest, failing, same_failure

CALC = """def score(word):
    return inner(word)


def inner(word):
    if word == "boom":
        return 1 // 0
    return 8
"""
TESTS = """import unittest
from calc import score


class CalcTest(unittest.TestCase):
    def test_ok(self):
        self.assertEqual(score("x"), 8)

    def test_a_boom(self):
        self.assertIs(score("boom"), True)

    def test_dirty(self):
        word = "dirty"
        self.assertEqual(
            score("dirty"),
            9,
        )

    def test_raises(self):
        with self.assertRaises(ValueError):
            score("x")


def test_plain():
    assert score("plain") == [1, 2]
"""
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:hypothesispytest -p no:xdist"
UNITTEST = f"{sys.executable} -m unittest"
Run = Callable[..., Evidence]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Writes files, runs a command among them, digests its real result."""

    def runner(command: str, timeout_s: float = 60, limit: int = 1500, **files: str) -> Evidence:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        result = run_command(command, cwd=tmp_path, marker=str(tmp_path), timeout_s=timeout_s, output_limit=60_000)
        evidence = digest(result, files=["calc.py"], limit=limit)
        assert len(evidence.text) <= limit
        assert str(tmp_path) not in evidence.text
        return evidence

    return runner


@pytest.mark.parametrize("options", ["", "-v", "--tb=short", "--tb=native"])
def test_pytest_in_its_forms(run: Run, options: str) -> None:
    """Counts, names in order, the first failure with its way through the task's file, the others one line each."""
    found = run(f"{PYTEST} {options}", calc=CALC, test_calc=TESTS)
    assert (found.passed, found.failed) == (1, 4)
    assert found.tests == ("CalcTest.test_a_boom", "CalcTest.test_dirty", "CalcTest.test_raises", "test_plain")
    assert 'self.assertIs(score("boom"), True)' in found.text
    assert "ZeroDivisionError: integer division or modulo by zero" in found.text
    assert "at calc.py:7: return 1 // 0" in found.text
    assert 'test_plain: score("plain") == [1, 2] but was 8' in found.text
    assert 0.1 < found.score < 0.5


def test_the_first_failure_has_its_source_and_values(run: Run) -> None:
    """The test's lines as shown, the assertion over several lines, expected and actual in plain words."""
    tests = TESTS.replace("def test_a_boom", "def no_test_boom")
    found = run(f"{PYTEST} -x", calc=CALC, test_calc=tests)
    assert 'word = "dirty"' in found.text
    assert "AssertionError: 8 != 9" in found.text
    assert 'score("dirty") == 9 but was 8' in found.text
    assert found.tests == ("CalcTest.test_dirty",)


@pytest.mark.parametrize("options", ["--tb=no", "--tb=line"])
def test_pytest_without_tracebacks(run: Run, options: str) -> None:
    """The short summary is enough for names and messages."""
    found = run(f"{PYTEST} {options}", calc=CALC, test_calc=TESTS)
    assert found.tests == ("CalcTest.test_a_boom", "CalcTest.test_dirty", "CalcTest.test_raises", "test_plain")
    assert "CalcTest.test_dirty: 8 != 9" in found.failing


def test_unittest(run: Run) -> None:
    """The same from unittest, with the same names."""
    found = run(f"{UNITTEST} test_calc", calc=CALC, test_calc=TESTS)
    assert (found.passed, found.failed) == (1, 3)
    assert found.tests == ("CalcTest.test_a_boom", "CalcTest.test_dirty", "CalcTest.test_raises")
    assert "at calc.py:7: return 1 // 0" in found.text
    if sys.version_info >= (3, 13):  # before, a traceback shows the first line of a statement only
        assert 'CalcTest.test_dirty: score("dirty") == 9 but was 8' in found.failing


def test_subtests_do_not_eat_the_passed_count(run: Run) -> None:
    """A test that fails twice in subtests is one failing test."""
    tests = (
        "import unittest\n\n\nclass T(unittest.TestCase):\n"
        "    def test_a(self):\n        pass\n\n    def test_s(self):\n"
        "        for i in (1, 2, 3):\n            with self.subTest(i=i):\n                self.assertEqual(i, 0)\n"
    )
    assert run(f"{UNITTEST} test_s", test_s=tests).passed == 1


@pytest.mark.parametrize("command", [PYTEST, f"{UNITTEST} test_calc", f"{sys.executable} test_calc.py"])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def score(:\n", "SyntaxError"),
        ("def score():\nreturn 1\n", "IndentationError"),
        ("x = 1\n", "cannot import name 'score'"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
    ],
)
def test_what_keeps_tests_from_running_scores_lowest(run: Run, command: str, code: str, said: str) -> None:
    """Syntax and import errors come first, with the place, and rank below any failing test."""
    found = run(command, calc=code, test_calc=TESTS)
    assert said in found.text
    assert "calc.py:" in found.text
    assert "site-packages" not in found.text
    assert found.score == 0.0
    assert found.score < run(command.replace("test_calc.py", "-m pytest -q"), calc=CALC, test_calc=TESTS).score


def test_a_collection_error_comes_before_failures(run: Run) -> None:
    """What keeps a file from being loaded is told first, though pytest shows it wherever it comes."""
    found = run(
        f"{PYTEST} --continue-on-collection-errors", calc=CALC, test_calc=TESTS, test_zz="import nothing_here\n"
    )
    assert found.tests[0] == "ERROR collecting test_zz.py"
    assert found.score > 0.0


def test_fixtures_parameters_and_recursion(run: Run) -> None:
    """Errors in fixtures, parametrised names and recursion are told short."""
    tests = (
        "import pytest\nfrom calc import down\n\n\n@pytest.fixture\ndef broken():\n    raise KeyError('a')\n\n\n"
        "def test_fixture(broken):\n    pass\n\n\n@pytest.mark.parametrize('n', ['x y', 'z'])\n"
        "def test_down(n):\n    assert down(n) == 1\n\n\ndef test_must_raise():\n    with pytest.raises(ValueError):\n"
        "        int('3')\n"
    )
    found = run(PYTEST, calc="def down(n):\n    return down(n) + 1\n", test_calc=tests)
    assert found.tests == ("ERROR at setup of test_fixture", "test_down[x y]", "test_down[z]", "test_must_raise")
    assert "KeyError: 'a'" in found.text
    assert "RecursionError" in found.text
    assert "test_must_raise: the call must raise ValueError but did not" in found.failing


@pytest.mark.parametrize("command", [PYTEST, f"{PYTEST} -v", f"{PYTEST} -vv", f"{UNITTEST} -v test_calc"])
def test_an_endless_loop_is_called_one(tmp_path: Path, command: str) -> None:
    """A command that was killed says so and what had ended or was running."""
    tests = "import unittest\nfrom calc import f\n\n\nclass T(unittest.TestCase):\n"
    tests += "    def test_a(self):\n        pass\n\n    def test_b(self):\n        f()\n"
    (tmp_path / "test_calc.py").write_text(tests, encoding="utf-8")
    # the runner ends it as LAO would after the time limit, without the test having to wait for that
    (tmp_path / "calc.py").write_text("import os\n\n\ndef f():\n    os.kill(os.getpid(), 15)\n", encoding="utf-8")
    result = run_command(command, cwd=tmp_path, marker=str(tmp_path), timeout_s=60, output_limit=60_000)
    found = digest(replace(result, timed_out=True, seconds=30.0))
    assert "killed after 30 s" in found.text
    assert "endless loop" in found.text
    assert "test_b" in found.text or "1 tests had ended" in found.text
    assert 0.0 < found.score < 0.3


def test_no_tests_at_all(run: Run) -> None:
    """A missing test file or an empty run is not a failing test."""
    assert "no_file.py" in run(f"{PYTEST} no_file.py").text
    assert run(PYTEST, calc="").score == 0.0


def test_a_script_that_raises(run: Run) -> None:
    """A plain traceback gives the error and the lines in the task's file."""
    found = run(f"{sys.executable} main.py", calc=CALC, main="from calc import score\nprint(score('boom'))\n")
    assert "ZeroDivisionError" in found.text
    assert "at calc.py:7: return 1 // 0" in found.text
    assert found.passed is None


def test_a_passing_run(run: Run) -> None:
    """Nothing to mend: no text, the count, the highest score."""
    found = run(PYTEST, calc=CALC, test_calc="def test_a():\n    pass\n")
    assert found == Evidence("", 1, 0, (), "", 1.0)


def test_same_failure(run: Run) -> None:
    """Other figures are the same failure; another test or another error is not."""
    first = run(PYTEST, calc=CALC, test_calc=TESTS)
    again = run(
        PYTEST, calc="# moved down\n\n" + CALC.replace("return 8", "return 8 if word == 'x' else 7"), test_calc=TESTS
    )
    other = run(PYTEST, calc=CALC.replace("1 // 0", "word.none"), test_calc=TESTS)
    assert same_failure(first, again)
    assert not same_failure(first, other)
    passed = run("true")
    assert not same_failure(passed, passed)


def test_a_small_limit_keeps_the_error(run: Run) -> None:
    """However little room there is, the error is in it."""
    found = run(PYTEST, limit=300, calc=CALC, test_calc=TESTS)
    assert "ZeroDivisionError" in found.text
    assert "test_dirty" in found.text


def test_output_of_no_known_form() -> None:
    """Beginning and end, the end more; a command that says nothing is called so; not found is the lowest."""
    text = "begun\n" + "x" * 9_000 + "\nlast words"
    found = digest(CommandResult("c", 1, text), limit=500)
    assert found.text.startswith("begun")
    assert found.text.endswith("last words")
    assert len(found.text) <= 500
    assert digest(CommandResult("c", 1, "")).text == "it wrote nothing"
    missing = digest(CommandResult("c", 127, "sh: c: not found"))
    assert "could not be started" in missing.text
    assert missing.score == 0.0


def test_failing_lines_of_plain_text() -> None:
    """All failing assertions in a line each, at most six, from output alone."""
    blocks = "".join(
        f"____ test_{n} ____\n\n    def test_{n}():\n>       assert f({n}) == {n}\nE       assert 0 == {n}\n\n"
        f"test_x.py:{n}: AssertionError\n"
        for n in range(1, 9)
    )
    found = failing(f"=== FAILURES ===\n{blocks}8 failed in 0.01s\n")
    assert found[0] == "test_1: f(1) == 1 but was 0"
    assert len(found) == 6
