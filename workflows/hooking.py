"""Where the user's hooks meet the phases: before and after a phase, and around its tool calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from lao.config.narrowing import narrowed
from lao.core.errors import NeedsHuman
from lao.core.states import PHASE_ROLE, RunState
from lao.core.words import Finding, Json, Severity
from lao.hooks.compacting import CompactionHooks
from lao.hooks.contract import PRE_COMPACT, About
from lao.hooks.project import Means
from lao.hooks.tool_calls import ToolCallHooks, phase_over, phase_refusal
from lao.state import ledger, plans
from lao.state.records import Claim, Run
from workflows.factory import Factory
from workflows.transcripts import transcript_of
from workflows.work import Work

PRE_PHASE: Final = "pre_phase"
"""The name of the question in the audit of a run: it is asked once, however often the run is taken up."""


def about_run(factory: Factory, run: Run, cwd: Path | None = None) -> About:
    """What hooks are told of a run. ``cwd``: where its tools work; the plan's folder when None."""
    plan = plans.get(factory.store, run.plan_id)
    role = PHASE_ROLE.get(run.phase)
    return About(
        root=factory.settings.paths.root,
        cwd=cwd or plan.workspace,
        plan_id=plan.id,
        plan=plan.name,
        task_id=run.task_id,
        task=plans.task(factory.store, run.task_id).spec.title if run.task_id is not None else "",
        phase=run.phase.value,
        attempt=run.attempt,
        run_id=run.id,
        role=role.value if role else "",
        mode=narrowed(factory.settings.permissions, plan.options).mode,
    )


def before_phase(factory: Factory, claim: Claim) -> None:
    """Ask pre_phase of hooks.py, once for each run.

    Raises:
        NeedsHuman: it refused, or it failed and ``hooks.fail_closed`` is set.
    """
    if not (factory.hooks.python("pre_phase") or factory.hooks.broken):
        return
    if ledger.audited(factory.store, claim.run.id, PRE_PHASE) is not None:
        return
    started = time.monotonic()
    reason = phase_refusal(factory.hooks, about_run(factory, claim.run), _means(factory, claim))
    seconds = round(time.monotonic() - started, 3)
    entry = ledger.AuditEntry(PRE_PHASE, {"phase": claim.run.phase.value}, not reason, reason, not reason, seconds)
    if not reason:
        ledger.add_audit(factory.store, claim.run.id, entry)
        return
    raise NeedsHuman(
        f"{claim.run.phase.value} of run {claim.run.id!r} may not begin: {reason}",
        "look at the hook, begin the workers again, then 'lao retry-failed'",
    )


def after_phase(factory: Factory, claim: Claim, state: RunState, text: str) -> None:
    """Tell post_phase of hooks.py, before the end is recorded: after a crash in between it is told again."""
    if factory.hooks.python("post_phase"):
        outcome: dict[str, Json] = {"state": state.value, "text": text}
        phase_over(factory.hooks, about_run(factory, claim.run), _means(factory, claim), outcome)


def has_tool_hooks(factory: Factory) -> bool:
    """Whether tool calls have hooks now; recorded with a run, which keeps to it when the configuration changes."""
    return factory.hooks.before_tools or factory.hooks.after_tools


def tool_hooks(work: Work, root: Path, *, hooked: bool) -> ToolCallHooks | None:
    """The hooks around the tool calls of a run; None for one that was begun without any (``hooked``)."""
    if not hooked:
        return None
    factory, claim = work.factory, work.claim
    means = _means(factory, claim, lambda: work.off_gpu(back=True))
    return ToolCallHooks(factory.hooks, about_run(factory, claim.run, root), means)


def has_compaction_hooks(factory: Factory) -> bool:
    """Whether somebody is asked before a conversation is shortened; recorded with a run as ``has_tool_hooks``."""
    return factory.hooks.wants(PRE_COMPACT)


def compaction_hooks(work: Work, root: Path, *, hooked: bool) -> CompactionHooks | None:
    """The hooks before a compaction in a run; None for one that was begun without any (``hooked``)."""
    if not hooked:
        return None
    factory, claim = work.factory, work.claim
    means = _means(factory, claim, lambda: work.off_gpu(back=True))
    return CompactionHooks(factory.hooks, about_run(factory, claim.run, root), means)


def _means(factory: Factory, claim: Claim, before_command: Callable[[], None] = lambda: None) -> Means:
    said: set[str] = set()

    def note(text: str) -> None:
        factory.say_once(f"hooks: {text}")
        if text in said:
            return
        said.add(text)
        finding = Finding(Severity.INFO, "hook", text[:2000], analyzer="hooks")
        with factory.store.write():
            ledger.add_findings(factory.store, claim, [finding])

    return Means(
        marker=f"{factory.marker(claim.run.id)}{claim.epoch}.hook",
        note=note,
        stop=factory.stop.is_set,
        before_command=before_command,
        transcript=partial(transcript_of, factory),
    )
