"""The judge: the pristine test file on the modules left behind, in a folder of its own. Believes nobody else."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.exercism.exercises import Exercise
from scripts.exercism.processes import run_limited

LIMIT_S = 30.0
_TEST = re.compile(r"(?:^|/)(?:tests?/.*|test_[^/]*|[^/]*_tests?\.py)$")
_REFUSED = frozenset({"conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.py", "unittest.py"})
"""Modules that would change how the tests run, rather than what they test."""
_SKIPPED = frozenset({"__pycache__", "venv", "env", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Judgement:
    """``output``: what pytest printed, for the second prompt of the baseline and for the record."""

    passed: bool
    output: str


def judge(exercise: Exercise, workspace: Path) -> Judgement:
    """Test what lies in ``workspace``."""
    with tempfile.TemporaryDirectory(prefix="judge-") as name:
        folder = Path(name) / "judged"
        folder.mkdir()
        _copy_modules(workspace, folder)
        return _test(exercise, folder, Path(name) / "log")


def judge_text(exercise: Exercise, code: str) -> Judgement:
    """Test ``code`` as the exercise's module."""
    with tempfile.TemporaryDirectory(prefix="answer-") as name:
        (Path(name) / exercise.stub).write_text(code, encoding="utf-8")
        return judge(exercise, Path(name))


def _copy_modules(workspace: Path, folder: Path) -> None:
    for source in sorted(workspace.rglob("*.py")):
        path = source.relative_to(workspace)
        hidden = any(part.startswith(".") or part in _SKIPPED for part in path.parts)
        if hidden or path.name in _REFUSED or _TEST.search(path.as_posix()) or source.is_symlink():
            continue
        if source.is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / path)


def _test(exercise: Exercise, folder: Path, log: Path) -> Judgement:
    """A module that ends the interpreter passes nothing: the summary must say that tests passed, and no other word."""
    (folder / exercise.test).write_text(exercise.read(exercise.test), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", exercise.test]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON"))}
    env.update(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTHONDONTWRITEBYTECODE="1")
    done = run_limited(command, folder, env, limit_s=LIMIT_S, log=log)
    if done.code is None:
        return Judgement(False, f"{done.output}\nThe tests did not end within {LIMIT_S:.0f} seconds.")
    last = done.output.rstrip().rpartition("\n")[2]
    return Judgement(done.code == 0 and bool(re.match(r"\d+ passed", last)), done.output)
