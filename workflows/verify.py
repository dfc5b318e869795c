"""Verify (cpu): mechanical checks and the plan's own commands, on exactly what was committed. No model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lao.core.steps import StepKind
from lao.core.words import CommandResult, Finding, Json, Severity
from lao.quality.commands import command_findings, run_checks
from lao.quality.gating import gating_of
from lao.quality.validators.registry import of_validators
from lao.state import ledger, pipeline, plans, runs, written_tests
from workflows import mutants, plan_checks
from workflows.bench import Given, decides, mechanical_findings
from workflows.checks import commands_of
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Judge the attempt by evidence: on to the review, or back to the coder with the real output."""
    factory, task = work.factory, work.the_task
    limits = factory.settings.orchestration
    coded = runs.predecessor_result(factory.store, work.claim.run.id) or _as_it_stands(work)
    commit = coded.get("commit") or coded.get("base")  # an attempt that changed nothing is judged as it found things
    known = _same_tree(work, coded, commit)
    findings, results = known if known is not None else _looked_at(work, coded, commit)
    findings += _judge(work, results)
    blocking = gating_of(limits).blocking(findings)
    tried = None if blocking else mutants.try_mutants(work, coded.get("base"), commit, _changed(work, coded), results)
    findings += mutants.weakness(mutants.written_test(work), tried)
    early = _can_be_checked_early(work, results)

    def apply(now: float) -> list[int]:
        ledger.add_findings(factory.store, work.claim, findings)
        ledger.add_validations(factory.store, work.claim, "task", commit, results)
        if tried is not None:
            written_tests.note_tried(task.id, tried)
        if not blocking:
            ready = pipeline.pass_verification(task.id, work.claim.run.id, now, early=limits.early_release)
            return ready + (pipeline.check_whole_early(work.plan.id, now) if early else [])
        return pipeline.retry_or_fail(
            task.id,
            now,
            counter="verify_failures",
            cap=limits.retry_cap_validation,
            feedback=[f.feedback for f in blocking],
            reason=blocking[0].message,
        )

    evidence = [r.to_json() for r in results]
    return Outcome(
        apply,
        result={**coded, "commit": commit, "evidence": evidence, "blocked": bool(blocking)},
        text=_summary(results, blocking),
        chain=not blocking,
    )


def _changed(work: Work, coded: dict[str, Json]) -> tuple[str, ...]:
    """What this attempt changed, or where it found all done, the task's files."""
    return tuple(coded.get("changed") or ()) or work.the_task.spec.file_paths


def _as_it_stands(work: Work) -> dict[str, Json]:
    """What to judge when no coder went before: a task whose ground was changed is verified again as it stands."""
    repository = work.repository()
    head = work.steps.run(StepKind.READ, "head", repository.head) if repository else None
    return {"commit": head, "changed": list(work.the_task.files)}


@contextmanager
def _checkout(work: Work, commit: str | None) -> Iterator[Path]:
    """The committed state in a folder of its own, so that the coder may go on in the live one meanwhile."""
    repository = work.repository()
    if repository is None or commit is None:
        yield work.plan.workspace
        return
    with repository.snapshot(commit) as folder:
        yield folder


def _can_be_checked_early(work: Work, results: tuple[CommandResult, ...]) -> bool:
    """Whether there are commands to run on the whole, and a checkout to run them on beside the reviews."""
    if work.repository() is None or not plan_checks.wanted(work):
        return False
    tasks = plans.tasks_of(work.factory.store, work.plan.id)
    return bool(results) or any(task.spec.commands for task in tasks)


Looked = tuple[list[Finding], tuple[CommandResult, ...]]


def _looked_at(work: Work, coded: dict[str, Json], commit: str | None) -> Looked:
    """What the mechanical checks and the commands say of the commit."""
    limits = work.factory.settings.orchestration
    with _checkout(work, commit) as folder:
        changed = tuple(coded.get("changed") or ())
        before = _before(work, coded, changed)
        findings = list(mechanical_findings(work, folder, changed, Given.from_json(coded), before))
        if before is None:
            checked = (coded.get("checked") or {}).get("findings") or ()
            findings += of_validators(Finding.from_json(item) for item in checked)
        results = run_checks(
            commands_of(work, work.the_task.spec, folder),
            cwd=folder,
            steps=work.steps,
            marker=work.marker,
            containment=work.factory.containment,
            timeout_s=limits.validation_timeout_s,
            stop=lambda: work.stopping,
        )
    return findings, results


def _before(work: Work, coded: dict[str, Json], changed: tuple[str, ...]) -> dict[str, str] | None:
    """The changed files as they were just before the attempt's commit; None where there is none to look at."""
    repository, own = work.repository(), coded.get("commit")
    return repository.texts_at(f"{own}^", changed) if repository is not None and own and coded.get("base") else None


def _same_tree(work: Work, coded: dict[str, Json], commit: str | None) -> Looked | None:
    """What was found out about exactly these files when the coder's attempt was judged; None when that is not known."""
    repository, checked = work.repository(), coded.get("checked") or {}
    if repository is None or commit is None or not checked.get("tree"):
        return None
    if repository.tree(commit) != checked["tree"]:
        return None
    findings = [Finding.from_json(item) for item in checked["findings"]]
    return findings, tuple(CommandResult.from_json(item) for item in checked["evidence"])


def _judge(work: Work, results: tuple[CommandResult, ...]) -> list[Finding]:
    """Failed commands block, as far as they decide about this task (``bench.decides``)."""
    findings = []
    failed = [r for r in results if not r.passed]
    for finding, result in zip(command_findings(results), failed, strict=True):
        if decides(work, result.command):
            findings.append(finding)
        else:
            data: dict[str, Json] = {**finding.to_json(), "severity": Severity.INFO.value}
            findings.append(Finding.from_json(data))
    return findings


def _summary(results: tuple[CommandResult, ...], blocking: list[Finding]) -> str:
    passed = sum(r.passed for r in results)
    text = f"{passed} of {len(results)} commands passed" if results else "files checked; the plan names no command"
    return f"{text}; back to the coder: {blocking[0].message}" if blocking else text
