"""Wrong versions of Python code are really wrong, differ in kind, and leave alone what does nothing."""

from __future__ import annotations

import ast

from lao.quality.mutation import mutants

CODE = '''"""Says 7."""
import os

LIMIT = 5


def total(values: list[int], *, more: bool = False) -> int:
    """Give 3."""
    found = 0
    for value in values:
        if value > LIMIT:
            found += value
    return found


if __name__ == "__main__":
    print(total([1]))
'''


def test_three_mutants_of_three_kinds() -> None:
    """D7: a comparison, a result and a statement; each parses, each is another program than the code."""
    found = mutants("a.py", CODE)
    assert [(m.line, m.what) for m in found] == [
        (13, "`return found` became `return None`"),
        (11, "`value > LIMIT` became `value <= LIMIT`"),
        (12, "`found += value` became `pass`"),
    ]
    plain = ast.unparse(ast.parse(CODE))
    assert len({m.text for m in found} | {plain}) == 4


def test_what_does_nothing_is_not_changed() -> None:
    """Docstrings, annotations, imports and the part for a script would make mutants that no test could notice."""
    every = mutants("a.py", CODE, most=99)
    assert {m.line for m in every} == {4, 7, 9, 11, 12, 13}
    assert all(ast.parse(m.text) for m in every)


def test_only_the_lines_that_were_changed() -> None:
    """Code that was there before says nothing about the task's test."""
    assert {m.line for m in mutants("a.py", CODE, {11, 12}, most=9)} == {11, 12}


def test_other_languages_and_broken_files_give_none() -> None:
    """Unsupported is told as none, so that nothing is called proved."""
    assert mutants("a.js", "return 1") == ()
    assert mutants("a.py", "def (") == ()
    assert mutants("a.py", '"""Only words."""\n') == ()
