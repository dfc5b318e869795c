"""The planted bugs fit the source as it is; that each is found is seen by ``python scripts/planted_bugs.py``."""

from __future__ import annotations

import pytest

from scripts.planted_bugs import BUGS, ROOT, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_can_still_be_planted(bug: Bug) -> None:
    """The text that a bug replaces is there once, and the check that finds it exists."""
    for path, old, _new in bug.changes:
        assert (ROOT / path).read_text(encoding="utf-8").count(old) == 1
    assert (ROOT / bug.check.partition("::")[0]).exists()
