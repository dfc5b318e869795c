"""Ingest (cpu): the plan's folder and repository, LAO_PLAN.md, and how the checking commands stood before."""

from __future__ import annotations

import os

from lao.core.states import Phase
from lao.core.steps import StepKind
from lao.quality.commands import run_checks, validation_commands
from lao.state import ledger, pipeline, plans
from lao.workspace.traces import plan_text
from workflows.traces import commit_file
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Prepare the workspace and take the baseline."""
    settings, plan = work.factory.settings, work.plan
    plan.workspace.mkdir(parents=True, exist_ok=True)
    repository = work.repository()
    baseline: list[list[str | None]] = []
    base = None
    if repository is not None:
        repository.ensure()
        found = work.steps.run(
            StepKind.READ, "baseline", lambda: {"head": repository.head(), "dirty": list(repository.dirty_paths())}
        )
        base, baseline = found["head"], [list(entry) for entry in found["dirty"]]
        source = os.path.relpath(plan.file, settings.paths.root)
        commit_file(
            work,
            repository,
            path=settings.git.plan_file_name,
            content=plan_text(plan.text, source),
            message=f"lao(plan): {plan.name}",
            what="plan",
        )
    commands = validation_commands(settings.orchestration, plan.options, None, plan.workspace)
    results = run_checks(
        commands,
        cwd=plan.workspace,
        steps=work.steps,
        marker=work.marker,
        timeout_s=settings.orchestration.validation_timeout_s,
        stop=lambda: work.stopping,
    )

    def apply(now: float) -> list[int]:
        store = work.factory.store
        plans.remember_base(store, plan.id, base, baseline)
        ledger.add_validations(store, work.claim, "before", base, results)
        return pipeline.next_plan_run(plan.id, Phase.PLAN, now)

    return Outcome(apply, text=f"workspace {plan.workspace.name}/ is ready")
