"""Review (gpu): one structured verdict on an attempt whose commands have passed; it is logged and committed.

What a rejection counts for is ruled in ``lao.agents.objections``; here its proofs are run, on a checkout of the commit.
An approval counts for nothing more than the evidence: where a check of the task has failed, no model is asked.
"""

from __future__ import annotations

from dataclasses import replace

from lao.agents.critics import Quorum, ask_critics
from lao.agents.objections import ROUNDS, Review, Ruling, gated, has_criterion, rule
from lao.agents.reviewer import ReviewBrief, review
from lao.core.errors import AttemptFailed
from lao.core.states import Role, TaskState
from lao.core.words import CommandResult, Finding, Json, Severity, Verdict
from lao.quality.commands import command_findings
from lao.quality.gating import gating_of
from lao.quality.proofs import proof_command, prove, reproduced
from lao.state import facts, ledger, pipeline, runs
from lao.state.facts import Fact
from lao.tools.permissions.policy import Policy
from lao.workspace.traces import REVIEW_FILE, review_line
from lao.workspace.tree import read_text_files
from workflows import guidance, surveys
from workflows.traces import commit
from workflows.work import Outcome, Work

DIFF_CHARACTERS = 12_000
PROOF_SECONDS = 60.0


def body(work: Work) -> Outcome:
    """Ask the reviewer and draw the consequence."""
    checked = runs.predecessor_result(work.factory.store, work.claim.run.id)
    evidence = tuple(CommandResult.from_json(item) for item in checked.get("evidence") or ())
    failed = [
        r for r in evidence if not r.passed and (checked.get("blocked") or r.command in work.the_task.spec.commands)
    ]
    if failed or checked.get("blocked"):
        return _refused(work, failed)
    diff = _diff(work, checked)
    brief = _brief(work, diff, evidence)
    given = gated(_ask(work, brief), gating_of(work.factory.settings.orchestration).blocks)
    quorum = _quorum(work, brief) if given.verdict.approved else None
    against = quorum.objecting if quorum is not None else None
    work.off_gpu()
    proofs = _proofs(work, against or given, checked)
    ruling, verdict = rule(
        given,
        demands=_demands(work),
        diff=diff,
        proven=[said for said, result in proofs if reproduced(result)],
        tested=any(r.passed for r in evidence),
        round_=_round(work),
    )
    if quorum is not None:
        ruling, verdict = _with_critics(work, quorum, verdict, diff, proofs)
    _log_verdict(work, verdict)
    taught: tuple[Fact, ...] = ()
    if ruling is Ruling.COMPLETE:
        taught = guidance.lessons(work, checked.get("changed") or (), evidence, checked.get("commit"))
    return _outcome(work, ruling, verdict, tuple(result for _, result in proofs), taught)


def _outcome(
    work: Work, ruling: Ruling, verdict: Verdict, proofs: tuple[CommandResult, ...], taught: tuple[Fact, ...]
) -> Outcome:
    store, task, limits = work.factory.store, work.the_task, work.factory.settings.orchestration
    reason = verdict.summary or "rejected by the reviewer"

    def apply(now: float) -> list[int]:
        ledger.add_findings(store, work.claim, verdict.findings)
        if ruling is Ruling.COMPLETE:
            facts.learn(taught, now)
            return pipeline.complete_task(task.id, now, early=limits.early_release)
        if ruling is Ruling.PARK:
            return pipeline.end_task(
                task.id, TaskState.NEEDS_HUMAN, now, f"no check decides, and the review says: {reason}"
            )
        shown = [f.hint for f in command_findings(r for r in proofs if reproduced(r))]
        return pipeline.reject(
            task.id,
            now,
            early=limits.early_release,
            counter="rejections",
            cap=ROUNDS + 1,  # the rounds are counted by the rules, which end them otherwise than by failing the task
            feedback=[verdict.summary, *(f.feedback for f in verdict.findings if f.blocks), *shown],
            reason=reason,
            cooldown_s=limits.retry_cooldown_base_s,
        )

    word = "approved" if verdict.approved else "rejected" if ruling is Ruling.REWORK else "rejected, for a person"
    result = {"verdict": verdict.to_json(), "proofs": [p.to_json() for p in proofs]}
    return Outcome(apply, result=result, text=f"{word}: {verdict.summary}")


def _refused(work: Work, failed: list[CommandResult]) -> Outcome:
    """No verdict can stand against a failed check."""
    task, limits = work.the_task, work.factory.settings.orchestration
    findings = command_findings(failed)
    reason = findings[0].message if findings else "the verification found fault with it"

    def apply(now: float) -> list[int]:
        return pipeline.reject(
            task.id,
            now,
            early=limits.early_release,
            counter="verify_failures",
            cap=limits.retry_cap_validation,
            feedback=[f.feedback for f in findings],
            reason=reason,
        )

    return Outcome(apply, text=f"not reviewed: {reason}")


def _round(work: Work) -> int:
    """The number that a rejection now would have; beyond ``ROUNDS`` where no further attempt may begin."""
    limits, task = work.factory.settings.orchestration, work.the_task
    number = task.rejections + 1
    return number if number < min(limits.retry_cap_reviewer, limits.max_task_attempts) else ROUNDS + 1


def _demands(work: Work) -> str:
    spec = work.the_task.spec
    return "\n".join((spec.title, spec.description, *spec.commands, work.plan.text))


def _brief(work: Work, diff: str, evidence: tuple[CommandResult, ...]) -> ReviewBrief:
    spec = work.the_task.spec
    memory = guidance.memory_text(work, Role.REVIEWER, paths=spec.file_paths).text
    return ReviewBrief(
        task=spec,
        plan_title=work.plan.name,
        diff=diff,
        evidence=evidence,
        memory=memory,
        survey=surveys.section(work, Role.REVIEWER),
    )


def _quorum(work: Work, brief: ReviewBrief) -> Quorum | None:
    """What critics say of approved work, where they are wanted: the model that is in memory, so that none is loaded."""
    told, settings = work.factory.settings.raw["agentic"], work.model_settings(Role.REVIEWER)
    if not told["critic_quorum_enabled"]:
        return None
    key = work.factory.settings.models[Role.REVIEWER].key
    others = [name for name in told["critic_models"] if name != key]
    if others:
        work.factory.warn_once(f"agentic.critic_models: {others[0]!r} is not in memory at a review; {key!r} is asked")
    return ask_critics(brief, told["critic_quorum_size"], model=work.model, settings=settings, steps=work.steps)


def _with_critics(
    work: Work, quorum: Quorum, approved: Verdict, diff: str, proofs: list[tuple[str, CommandResult]]
) -> tuple[Ruling, Verdict]:
    """An approval with what the critics say as notes; only what a command has really shown sends the work back."""
    votes = quorum.votes(reviewer=work.factory.settings.raw["agentic"]["critic_keep_reviewer_vote"])
    against = quorum.objecting
    if against is not None:
        proven = [said for said, result in proofs if reproduced(result)]
        round_ = _round(work)
        ruling, verdict = rule(against, demands=_demands(work), diff=diff, proven=proven, tested=True, round_=round_)
        if ruling is Ruling.REWORK:
            return ruling, replace(verdict, findings=(*verdict.findings, votes))
    return Ruling.COMPLETE, replace(approved, findings=(*approved.findings, *quorum.notes(), votes))


def _ask(work: Work, brief: ReviewBrief) -> Review:
    try:
        return review(brief, model=work.model, settings=work.model_settings(Role.REVIEWER), steps=work.steps)
    except AttemptFailed as error:
        if not any(result.passed for result in brief.evidence):
            raise
        note = Finding(Severity.MINOR, error.kind, error.message, analyzer="reviewer")
        return Review(Verdict(True, "no readable verdict; the commands passed", (note,)))


def _proofs(work: Work, given: Review, checked: dict[str, Json]) -> list[tuple[str, CommandResult]]:
    """(what the reviewer said, what it really did) for each proof of a finding that could count.

    Without git there is no checkout to run them on, and the live folder is not the place for a model's commands. A
    command that a person would have to be asked for is not run: a review waits for nobody.
    """
    repository, commit = work.repository(), checked.get("commit")
    settings = work.factory.settings
    if given.verdict.approved or repository is None or not commit:
        return []
    changed, demands = tuple(checked.get("changed") or ()), _demands(work)
    said_by = [o.command for o in given.blocking if has_criterion(o, demands)]
    given_commands = {said: command for said in said_by if (command := proof_command(said, changed, demands))}
    policy = Policy(work.permissions, work.plan.workspace)
    wanted = {said: command for said, command in given_commands.items() if policy.allows_command(command)}
    if not wanted:
        return []
    with repository.snapshot(commit) as folder:
        results = prove(
            tuple(wanted.values()),
            folder,
            work.steps,
            marker=work.marker,
            containment=work.factory.containment,
            timeout_s=min(PROOF_SECONDS, settings.orchestration.validation_timeout_s),
            stop=lambda: work.stopping,
        )
    by_command = {result.command: result for result in results}
    return [(said, replace(by_command[c], command=said)) for said, c in wanted.items() if c in by_command]


def _diff(work: Work, checked: dict[str, Json]) -> str:
    """What the task changed since the plan began, or the files themselves when git is off."""
    repository, hidden = work.repository(), work.hidden(work.plan.workspace)
    changed = [path for path in checked.get("changed") or () if not hidden(path)]
    if repository is None or not checked.get("commit"):
        files = read_text_files(work.plan.workspace, changed, DIFF_CHARACTERS)
        return "\n".join(f"--- {path}\n{content}" for path, content in files)
    paths = sorted({*(path for path in work.the_task.files if not hidden(path)), *changed})
    if not paths:  # without any, git would show every file
        every = repository.changed_files(work.plan.base_commit, checked["commit"])
        paths = [path for path in every if not hidden(path)]
    if not paths:
        return ""
    return repository.diff(work.plan.base_commit, checked["commit"], DIFF_CHARACTERS, tuple(paths))


def _log_verdict(work: Work, verdict: Verdict) -> None:
    repository = work.repository()
    if repository is None:
        return
    line = review_line(work.claim.run.created_at, f"#{work.the_task.id}", verdict)
    commit(
        work,
        repository,
        line=(REVIEW_FILE, line),
        message=f"lao(reviewer): task #{work.the_task.id} {'approved' if verdict.approved else 'rejected'}",
        what="reviewer",
    )
