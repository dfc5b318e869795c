"""What a plan demands is read out of its text, each demand once, with its line, and never out of code."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.errors import BadInput
from lao.quality.requirements import acceptance_commands, requirements_of
from lao.workspace.front_matter import split

SHOP = """---
acceptance:
  - prices are rounded
  - {id: SHOP-1, text: totals are right, command: pytest -q test_total.py}
---
# Shop

Text is UTF-8. See ABC-12.

## Tasks

1. Write `a.py`.

## Requirements

1. **AC-3** The total is 5.
   Check: `python3 x.py`
2. It does not fail
   when it is empty.

```
- [ ] not this, nor XY-9
```

- [ ] box one
  - [x] nested
- Check: `true`

## Other

ABC-12: the report lists it
4. no demand
"""


def keys(text: str, **options: Any) -> list[tuple[str, str, int]]:
    return [(d.requirement.key, d.requirement.source, d.requirement.line) for d in requirements_of(text, options)]


def test_every_form_is_found_with_its_line() -> None:
    """D10: front matter, numbered items under their headings, checklists and ids; standards and code are none."""
    options, _ = split(SHOP)
    found = requirements_of(SHOP, options)
    assert [(d.requirement.key, d.requirement.source, d.requirement.line) for d in found] == [
        ("R1", "front_matter", 3),
        ("SHOP-1", "front_matter", 4),
        ("AC-3", "numbered", 16),
        ("R2", "numbered", 18),
        ("R3", "checklist", 25),
        ("R4", "checklist", 26),
        ("ABC-12", "id", 31),
    ]
    lines = SHOP.split("\n")
    assert all(d.requirement.text.split()[0].strip("*") in lines[d.requirement.line - 1] for d in found)
    assert found[3].requirement.text == "It does not fail when it is empty."
    assert found[1].requirement.commands == ("pytest -q test_total.py",)
    assert "Check: `python3 x.py`" in found[2].block
    assert "Check" not in found[2].requirement.text


def test_a_plan_without_demands_has_none() -> None:
    """Numbered tasks under other headings are work, not demands; nothing changes for such plans."""
    assert keys("# Parts\n\n1. Write `a.py`.\n2. Write `b.py` for HTTP-2 and SHA-256.\n") == []


def test_keys_are_unique_and_lines_hold_with_other_line_ends() -> None:
    """An id that is said twice makes two demands with two keys; CRLF moves no line."""
    text = "# T\n\n## Must\n\n1. AB-1 is one.\n2. AB-1 again.\n3. plain\n"
    expected = [("AB-1", "numbered", 5), ("AB-1.2", "numbered", 6), ("R1", "numbered", 7)]
    assert keys(text) == expected
    assert keys(text.replace("\n", "\r\n")) == expected


@pytest.mark.parametrize(
    "given",
    [5, [7], [{"id": "A-1"}], [{"text": "x", "comand": "y"}], {"text": "x", "command": 3}, [""]],
)
def test_an_acceptance_of_another_form_is_said(given: Any) -> None:
    """Bad input: one message with what is known, when the plan is handed in."""
    with pytest.raises(BadInput, match="acceptance must be a list"):
        acceptance_commands({"acceptance": given})


def test_commands_of_the_front_matter_come_once() -> None:
    """Each command runs once, whoever names it."""
    entry = {"text": "x", "command": "true", "commands": ["true", "ls"]}
    assert acceptance_commands({"acceptance": [entry, "words"]}) == ("true", "ls")
    assert acceptance_commands({}) == ()
