"""The mechanical verifier: claimed files are there, parse and are finished. Same input, same findings; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Finding, Severity, TaskSpec
from lao.quality.parsing import parse_findings
from lao.quality.placeholders import PlaceholderLimits, placeholder_findings
from lao.quality.protection import judge_findings
from lao.quality.stubs import lost_stub_findings
from lao.quality.validators.change import Change
from lao.quality.validators.registry import validate
from lao.tools.paths import relative_name, resolve

_MAX_BYTES: Final = 2_000_000
_MAY_BE_EMPTY: Final = frozenset({"__init__.py", ".gitkeep", ".keep", "py.typed", "conftest.py", ".nojekyll"})


def verify_files(
    root: Path,
    task: TaskSpec,
    changed: tuple[str, ...],
    *,
    open_todos: tuple[str, ...] = (),
    limits: PlaceholderLimits | None = None,
    judges_before: Mapping[str, str] = MappingProxyType({}),
    stubs_before: Mapping[str, Sequence[str]] = MappingProxyType({}),
    change: Change | None = None,
) -> tuple[Finding, ...]:
    """Everything that can be said about the task's files without a model.

    Args:
        changed: workspace-relative paths that the attempt changed.
        open_todos: content of the to-do items that are not completed.
        judges_before: text by path of ``protection.judge_files`` before the attempt.
        stubs_before: ``stubs.stubs_of`` before the attempt.
        change: the changed texts before and after, for the validators; None when the earlier texts are not known.
    """
    findings: list[Finding] = []
    claimed: list[str] = []
    for path in dict.fromkeys(task.file_paths):
        name, finding = _claimed(root, path)
        if finding is not None:
            findings.append(finding)
        if name:
            claimed.append(name)
    for name in dict.fromkeys((*claimed, *changed)):
        before = change.before.get(name, "") if change is not None else ""
        findings += _file_findings(root, name, before, claimed=name in claimed, limits=limits or PlaceholderLimits())
    findings += judge_findings(root, task, changed, judges_before)
    findings += lost_stub_findings(root, stubs_before)
    findings += _no_change(task, changed, findings)
    findings += _validated(change, judges_before)
    findings += [
        Finding(Severity.MINOR, "open_todo", f"the to-do item {item!r} is not completed", analyzer="todo_ledger")
        for item in open_todos
    ]
    return tuple(findings)


def _validated(change: Change | None, judged: Mapping[str, str]) -> list[Finding]:
    """What the validators say; of given tests the judges have said it."""
    found = validate(change) if change is not None else ()
    return [f for f in found if not (f.kind == "tests_weakened" and f.file in judged)]


def _claimed(root: Path, path: str) -> tuple[str, Finding | None]:
    """The real name of a claimed file, "" when there is nothing to look into, and what is wrong with it."""
    try:
        target = resolve(root, path.rstrip("/") or path)
    except BadInput as exc:
        if (root / path).is_dir() and _is_inside(root, path):
            return "", None
        return "", Finding(Severity.MAJOR, "outside_workspace", exc.message, path, exc.hint, "path_guard")
    if target.is_file():
        return relative_name(root, target), None
    what = "this task is to create or change it"
    message = f"{path!r} does not exist"
    return "", Finding(Severity.MAJOR, "missing_file", message, path, what, "expected_files")


def _is_inside(root: Path, path: str) -> bool:
    try:
        resolve(root, path, folder=True)
    except BadInput:
        return False
    return True


def _file_findings(root: Path, name: str, before: str, *, claimed: bool, limits: PlaceholderLimits) -> list[Finding]:
    try:
        target = resolve(root, name)
    except BadInput as exc:
        if (root / name).is_dir():
            return []
        return [Finding(Severity.MAJOR, "outside_workspace", exc.message, name, exc.hint, "path_guard")]
    if not target.is_file():
        return []  # a changed path that is gone was deleted
    size = target.stat().st_size
    if size > _MAX_BYTES:
        message = f"{name!r} has {size} bytes and was not looked into"
        return [Finding(Severity.INFO, "too_big", message, name, analyzer="size")]
    if size == 0 and claimed and target.name not in _MAY_BE_EMPTY:
        return [Finding(Severity.MAJOR, "empty_file", f"{name!r} is empty", name, "write its content", "size")]
    raw = target.read_bytes()
    if b"\0" in raw[:8_192]:
        return []
    text = raw.decode("utf-8", errors="replace")
    return [
        *parse_findings(name, raw, text),
        *placeholder_findings(name, text, claimed=claimed, limits=limits, before=before),
    ]


def _no_change(task: TaskSpec, changed: tuple[str, ...], findings: list[Finding]) -> list[Finding]:
    """Doing nothing is right when everything is there already, or when commands decide; else it is no work."""
    if changed:
        return []
    if any(f.blocks for f in findings) or not (task.file_paths or task.commands):
        hint = "make the files with the tools; text in an answer changes nothing"
        return [Finding(Severity.MAJOR, "no_change", "the attempt changed no file", "", hint, "changes")]
    message = "nothing was changed; the task's files were complete already"
    return [Finding(Severity.INFO, "no_change", message, "", "", "changes")]
