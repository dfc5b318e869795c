"""Ingest (cpu): the plan's folder and repository, LAO_PLAN.md, and how the checking commands stood before."""

from __future__ import annotations

from lao.quality.commands import plan_commands_of, run_checks
from lao.workspace.traces import plan_trace

from lao import __version__
from lao.core.states import Phase
from lao.core.steps import StepKind
from lao.state import ledger, pipeline, plans
from workflows.traces import commit_file
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Prepare the workspace and take the baseline."""
    settings, plan = work.factory.settings, work.plan
    plan.workspace.mkdir(parents=True, exist_ok=True)
    repository = work.repository()
    baseline: list[list[str]] = []
    base = None
    if repository is not None:
        repository.ensure()
        found = work.steps.run(
            StepKind.READ, "baseline", lambda: {"head": repository.head(), "dirty": list(repository.dirty_paths())}
        )
        base, baseline = found["head"], [list(entry) for entry in found["dirty"]]
        text = plan_trace(plan.text, source=plan.file, plan_id=plan.id, version=__version__)
        commit_file(
            work,
            repository,
            path=settings.git.plan_file_name,
            content=text,
            message=f"lao(plan): {plan.name}",
            what="plan",
            baseline=baseline,
        )
    commands = plan_commands_of(settings, plan.options, plan.workspace)
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
