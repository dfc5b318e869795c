"""Questions to the Pilot in the words of different people, on a real small model.

LAO_LIVE_URL=http://127.0.0.1:1234 LAO_LIVE_MODEL=qwen2.5-coder-1.5b python -m pytest -m live tests/live/test_pilot.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from lao.agents.plan_text import plan_commands
from tests.durability.factory_run import Project, project

pytestmark = pytest.mark.live

FAILING = """# Build parts

- task: cover page | file: cover.txt | content: plain cover | test: grep -q UNICORN cover.txt
- task: last page | file: last.txt | content: the end
"""
WHY = (
    "what failed and why?",
    "Why did the work of last night not finish?",
    "Which task is broken, and for what reason?",
    "Tell me what went wrong.",
    "explain the failure to me",
)
PLANS = (
    ("make a plan that adds a function slugify(text) in slug.py", "slug.py"),
    ("Create a plan: a script hello.py that prints hello", "hello.py"),
    ("I need a plan for a module temperature.py with celsius(fahrenheit)", "temperature.py"),
    ("Please write a plan which counts the words of a file in count.py", "count.py"),
    ("plan a function is_leap(year) in leap.py for me", "leap.py"),
)
ENOUGH = 8


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose night failed (made by the scripted server), from now on with the real model in all roles."""
    with project(tmp_path_factory.mktemp("pilot"), settings={"attempts": {"candidates": 1, "idle": False}}) as made:
        (made.root / "plans" / "booklet.md").write_text(FAILING)
        done = made.lao("run", "--single-run", timeout=300)
        assert done.returncode in (3, 4), done.stderr
        document = yaml.safe_load((made.root / "factory.yaml").read_text())
        role = {"key": os.environ["LAO_LIVE_MODEL"], "context_length": 8192, "max_completion": 1200}
        document["lm_studio_base_url"] = os.environ["LAO_LIVE_URL"]
        document["models"] = {name: dict(role) for name in ("planner", "coder", "reviewer", "pilot")}
        document["git"] = {"enabled": False}
        document["permissions"] = {"allow": ["create_plan"]}  # nobody is there to be asked
        (made.root / "factory.yaml").write_text(yaml.safe_dump(document))
        assert made.lao("pause").returncode == 0  # the plans that it makes are not worked on
        try:
            yield made
        finally:
            made.lao("stop", timeout=120)


def _is_about(plan: str, file: str) -> bool:
    """Whether the model's own part of a plan speaks of the module and names a command that tests it."""
    own = "\n".join(line for line in plan.splitlines() if not line.startswith("Asked for:"))
    return file.removesuffix(".py") in own and bool(plan_commands(own))


def test_eight_of_ten_phrasings_do_the_right_thing(night: Project) -> None:
    """The failure is named with its task and its reason; a plan is a file that names what was asked for."""
    outcome: dict[str, str] = {}
    for question in WHY:
        said = night.lao("pilot", "-m", question, timeout=600)
        text = said.stdout.lower()
        right = said.returncode == 0 and "cover" in text and bool(re.search(r"unicorn|grep|test|check|exit", text))
        outcome[question] = "" if right else said.stdout[-600:] + said.stderr[-300:]
    for question, wanted in PLANS:
        before = set((night.root / "plans").glob("*.md"))
        said = night.lao("pilot", "-m", question, timeout=600)
        new = set((night.root / "plans").glob("*.md")) - before
        right = said.returncode == 0 and any(_is_about(path.read_text(), wanted) for path in new)
        outcome[question] = "" if right else said.stdout[-600:] + said.stderr[-300:]
    for question, wrong in outcome.items():
        print("right" if not wrong else "WRONG", question, wrong, sep=" | ")
    assert sum(not wrong for wrong in outcome.values()) >= ENOUGH
