"""The machinery of tests/live/test_reviewer.py counts rightly, on one exercise and a scripted reviewer."""

from __future__ import annotations

import json
from pathlib import Path

from lao.core.states import Role
from scripts.exercism.exercises import Exercise
from tests.agents.fakes import ScriptedModel, settings
from tests.live.reviewing import BUGS, Case, judge, table

SOLUTION = "def double(number):\n    return number * 2\n"
TEST = """import unittest

from twice import double


class TwiceTest(unittest.TestCase):
    def test_two(self):
        self.assertEqual(double(2), 4)
"""


def exercise(folder: Path) -> Exercise:
    place = folder / "twice"
    place.mkdir()
    texts = {"instructions.md": "double(2) gives 4.", "twice.py": "", "twice_test.py": TEST, "solution.py": SOLUTION}
    for name, text in texts.items():
        (place / name).write_text(text)
    return Exercise("twice", place)


def test_good_and_bad_changes_are_counted(tmp_path: Path) -> None:
    """A rejection without proof is no false reject; one with proof catches the bug; the tests catch it as well."""
    one = exercise(tmp_path)
    defect = {"severity": "major", "criterion": "double(2) gives 4", "message": "wrong", "command": "double(2) == 4"}
    answer = json.dumps({"verdict": "REJECTED", "summary": "wrong", "findings": [defect]})
    model, told = ScriptedModel(answer, answer), settings(Role.REVIEWER)
    good = judge(Case(one, SOLUTION), model, told, tmp_path)
    bug = Case(one, SOLUTION.replace("return number * 2", "return None"), "line 2: `x` became `None`")
    bad = judge(bug, model, told, tmp_path)
    assert (good.mechanical, good.acceptance, good.review) == (False, False, False)
    assert (bad.acceptance, bad.review) == (True, True)
    shown = table([good], [bad])
    assert "| twice | approved | line 2: `x` became `None` | missed | caught | caught |" in shown
    assert "0 of 1 false rejects | | 0 of 1 | 1 of 1 | 1 of 1 |" in shown


def test_twenty_bugs_are_kept_as_data() -> None:
    """One for each exercise, with the line and what was changed."""
    planted = json.loads(BUGS.read_text(encoding="utf-8"))
    assert len({item["exercise"] for item in planted}) == 20
    assert all(item["line"] > 0 and "became" in item["what"] for item in planted)
