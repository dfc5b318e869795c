"""How a run ends badly: which errors use an attempt, fail the task or plan, or park it for a person."""

from __future__ import annotations

from lao.core.errors import AttemptFailed, BadInput, BudgetSpent, LaoError, NeedsHuman
from lao.core.states import Phase, PlanState, RunState, TaskState
from lao.core.words import Finding, Severity
from lao.state import budgets, ledger, pipeline, runs
from lao.state.records import Claim
from workflows import turns
from workflows.factory import Factory

_PARKING = (NeedsHuman, BadInput)
"""What a person must mend (no git, a wrong API token): parked, and ``retry-failed`` goes on afterwards."""

_OPTIONAL = (Phase.WHOLE, Phase.SURVEY)
"""Without what these phases produce the plan goes on."""


def end_run(factory: Factory, claim: Claim, error: LaoError) -> list[int]:
    """End the run as failed and draw the consequence, in one fenced transaction. Returns runs that became ready."""
    store = factory.store
    reason = f"{error.message} → {error.hint}" if error.hint else error.message
    if claim.run.phase is Phase.PILOT:
        return turns.fail(factory, claim, reason)
    with runs.finishing(store, claim, RunState.FAILED, reason=reason) as now:
        severity = Severity.MAJOR if isinstance(error, AttemptFailed) else Severity.CRITICAL
        severity = Severity.INFO if claim.run.phase in _OPTIONAL else severity
        kind = error.kind if isinstance(error, AttemptFailed) else type(error).__name__.lower()
        finding = Finding(severity, kind, error.message, hint=error.hint, analyzer=claim.run.phase.value)
        ledger.add_findings(store, claim, [finding])
        if claim.run.task_id is None:
            return _end_plan_phase(factory, claim, error, reason, now)
        return _end_attempt(factory, claim, error, reason, now)


def set_aside(factory: Factory, run_id: int, reason: str) -> list[int]:
    """Park a run that crashes its worker again and again."""
    claim = runs.claim(factory.store, run_id, factory.owner.to_text(), "", to_end=True)
    if not isinstance(claim, Claim):
        return []
    return end_run(factory, claim, NeedsHuman(reason, "look at the log, then 'lao retry-failed'"))


def _end_attempt(factory: Factory, claim: Claim, error: LaoError, reason: str, now: float) -> list[int]:
    limits = factory.settings.orchestration
    task_id = claim.run.task_id
    assert task_id is not None, "a phase of a task"
    if isinstance(error, AttemptFailed):
        coding = claim.run.phase is Phase.CODE
        counter, cap = (
            ("coder_failures", limits.retry_cap_coder) if coding else ("rejections", limits.retry_cap_reviewer)
        )
        return pipeline.reject(
            task_id,
            now,
            early=limits.early_release and claim.run.phase is Phase.REVIEW,
            counter=counter,
            cap=min(cap, limits.max_task_attempts),
            feedback=[error.message],
            reason=reason,
            cooldown_s=limits.retry_cooldown_base_s,
        )
    state = TaskState.NEEDS_HUMAN if isinstance(error, _PARKING) else TaskState.FAILED
    if isinstance(error, BudgetSpent):
        budgets.park_waiting(claim.run.plan_id, task_id, now, reason)
    return pipeline.end_task(task_id, state, now, reason)


def _end_plan_phase(factory: Factory, claim: Claim, error: LaoError, reason: str, now: float) -> list[int]:
    plan_id = claim.run.plan_id
    if claim.run.phase is Phase.WHOLE:  # evidence gathered early: what is missing, the close gathers
        return pipeline.unblock_successors(claim.run.id, now)
    if claim.run.phase is Phase.SURVEY:  # what ingest found stands without a model's part
        return pipeline.next_plan_run(plan_id, Phase.PLAN, now)
    if claim.run.phase is Phase.CLOSE and pipeline.open_tasks(plan_id):  # set back meanwhile: it comes again after them
        return []
    attempts_left = claim.run.attempt < factory.settings.orchestration.max_task_attempts
    if isinstance(error, AttemptFailed) and attempts_left:
        return pipeline.next_plan_run(plan_id, claim.run.phase, now)
    state = PlanState.NEEDS_HUMAN if isinstance(error, _PARKING) else PlanState.FAILED
    pipeline.end_plan(plan_id, state, now, reason)
    return []
