"""D8 on a real model: at most one of twenty known-good changes is rejected; how many planted bugs are caught by whom.

LAO_LIVE_URL=http://127.0.0.1:1234 LAO_LIVE_MODEL=qwen2.5-coder-1.5b LAO_EXERCISM=FOLDER \\
    python -m pytest -m live -s tests/live/test_reviewer.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from lao.config.load import load
from lao.core.states import Role
from tests.live.reviewing import cases, judge, table
from workflows.factory import Factory

pytestmark = pytest.mark.live

FALSE_REJECTS = 1


def test_known_good_changes_pass_and_planted_bugs_are_counted(tmp_path: Path) -> None:
    """A false reject costs a night. The table goes to the output, and to the file that LAO_LIVE_TABLE names."""
    role = {"key": os.environ["LAO_LIVE_MODEL"], "context_length": 8192, "max_completion": 1500}
    document = {
        "lm_studio_base_url": os.environ["LAO_LIVE_URL"],
        "models": {name: {**role, "supports_json_schema": True} for name in ("planner", "coder", "reviewer")},
    }
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
    factory = Factory(load(cwd=tmp_path, env={}))
    try:
        good, bad = cases(Path(os.environ["LAO_EXERCISM"]))
        assert (len(good), len(bad)) == (20, 20)
        settings = factory.settings.models[Role.REVIEWER]
        approved = [judge(case, factory.chat, settings, tmp_path) for case in good]
        caught = [judge(case, factory.chat, settings, tmp_path) for case in bad]
    finally:
        factory.close()
    shown = table(approved, caught)
    print(shown)
    if place := os.environ.get("LAO_LIVE_TABLE"):
        Path(place).write_text(shown, encoding="utf-8")
    assert sum(found.review for found in approved) <= FALSE_REJECTS
    assert all(found.acceptance for found in caught)
