"""A test that a model has written decides only where its text and its failure speak for it."""

from __future__ import annotations

import pytest

from lao.core.words import CommandResult, TaskSpec
from lao.quality.written_tests import command_for, fails_rightly, fault_of, modules_of, place_for

TASK = TaskSpec("Slug", 'slugify("Hello World") gives "hello-world".', ("shop/slug.py", "README.md"))
DEMANDS = f"{TASK.title}\n{TASK.description}"
GOOD = """import unittest

from shop.slug import slugify


class SlugTest(unittest.TestCase):
    def test_words(self):
        self.assertEqual(slugify("Hello World"), "hello-world")
"""


def result(output: str, code: int | None = 1, *, late: bool = False) -> CommandResult:
    return CommandResult("x", code, output, 0.1, late)


def test_a_good_test_has_no_fault() -> None:
    """D7: it imports the task's module, asserts, and demands what the task says."""
    assert fault_of(GOOD, TASK, DEMANDS) == ""
    assert (
        fault_of("from shop.slug import slugify\n\ndef test_x():\n    assert slugify('') == ''\n", TASK, DEMANDS) == ""
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def (", "does not parse"),
        ("from shop.slug import slugify\n", "no test function"),
        (GOOD.replace("shop.slug", "other"), "does not import shop.slug"),
        (GOOD.replace("hello-world", "hello_world"), "'hello_world' is not in the task"),
        (GOOD.replace('slugify("Hello World")', "slugify(text)"), "'text' is not defined"),
        (GOOD.replace("    def test_words", "    @unittest.skip\n    def test_words"), "skips"),
        (GOOD.replace('assertEqual(slugify("Hello World"), "hello-world")', "assertTrue(True)"), "no test function"),
    ],
)
def test_a_bad_text_is_refused(text: str, why: str) -> None:
    """No invented value, no hollow assertion, nothing that must fail whatever the coder does."""
    assert why in fault_of(text, TASK, DEMANDS)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (result("E   ModuleNotFoundError: No module named 'shop.slug'"), ""),
        (result("ImportError: cannot import name 'slugify' from 'shop.slug' (x)"), ""),
        (result("ModuleNotFoundError: No module named 'shop'"), ""),
        (result("E       AssertionError: 'a' != 'b'"), ""),
        (result("", 0), "passes before"),
        (result("E   ModuleNotFoundError: No module named 'numpy'"), "needs 'numpy'"),
        (result("  SyntaxError: invalid syntax".strip()), "own fault"),
        (result("NameError: name 'x' is not defined"), "own fault"),
        (result("no tests ran in 0.1s", 5), "own fault"),
        (result("", -9, late=True), "could not be run"),
        (result("Segmentation fault", 139), "another reason"),
    ],
)
def test_it_must_fail_for_want_of_the_work(told: CommandResult, why: str) -> None:
    """D7: checked to fail first, and by a missing name or behaviour of the task."""
    found = fails_rightly(told, TASK)
    assert why in found
    assert bool(found) == bool(why)


def test_names_and_commands() -> None:
    """The file's name is new in the workspace; a task without Python gets no test."""
    assert modules_of(TASK) == ("shop.slug",)
    assert modules_of(TaskSpec("x", "x", ("a.txt", "test_a.py"))) == ()
    assert place_for(TASK, set()) == "test_accept_slug.py"
    assert place_for(TASK, {"test_accept_slug.py"}) == "test_accept_slug_2.py"
    assert command_for("test_accept_slug.py").endswith(" test_accept_slug.py")
