"""What a written test is worth: it is run on wrong versions of the code that it has passed. Decides no task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from lao.core.steps import StepKind
from lao.core.words import CommandResult, Finding, Json, Severity
from lao.durable.files import write_atomic
from lao.durable.processes import run_command
from lao.quality.mutation import WANTED, Mutant, mutants
from lao.quality.protection import is_test
from lao.state import written_tests
from lao.state.written_tests import Tried, WrittenTest
from lao.workspace.git import Repository
from lao.workspace.tree import read_text_files
from workflows.work import Work

CHARACTERS = 200_000
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.M)


def try_mutants(
    work: Work, base: str | None, commit: str | None, changed: Sequence[str], results: Sequence[CommandResult]
) -> tuple[Tried, ...] | None:
    """What the task's written test says of wrong versions of what was changed; None where it has none that passed.

    Raises:
        Interrupted: the worker is stopping.
    """
    test, repository = written_test(work), work.repository()
    took = next((r.seconds for r in results if test and r.command == test.command and r.passed), None)
    if test is None or took is None or repository is None or commit is None:
        return None
    bases = (base, work.plan.base_commit)
    wrong = work.steps.run(StepKind.READ, "mutants", lambda: _wrong(repository, bases, commit, changed))
    tried = []
    for number, given in enumerate(wrong):
        mutant = Mutant(**given)
        noticed = work.steps.run(
            StepKind.REPEATABLE,
            f"mutant:{number + 1}",
            partial(_notices, work, repository, commit, test, mutant, took),
        )
        tried.append(Tried(mutant.path, mutant.line, mutant.what, bool(noticed)))
    return tuple(tried)


def written_test(work: Work) -> WrittenTest | None:
    """The test that a model has written for this task."""
    every = written_tests.of_plan(work.factory.store, work.plan.id)
    return next((one for one in every if one.task == work.the_task.id), None)


def weakness(test: WrittenTest | None, tried: Sequence[Tried] | None) -> tuple[Finding, ...]:
    """That the written test proves nothing, if so; the work is then "checked" by it."""
    if test is None or tried is None:
        return ()
    missed = [f"{one.path} line {one.line}: {one.what}" for one in tried if not one.noticed]
    if not missed and len(tried) >= WANTED:
        return ()
    what = f"it passes on {len(missed)} of {len(tried)} wrong versions of the code"
    if not missed:
        what = f"only {len(tried)} wrong versions of the code could be made to try it on"
    hint = "\n".join([*missed, "look at the work yourself: its only test was written by a model"])
    return (Finding(Severity.MINOR, "weak_test", f"{test.path} proves nothing: {what}", test.path, hint, "mutation"),)


def edited(work: Work, changed: Sequence[str]) -> tuple[Finding, ...]:
    """Written tests that an attempt has changed: nobody may, whatever its task."""
    every = written_tests.of_plan(work.factory.store, work.plan.id)
    hint = "restore it as it was, and change the code under test"
    return tuple(
        Finding(Severity.MAJOR, "tests_weakened", f"{one.path!r}: the test was changed", one.path, hint, "judges")
        for one in every
        if one.path in changed
    )


def _wrong(repository: Repository, bases: Sequence[str | None], commit: str, changed: Sequence[str]) -> Json:
    """Wrong versions of what was changed since the first base, or where that is too little, since the next.

    As many from each file in turn as are needed.
    """
    own = [path for path in changed if path.endswith(".py") and not is_test(path)]
    with repository.snapshot(commit) as folder:
        files = read_text_files(folder, own, CHARACTERS)
    turns: list[Mutant] = []
    for base in bases:
        by_file = [mutants(path, text, _lines(repository, base, commit, path)) for path, text in files]
        longest = max((len(found) for found in by_file), default=0)
        turns = [found[n] for n in range(longest) for found in by_file if n < len(found)]
        if len(turns) >= WANTED:
            break
    return [{"path": m.path, "line": m.line, "what": m.what, "text": m.text} for m in turns[:WANTED]]


def _lines(repository: Repository, base: str | None, commit: str, path: str) -> frozenset[int]:
    """The lines of a file that the change is about, with those around it; empty when all are new."""
    diff = repository.diff(base, commit, CHARACTERS, (path,)) if base else ""
    found: set[int] = set()
    for first, count in _HUNK.findall(diff):
        found.update(range(int(first), int(first) + int(count or 1)))
    return frozenset(found)


def _notices(work: Work, repository: Repository, commit: str, test: WrittenTest, mutant: Mutant, took_s: float) -> bool:
    """Whether the test fails, or never ends, on this wrong version."""
    limit = min(work.factory.settings.orchestration.validation_timeout_s, 10 + 10 * took_s)
    with repository.snapshot(commit) as folder:
        write_atomic(folder / mutant.path, mutant.text)
        result = run_command(
            test.command,
            cwd=folder,
            marker=work.marker,
            timeout_s=limit,
            containment=work.factory.containment,
            stop=lambda: work.stopping,
        )
    return not result.passed
