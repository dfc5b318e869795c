"""Plans as text: chunks, excerpts, and the commands that they name."""

from __future__ import annotations

import pytest

from lao.agents.commands import assign_commands
from lao.agents.plan_text import body, chunks, excerpt, plan_commands
from lao.core.words import TaskSpec
from lao.llm.tokens import estimate


def test_front_matter_is_not_text() -> None:
    """YAML between dashes at the very start goes; a rule in the text stays."""
    assert body("---\na: 1\n---\n# T\n\nx\n---\ny") == "# T\n\nx\n---\ny"
    assert body("# T\n---\na\n---\n") == "# T\n---\na\n---"


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"## H{n}\n" + "word " * 100 for n in range(9)),
        "\n".join(f"- item {n} " + "word " * 50 for n in range(30)),
        "\n\n".join("sentence. " * 60 for n in range(9)),
        "\n".join("line " * 10 for n in range(200)),
        "x" * 9000,
        "```\n# no heading\n" + "code\n" * 900 + "```",
    ],
)
def test_chunks_fit_and_lose_nothing(text: str) -> None:
    """Whatever the plan looks like, every chunk fits and all words are there, in order."""
    parts = chunks(text, 300)
    assert all(estimate(p) <= 300 for p in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_chunks_are_cut_at_headings() -> None:
    """Sections stay together, and small ones share a chunk; a # line in code is no heading."""
    text = "# T\nintro\n## A\n```sh\n# comment\n```\n## B\n" + "word " * 200
    first, second = chunks(text, 310)
    assert first.startswith("# T\nintro\n## A\n```sh\n# comment")
    assert second.startswith("## B")


def test_excerpt_prefers_what_concerns_the_task() -> None:
    """When the plan does not fit, the sections that mention the task's title or files are shown."""
    text = "# T\n## A\n" + "word " * 500 + "\n## B\nWrite b.py.\n"
    assert "Write b.py." in excerpt(text, ("b.py",), 100)
    assert "word" not in excerpt(text, ("b.py",), 100)
    assert excerpt("---\nx: 1\n---\nshort", (), 100) == "short"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Test: `pytest -q`", ["pytest -q"]),
        ("- Test: pytest -q tests/test_a.py", ["pytest -q tests/test_a.py"]),
        ("**Test:** `python -m pytest`", ["python -m pytest"]),
        ("- [ ] Check: `make test`.", ["make test"]),
        ("  * Verify: `PYTHONPATH=. python3 check.py`", ["PYTHONPATH=. python3 check.py"]),
        ("Acceptance: `pytest -q` and `ruff check .`", ["pytest -q", "ruff check ."]),
        ("Acceptance: `./check.sh`", ["./check.sh"]),
        ("Tests: `mytool --all`", ["mytool --all"]),
        ("Test:\n\n```sh\n$ pytest -q\nmake lint\n```", ["pytest -q", "make lint"]),
        ("Verify: the output is correct", []),
        ("Check: `is_isogram('x')` is True", []),
        ("Test: `test_isogram.py`", []),
        ("Testing: `pytest`", []),
        ("We test: nothing", []),
    ],
)
def test_lines_that_name_a_command(line: str, found: list[str]) -> None:
    """Labelled commands are found, in back-ticks or bare; prose, calls and file names are none."""
    assert [c for _, c in plan_commands(f"# T\n\n{line}\n")] == found


def test_section_of_a_command() -> None:
    """A command belongs to its list item, or its heading with the headings above it."""
    items = "1. Write a.py\n   - Test: `pytest a`\n2. Write b.py\n   Test: `pytest b`\n"
    text = f"# T\n{items}## C c.py\n### Done\nTest: `make`"
    (a, _), (b, _), (c, _) = plan_commands(text)
    assert "a.py" in a
    assert "b.py" not in a
    assert "b.py" in b
    assert "a.py" not in b
    assert "c.py" in c
    assert "a.py" not in c


A = TaskSpec("Write a", "", ("src/a.py",))
B = TaskSpec("Write b", "", ("b.py",))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("# T\n## One\nMake `a.py`.\nTest: `pytest a`\n", (("pytest a",), ())),
        ("# T\n## write A\nTest: `pytest a`\n", (("pytest a",), ())),
        ("# T\n## One\nMake a.py and b.py.\nTest: `pytest all`\n", ((), ("pytest all",))),
        ("# T\n## Acceptance\nTest: `pytest all`\n", ((), ("pytest all",))),
        ("# T\n## A\na.py\nTest: `pytest -q`\n## B\nb.py\nTest: `pytest -q`\n", (("pytest -q",), ("pytest -q",))),
    ],
)
def test_no_test_of_the_plan_is_lost(plan: str, expected: tuple[tuple[str, ...], ...]) -> None:
    """A command that no task claims goes once, to the last task that its section is about, else to the last of all."""
    assert tuple(t.commands for t in assign_commands((A, B), plan)) == expected


def test_claimed_commands_stay_where_they_are() -> None:
    """A command that a task claims is not attached a second time."""
    claiming = TaskSpec("Write a", "", ("src/a.py",), (), ("pytest  -q",))
    tasks = assign_commands((claiming, B), "# T\nWrite a.py and b.py.\nTest: `pytest -q`\n")
    assert [t.commands for t in tasks] == [("pytest  -q",), ()]
