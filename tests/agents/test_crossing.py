"""Promises of lao.agents.crossing: single definitions are exchanged, each result once, nothing else."""

from __future__ import annotations

from lao.agents.crossing import crossings

BASE = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"


def test_each_differing_definition_once_and_the_best_donor_first() -> None:
    """Definitions of equal code are no difference, twice the same result is given once."""
    near = BASE.replace("2", "3")
    far = near.replace("1", "5").replace("def g():", "def g():  # the same")
    made = list(crossings((("m.py", BASE), ("n.txt", "x")), [(("m.py", near),), (("m.py", far), ("n.txt", "y"))]))
    assert made == [
        (("m.py", near), ("n.txt", "x")),
        (("m.py", BASE.replace("1", "5")), ("n.txt", "x")),
    ]


def test_constants_are_exchanged_together() -> None:
    """Values that differ from each other mean something only as a set; names that one lacks stay as they are."""
    base = "A = None\nB = None\nOWN = 1\n\n\ndef f():\n    return A\n"
    other = "A: int = 1\nB = (\n    2\n)\nMORE = 4\n\n\ndef f():\n    return A\n"
    assert list(crossings((("m.py", base),), [(("m.py", other),)] * 2)) == [
        (("m.py", base.replace("A = None", "A: int = 1").replace("B = None", "B = (\n    2\n)")),)
    ]


def test_nothing_to_exchange() -> None:
    """Names that only one has, files that are no Python or do not parse, the base itself."""
    for other in (BASE, "def h():\n    return 7\n", "def f(:", ""):
        assert list(crossings((("m.py", BASE),), [(("m.py", other),)])) == []
    assert list(crossings((("m.js", "function f() {}"),), [(("m.js", "function f() { return }"),)])) == []
    assert list(crossings((), [(("m.py", BASE),)])) == []
