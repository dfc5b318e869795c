"""Review (gpu): one structured verdict on an attempt whose commands have passed; it is logged and committed."""

from __future__ import annotations

from lao.agents.reviewer import ReviewBrief, review
from lao.core.errors import AttemptFailed
from lao.core.states import Role
from lao.core.words import CommandResult, Finding, Json, Severity, Verdict
from lao.state import ledger, pipeline, runs
from lao.workspace.traces import REVIEW_FILE, review_line
from lao.workspace.tree import read_text_files
from workflows.traces import commit_file
from workflows.work import Outcome, Work

DIFF_CHARACTERS = 12_000


def body(work: Work) -> Outcome:
    """Ask the reviewer and draw the consequence."""
    factory, task = work.factory, work.the_task
    limits = factory.settings.orchestration
    checked = runs.predecessor_result(factory.store, work.claim.run.id)
    evidence = tuple(CommandResult.from_json(item) for item in checked.get("evidence") or ())
    verdict = _ask(work, checked, evidence)
    _log_verdict(work, verdict)

    def apply(now: float) -> list[int]:
        ledger.add_findings(factory.store, work.claim, verdict.findings)
        if verdict.approved:
            return pipeline.complete_task(task.id, now)
        return pipeline.retry_or_fail(
            task.id,
            now,
            counter="rejections",
            cap=min(limits.retry_cap_reviewer, limits.max_task_attempts),
            feedback=[verdict.summary, *(f.feedback for f in verdict.findings if f.blocks)],
            reason=verdict.summary or "rejected by the reviewer",
            cooldown_s=limits.retry_cooldown_base_s,
        )

    word = "approved" if verdict.approved else "rejected"
    return Outcome(apply, result={"verdict": verdict.to_json()}, text=f"{word}: {verdict.summary}")


def _ask(work: Work, checked: dict[str, Json], evidence: tuple[CommandResult, ...]) -> Verdict:
    diff = _diff(work, checked)
    brief = ReviewBrief(
        task=work.the_task.spec,
        plan_title=work.plan.name,
        diff=diff,
        evidence=evidence,
    )
    try:
        return review(brief, model=work.model, settings=work.model_settings(Role.REVIEWER), steps=work.steps)
    except AttemptFailed as error:
        if not any(result.passed for result in evidence):
            raise
        note = Finding(Severity.MINOR, error.kind, error.message, analyzer="reviewer")
        return Verdict(True, "no readable verdict; the commands passed", (note,))


def _diff(work: Work, checked: dict[str, Json]) -> str:
    """What the task changed since the plan began, or the files themselves when git is off."""
    repository = work.repository()
    if repository is None or not checked.get("commit"):
        files = read_text_files(work.plan.workspace, tuple(checked.get("changed") or ()), DIFF_CHARACTERS)
        return "\n".join(f"--- {path}\n{content}" for path, content in files)
    paths = sorted({*work.the_task.files, *(checked.get("changed") or ())})
    return repository.diff(work.plan.base_commit, checked["commit"], DIFF_CHARACTERS, tuple(paths))


def _log_verdict(work: Work, verdict: Verdict) -> None:
    repository = work.repository()
    if repository is None:
        return
    line = review_line(work.claim.run.created_at, f"#{work.the_task.id}", verdict)
    commit_file(
        work,
        repository,
        path=REVIEW_FILE,
        content=lambda before: (before or b"") + line.encode(),
        message=f"lao(reviewer): task #{work.the_task.id} {'approved' if verdict.approved else 'rejected'}",
        what="reviewer",
    )
