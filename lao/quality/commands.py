"""Which commands decide about a task, running them as journal steps, and their failures as findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lao.config.settings import OrchestrationSettings
from lao.core.errors import BadInput
from lao.core.steps import StepKind, Steps
from lao.core.words import CommandResult, Finding, Json, Severity, TaskSpec
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import OPEN, Sandbox
from lao.quality.evidence import digest
from lao.quality.inference import infer
from lao.quality.requirements import acceptance_commands

Commands = tuple[tuple[str, str], ...]
"""(kind, command line): kind is build, lint, test or check."""

_KINDS: Final = ("build", "lint", "test", "check")
_TEST_FILE: Final = re.compile(r"test_.*\.py|.*_test\.py")


def validation_commands(
    settings: OrchestrationSettings, front_matter: Mapping[str, Any], task: TaskSpec | None, root: Path
) -> Commands:
    """The commands that apply, each once: the plan's, the factory's, the profile's, the task's; else inferred ones.

    Args:
        front_matter: of the plan; ``validation`` is a command, a list, or ``{build, lint, test: command or list}``;
            commands of its ``acceptance`` count too (``quality.requirements``).
        task: None for the plan as a whole.
        root: where manifests are looked for when nothing is said explicitly.

    Raises:
        BadInput: ``validation`` or ``acceptance`` has another form.
    """
    found = [*_from_front_matter(front_matter.get("validation"))]
    found += [("check", c) for c in acceptance_commands(front_matter)]
    found += [("build", c) for c in _texts(settings.validation_build_cmd)]
    found += [("lint", c) for c in _texts(settings.validation_lint_cmd)]
    profile = settings.validation_profiles.get(settings.validation_profile) or {}
    found += [(str(c.get("kind", "check")), str(c["command"])) for c in profile.get("commands") or ()]
    found += [("test", c) for c in (task.commands if task else ())]
    if not found and settings.infer_validation_commands:
        found = [*infer(root)]
    unique: dict[str, str] = {}
    for kind, command in found:
        if command.strip():
            unique.setdefault(command.strip(), kind)
    return tuple((kind, command) for command, kind in unique.items())


def _from_front_matter(value: Any) -> Commands:
    if isinstance(value, Mapping):
        unknown = sorted(str(k) for k in value if k not in _KINDS)
        if unknown:
            raise BadInput(f"the plan's validation has the unknown key {unknown[0]!r}", f"known: {', '.join(_KINDS)}")
        return tuple((kind, c) for kind in _KINDS for c in _texts(value.get(kind)))
    return tuple(("test", c) for c in _texts(value))


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        return list(value)
    raise BadInput(f"validation commands must be text or a list of texts, not {value!r}", "for example 'pytest -q'")


def files_of_commands(root: Path, commands: Iterable[str]) -> tuple[str, ...]:
    """Files in ``root`` that the commands name; for a bare test runner the test files that it would find there.

    The coder sees them: tests that it may read are worth more than any description.
    """
    found: list[str] = []
    for command in commands:
        words = re.split(r"[\s;&|()'\"=]+", command)
        named = [w for w in words if w and not w.startswith(("-", "/")) and ".." not in w and (root / w).is_file()]
        if not named and re.search(r"\b(pytest|unittest)\b", command):
            named = sorted(p.name for p in root.glob("*.py") if _TEST_FILE.fullmatch(p.name))
        found += named
    return tuple(dict.fromkeys(found))


def run_checks(
    commands: Iterable[tuple[str, str]],
    cwd: Path,
    steps: Steps,
    *,
    marker: str,
    timeout_s: float,
    containment: Sandbox = OPEN,
    stop: Callable[[], bool] | None = None,
    output_limit: int = 60_000,
) -> tuple[CommandResult, ...]:
    """Run all of them in order, each as one repeatable step; a failure does not keep the others from running.

    Raises:
        Interrupted: the worker is stopping.
    """
    results = []
    for number, (kind, command) in enumerate(commands):

        def run(command: str = command) -> Json:
            result = run_command(
                command,
                cwd=cwd,
                marker=marker,
                timeout_s=timeout_s,
                containment=containment,
                stop=stop,
                output_limit=output_limit,
            )
            return result.to_json()

        results.append(CommandResult.from_json(steps.run(StepKind.REPEATABLE, f"check:{kind}:{number}", run)))
    return tuple(results)


def command_findings(
    results: Iterable[CommandResult], *, files: Collection[str] = (), root: Path | None = None
) -> tuple[Finding, ...]:
    """One major finding for each command that did not pass, with the useful part of its real output as evidence.

    Args:
        files: the task's files; traceback lines in them are kept first.
        root: the folder that the commands ran in.
    """
    found = []
    for result in results:
        if result.passed:
            continue
        if result.timed_out:
            kind, what = "command_timeout", f"was killed after {result.seconds:.0f} s"
        elif result.exit_code in (126, 127):
            kind, what = "command_not_found", f"could not be started (exit status {result.exit_code})"
        else:
            kind, what = "command_failed", f"ended with exit status {result.exit_code}"
        evidence = digest(result, files=files, root=root).text
        found.append(Finding(Severity.MAJOR, kind, f"{result.command!r} {what}", "", evidence, "command"))
    return tuple(found)
