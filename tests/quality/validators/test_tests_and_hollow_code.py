"""Promises: tests that prove nothing and code that does nothing are found; refactored tests and interfaces are not."""

from __future__ import annotations

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

TESTS = (
    "def test_a():\n    assert f(1) == 2\n    assert f(2) == 3\n\n\n"
    "def test_b():\n    assert g() == approx(1, rel=1e-6)\n"
)


@pytest.mark.parametrize(
    "after",
    [
        TESTS.replace("    assert f(2) == 3\n", ""),
        TESTS.partition("\n\n\n")[0] + "\n",
        TESTS.replace("def test_b", "@pytest.mark.skip\ndef test_b"),
        TESTS.replace("def test_b", "@pytest.mark.xfail\ndef test_b"),
        TESTS.replace("1e-6", "1e-1"),
        TESTS.replace("assert f(2) == 3", "assert f(2) == 3 or True"),
    ],
)
def test_weaker_tests(said: Said, after: str) -> None:
    """Fewer assertions, fewer tests, skips, wider tolerances: a note."""
    found = said("weakened_tests", {"tests/test_a.py": after}, before={"tests/test_a.py": TESTS})
    assert found
    assert {f.severity for f in found} == {Severity.MINOR}


@pytest.mark.parametrize(
    "after",
    [
        TESTS + "\n\ndef test_c():\n    assert 1 < f(3)\n",
        TESTS.replace("1e-6", "1e-9"),
        TESTS.replace("test_a", "test_first"),
        TESTS.replace("f(2) == 3", "f(4) == 5"),
        "# what f does\n" + TESTS,
    ],
)
def test_tests_that_stay_as_strict(said: Said, after: str) -> None:
    """More tests, closer tolerances, other names, other values."""
    assert said("weakened_tests", {"tests/test_a.py": after}, before={"tests/test_a.py": TESTS}) == []


def test_deleted_and_moved_tests(said: Said) -> None:
    """A deleted test file is noted, one whose tests are now in another file is not."""
    deleted = said("weakened_tests", {"a.py": ""}, before={"tests/test_a.py": TESTS})
    assert [f.message for f in deleted] == ["'tests/test_a.py': the test file was deleted"]
    assert said("weakened_tests", {"tests/test_new.py": TESTS}, before={"tests/test_a.py": TESTS}) == []


HOLLOW = {
    "assert": "def test_a():\n    assert True\n",
    "doc": 'def test_a():\n    """Works."""\n    assert 1\n',
    "unittest": "class T(TestCase):\n    def test_a(self):\n        self.assertTrue(True)\n",
}
SOLID = {
    "assert": "def test_a():\n    assert f()\n",
    "call": "def test_a():\n    check(f)\n",
    "no raise": "def test_a():\n    f()\n",
    "fixture": "def test_a(works):\n    assert works\n",
    "reached": "def test_a():\n    f()\n    assert True\n",
    "skipped": "@pytest.mark.skip(reason='later')\ndef test_a():\n    assert True\n",
    "pass": "def test_a():\n    pass\n",
}


@pytest.mark.parametrize("name", HOLLOW)
def test_new_tests_that_cannot_fail(said: Said, name: str) -> None:
    """Major: such a test proves nothing."""
    assert [f.severity for f in said("weakened_tests", {"test_a.py": HOLLOW[name]})] == [Severity.MAJOR]


@pytest.mark.parametrize("name", SOLID)
def test_new_tests_that_can(said: Said, name: str) -> None:
    """Anything that is called may fail."""
    assert said("weakened_tests", {"test_a.py": SOLID[name]}) == []


EMPTY = {
    "pass": "def total(xs) -> int:\n    pass\n",
    "none": 'def names(xs: list[str]) -> list[str]:\n    """The names."""\n    return None\n',
    "ellipsis": "class A:\n    def area(self) -> float:\n        ...\n",
    "doc": 'async def load(path) -> dict[str, int]:\n    """Load it."""\n',
}
FILLED = {
    "optional": "def find(x) -> int | None:\n    return None\n",
    "nothing": "def close(self) -> None:\n    pass\n",
    "protocol": "class A(Protocol):\n    def area(self) -> float: ...\n",
    "abstract": "class A:\n    @abstractmethod\n    def area(self) -> float: ...\n",
    "overload": "@overload\ndef f(x: int) -> int: ...\n",
    "base of another": "class A:\n    def area(self) -> float: ...\n\n\nclass B(A):\n    pass\n",
    "override": "class B(Visitor):\n    def visit(self) -> str:\n        pass\n",
    "value": "def zero() -> int:\n    return 0\n",
    "unknown type": "def f() -> T:\n    pass\n",
}


@pytest.mark.parametrize("name", EMPTY)
def test_hollow_functions(said: Said, name: str) -> None:
    """Major in a file of the task: a value is promised and none is given."""
    assert [f.severity for f in said("hollow_code", {"a.py": EMPTY[name]})] == [Severity.MAJOR]


@pytest.mark.parametrize("name", FILLED)
def test_functions_that_are_right_so(said: Said, name: str) -> None:
    """None where it may be, interfaces, overloads, methods that others fill in, constants."""
    assert said("hollow_code", {"a.py": FILLED[name]}) == []


CANNED = (
    "def fizz(n):\n    if n == 3:\n        return 'Fizz'\n    if n == 5:\n        return 'Buzz'\n"
    "    if n == 1:\n        return '1'\n"
)
CASES = "def test_fizz():\n    assert fizz(3) == 'Fizz'\n    assert fizz(5) == 'Buzz'\n    assert fizz(1) == '1'\n"


def test_canned_answers(said: Said) -> None:
    """All that the function knows are the cases of its tests: a note, whether they are new, old or the plan's."""
    for files, plan in (({"a.py": CANNED, "test_a.py": CASES}, ""), ({"a.py": CANNED}, CASES)):
        assert [f.severity for f in said("canned_answers", files, plan=plan)] == [Severity.MINOR]
    elif_ = CANNED.replace("    if n == 5", "    elif n == 5") + "    return None\n"
    assert len(said("canned_answers", {"a.py": elif_, "test_a.py": CASES})) == 1


@pytest.mark.parametrize(
    "code",
    [
        CANNED.replace("n == 1", "n % 7 == 0"),
        CANNED + "    return str(n)\n",
        CANNED.replace("'1'", "str(n)"),
        CANNED.replace("n == 1", "n == 11"),
        "def fizz(n):\n    return {3: 'Fizz', 5: 'Buzz', 1: '1'}[n]\n",
        "def fizz(n, m):\n    return 'Fizz'\n",
    ],
)
def test_answers_that_are_worked_out(said: Said, code: str) -> None:
    """Whatever computes, covers more than the tests, or is a plain table."""
    assert said("canned_answers", {"a.py": code, "test_a.py": CASES}) == []
