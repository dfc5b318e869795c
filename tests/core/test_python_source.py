"""Promises of lao.core.python_source: definitions are found, cut out and exchanged without touching the rest."""

from __future__ import annotations

import pytest

from lao.core.python_source import definitions, parsed, with_definition

TEXT = """import math  # kept

# about f
@cache
def f(x):
    # inside
    return x


class A(Base):
    \"\"\"Doc.\"\"\"

    @property
    def g(self):
        return 1

    async def h(self): return 2
"""


def test_definitions_are_functions_and_methods_with_their_decorators() -> None:
    """Names with their class, lines as they are; a nested function belongs to its parent."""
    found = definitions(TEXT)
    assert list(found) == ["f", "A.g", "A.h"]
    assert found["f"].source == "@cache\ndef f(x):\n    # inside\n    return x\n"
    assert found["A.g"].source == "    @property\n    def g(self):\n        return 1\n"
    assert list(definitions("def f():\n    def inner(): pass\n    return inner")) == ["f"]
    assert definitions("def f(:") == {}


def test_layout_does_not_change_the_shape() -> None:
    """Comments and spaces are no difference; code is."""
    first, second = definitions("def f(a): return a")["f"], definitions("def f( a ):\n    # why\n    return a\n")["f"]
    assert first.shape == second.shape != definitions("def f(a): return -a")["f"].shape


@pytest.mark.parametrize("source", ["def g(self):\n    return 5", "    def g(self):\n        return 5\n"])
def test_one_definition_is_exchanged(source: str) -> None:
    """The rest stays byte for byte; the indentation is the place's."""
    changed = with_definition(TEXT, "A.g", source)
    assert changed == TEXT.replace(
        "    @property\n    def g(self):\n        return 1\n", "    def g(self):\n        return 5\n"
    )


def test_a_form_feed_ends_no_line() -> None:
    """Old sources have page breaks; lines are counted as Python counts them."""
    text = "x = 1\n\x0c\ndef f():\n    return 1\n"
    assert definitions(text)["f"].source == "def f():\n    return 1\n"
    assert with_definition(text, "f", "def f():\n    return 2\n") == text.replace("return 1", "return 2")


def test_what_cannot_be_exchanged_gives_nothing() -> None:
    """An unknown name, text that is no Python, a result that is none."""
    assert with_definition(TEXT, "A.z", "def z(self): pass") == ""
    assert with_definition("def f(:", "f", "def f(): pass") == ""
    assert with_definition(TEXT, "f", "def f(:") == ""
    assert parsed("x = (") is None
    assert parsed("a\0b") is None
