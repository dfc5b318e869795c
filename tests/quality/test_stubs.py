"""Promises about stubs: a function that was asked for and vanished is noticed; what a task lets go is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.words import TaskSpec
from lao.quality.stubs import lost_stub_findings, stubs_of

STUBS = '''"""Factors."""

LIMIT = 10


def factors(value):
    """The factors of value."""
    pass


def half(value):
    return value // 2


def _helper():
    ...


async def later():
    raise NotImplementedError("later")


class Robot:
    def __init__(self, name):
        pass

    def advance(self):
        ...

    @property
    def name(self):
        pass
'''


def task(description: str = "Write factors.", *paths: str) -> TaskSpec:
    return TaskSpec("t", description, paths or ("a.py",), (), ())


def test_the_public_functions_that_do_nothing_yet_are_stubs() -> None:
    """Finished, private, special and decorated ones are none; a file that is not the task's has none."""
    assert stubs_of([("a.py", STUBS), ("b.py", STUBS)], task()) == {"a.py": ["factors", "later", "Robot.advance"]}
    assert stubs_of([("a.py", "def f(:"), ("notes.md", STUBS)], task("d", "a.py", "notes.md")) == {}


@pytest.mark.parametrize("told", ["Remove what is unused.", "Rename factors to prime_factors.", "Delete the stubs."])
def test_a_task_that_removes_or_renames_may_lose_any(told: str) -> None:
    """Then nothing that vanishes is a surprise."""
    assert stubs_of([("a.py", STUBS)], task(told)) == {}


def test_a_task_that_moves_may_lose_what_it_names() -> None:
    """A robot that moves names no function; ``move factors`` does."""
    assert stubs_of([("a.py", STUBS)], task("The robot moves on."))["a.py"][0] == "factors"
    assert stubs_of([("a.py", STUBS)], task("Move factors to b.py.")) == {"a.py": ["later", "Robot.advance"]}


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        ("def prime_factors(value):\n    return []\n\nlater = factors = prime_factors\n", ["Robot.advance"]),
        ("class Robot:\n    def advance(self):\n        return 1\n", ["factors", "later"]),
        ("class Robot(Base):\n    pass\n\nfrom x import factors, y as later\n", []),
        ("Robot = make()\nif LIMIT:\n    def factors(): ...\nelse:\n    factors, later = 1, 2\n", []),
        ("def factors(:\n", []),
    ],
)
def test_what_vanished_is_named_and_blocks(tmp_path: Path, after: str, lost: list[str]) -> None:
    """Assigned, imported, inherited and conditional names are there; no Python has its own finding."""
    (tmp_path / "a.py").write_text(after)
    found = lost_stub_findings(tmp_path, stubs_of([("a.py", STUBS)], task()))
    assert [f.kind for f in found] == (["lost_stub"] if lost else [])
    for finding in found:
        assert finding.blocks and finding.file == "a.py"
        listed = [name for name in ("factors", "later", "Robot.advance") if f"`{name}`" in finding.message]
        assert listed == lost


def test_a_file_that_is_gone_is_no_stub_finding(tmp_path: Path) -> None:
    """That it is missing has been said already."""
    assert lost_stub_findings(tmp_path, {"a.py": ["f"]}) == []
