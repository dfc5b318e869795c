"""Exercises on disk and the project that LAO gets for one: factory.yaml, plan, workspace. The solution stays out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import yaml

from lao.core.errors import BadInput
from lao.core.words import Json

PROMPTS = Path(__file__).parent / "prompts"
ROLES = ("planner", "coder", "reviewer")
CONTEXT_LENGTH = 8192
MAX_COMPLETION = 1500


@dataclass(frozen=True)
class Exercise:
    """A folder NAME with ``instructions.md``, a stub NAME.py and NAME_test.py (``-`` becomes ``_`` in the files)."""

    name: str
    folder: Path

    @property
    def stub(self) -> str:
        return f"{self.name.replace('-', '_')}.py"

    @property
    def test(self) -> str:
        return f"{self.name.replace('-', '_')}_test.py"

    def read(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")

    def text(self, prompt: str, **more: str) -> str:
        """The prompt file of that name, filled in with the exercise and ``more``."""
        known = {
            "title": self.name,
            "stub": self.stub,
            "test": self.test,
            "instructions": self.read("instructions.md").strip(),
            "stub_text": self.read(self.stub).rstrip(),
            "test_text": self.read(self.test).rstrip(),
        }
        return Template((PROMPTS / f"{prompt}.md").read_text(encoding="utf-8")).substitute(known, **more)


@dataclass(frozen=True)
class Setup:
    """What all projects of one benchmark share.

    Attributes:
        hidden: the workspace has no tests and the plan names no command; only the judge has them.
        keys: explicit keys of every role's model, above the standard ones.
        extra: a factory.yaml document that is merged last.
        wall_s: ``attempts.wall_s``, seconds.
    """

    url: str
    model: str
    wall_s: float
    hidden: bool = False
    keys: Mapping[str, Json] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)


def find(folder: Path, names: Sequence[str] = ()) -> tuple[Exercise, ...]:
    """The exercises of those names in that order; without names all of the folder, sorted.

    Raises:
        BadInput: a folder or one of its files is missing.
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder of exercises {str(folder)!r}")
    wanted = names or sorted(p.name for p in folder.iterdir() if (p / "instructions.md").is_file())
    if not wanted:
        raise BadInput(f"no exercises in {str(folder)!r}", "each is a folder with instructions.md, a stub and tests")
    exercises = tuple(Exercise(name, folder / name) for name in dict.fromkeys(wanted))
    for exercise in exercises:
        for file in ("instructions.md", exercise.stub, exercise.test):
            if not (exercise.folder / file).is_file():
                raise BadInput(f"exercise {exercise.name!r} has no file {file!r}")
    return exercises


def document(setup: Setup) -> dict[str, Json]:
    """factory.yaml. Calibration is done once, before; a project of one exercise must not pay for it."""
    model = {"key": setup.model, "context_length": CONTEXT_LENGTH, "max_completion": MAX_COMPLETION, **setup.keys}
    orchestration: dict[str, Json] = {"validation_timeout_s": 30}
    if not setup.hidden:
        orchestration["validation_build_cmd"] = f"{shlex.quote(sys.executable)} -m pytest -q"
    standard = {
        "lm_studio_base_url": setup.url,
        "models": {role: dict(model) for role in ROLES},
        "orchestration": orchestration,
        "attempts": {"wall_s": setup.wall_s},
        "calibration": {"auto": False},
    }
    return merged(standard, setup.extra)


def merged(base: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """``above`` laid over ``base``, key by key at every depth."""
    result = dict(base)
    for key, value in above.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def make_project(root: Path, setup: Setup, exercise: Exercise | None = None) -> Path:
    """Write the project into ``root``; returns the workspace (``root`` itself when there is no exercise)."""
    plans = root / "plans"
    plans.mkdir(parents=True)
    (root / "factory.yaml").write_text(yaml.safe_dump(document(setup), sort_keys=False), encoding="utf-8")
    if exercise is None:
        return root
    workspace = root / exercise.name
    workspace.mkdir()
    for file in (exercise.stub,) if setup.hidden else (exercise.stub, exercise.test):
        (workspace / file).write_text(exercise.read(file), encoding="utf-8")
    plan = exercise.text("plan_hidden" if setup.hidden else "plan")
    (plans / f"{exercise.name}.md").write_text(plan, encoding="utf-8")
    return workspace
