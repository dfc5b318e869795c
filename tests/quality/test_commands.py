"""Promises: the plan's own commands decide, in order and once; their real output is the evidence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from lao.config.settings import OrchestrationSettings
from lao.core.errors import BadInput, Interrupted
from lao.core.steps import DirectSteps, StepKind
from lao.core.words import CommandResult, TaskSpec
from lao.quality.commands import command_findings, run_checks, validation_commands


def settings(**given: Any) -> OrchestrationSettings:
    values: dict[str, Any] = dict.fromkeys((f.name for f in fields(OrchestrationSettings)), None)
    values |= {"validation_profile": "default", "validation_profiles": MappingProxyType({})}
    return OrchestrationSettings(**{**values, "infer_validation_commands": True, **given})


def commands(root: Path, front: Any = None, task: tuple[str, ...] = (), **given: Any) -> tuple[tuple[str, str], ...]:
    matter = {} if front is None else {"validation": front}
    return validation_commands(settings(**given), matter, TaskSpec("t", "d", commands=task), root)


def test_order_and_no_repeats(tmp_path: Path) -> None:
    """Plan, factory, profile, task, each command once; explicit ones keep inference out."""
    (tmp_path / "test_x.py").write_text("")
    profile = {
        "strict": {"commands": [{"kind": "lint", "command": "ruff check ."}, {"kind": "test", "command": "make t"}]}
    }
    found = commands(
        tmp_path, {"test": ["make t", "make u"], "build": "make"}, (" make t ", "make v"),
        validation_build_cmd="make", validation_lint_cmd="ruff check .", validation_profile="strict",
        validation_profiles=profile,
    )  # fmt: skip
    assert found == (
        ("build", "make"), ("test", "make t"), ("test", "make u"), ("lint", "ruff check ."), ("test", "make v"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("front", "expected"), [("a", ["a"]), (["a", "b"], ["a", "b"]), (None, []), ({"lint": "a"}, ["a"])]
)
def test_forms_of_front_matter(tmp_path: Path, front: Any, expected: list[str]) -> None:
    """A command, a list, or a mapping of kinds."""
    assert [c for _, c in commands(tmp_path, front)] == expected


@pytest.mark.parametrize("front", [5, [1], {"tests": "a"}, {"test": 3}, [["a"]]])
def test_wrong_front_matter(tmp_path: Path, front: Any) -> None:
    """Another form is the user's mistake, said clearly."""
    with pytest.raises(BadInput):
        commands(tmp_path, front)


def test_inference_only_without_explicit_commands(tmp_path: Path) -> None:
    """What the manifests ask for counts when nothing is said, and can be switched off."""
    (tmp_path / "test_a.py").write_text("")
    assert commands(tmp_path) == (("test", f"{sys.executable} -m pytest -q"),)
    assert commands(tmp_path, infer_validation_commands=False) == ()
    assert commands(tmp_path, "make") == (("test", "make"),)


def test_checks_are_repeatable_steps(tmp_path: Path) -> None:
    """Each command is one step of its own, all run, and a failure does not stop the next."""
    seen: list[tuple[StepKind, str]] = []

    class Noted(DirectSteps):
        def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
            seen.append((kind, label))
            return super().run(kind, label, fn)

    found = run_checks([("build", "exit 2"), ("test", "pwd")], tmp_path, Noted(), marker=str(tmp_path), timeout_s=20)
    assert [(r.command, r.exit_code) for r in found] == [("exit 2", 2), ("pwd", 0)]
    assert found[1].output.strip() == str(tmp_path.resolve())
    assert seen == [(StepKind.REPEATABLE, "check:build:0"), (StepKind.REPEATABLE, "check:test:1")]
    with pytest.raises(Interrupted):
        run_checks(
            [("test", "sleep 9")], tmp_path, DirectSteps(), marker=str(tmp_path), timeout_s=20, stop=lambda: True
        )


def test_time_limit_of_checks(tmp_path: Path) -> None:
    """A command that does not end is killed and told as such."""
    results = run_checks(
        [("test", "echo begun; sleep 30")], tmp_path, DirectSteps(), marker=str(tmp_path), timeout_s=1.5
    )
    finding = command_findings(results)[0]
    assert (finding.kind, finding.blocks) == ("command_timeout", True)
    assert "endless loop" in finding.hint
    assert finding.hint.endswith("begun")


def test_findings_carry_the_real_output() -> None:
    """The useful part of the output is the evidence, bounded; passed commands give nothing."""
    results = (
        CommandResult("ok", 0, "fine"),
        CommandResult("bad", 1, "x" * 5_000 + "AssertionError: 1 != 2\n"),
        CommandResult("none", 127, "sh: none: not found"),
        CommandResult("quiet", -9),
    )
    found = command_findings(results)
    assert [f.kind for f in found] == ["command_failed", "command_not_found", "command_failed"]
    assert found[0].hint.endswith("AssertionError: 1 != 2")
    assert len(found[0].hint) <= 1_500
    assert "-9" in found[2].message
    assert all(f.blocks for f in found)
