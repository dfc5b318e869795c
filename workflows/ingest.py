"""Ingest (cpu): the plan's folder and repository, LAO_PLAN.md, its demands, how the checking commands stood before, the
survey."""

from __future__ import annotations

import os

from lao.core.folders import make_folders
from lao.core.states import Phase
from lao.core.steps import StepKind
from lao.durable.files import FileWrite
from lao.quality.commands import run_checks, validation_commands
from lao.quality.requirements import requirements_of
from lao.state import ledger, pipeline, plans, requirements
from lao.workspace.git import Repository
from lao.workspace.traces import plan_text
from workflows import surveys
from workflows.checks import inference_note
from workflows.takeover import FOUND
from workflows.traces import commit
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Prepare the workspace and take the baseline."""
    settings, plan = work.factory.settings, work.plan
    make_folders(plan.workspace)
    repository = work.repository()
    base, baseline = _found(work, repository) if repository else (None, [])
    notes = inference_note(work)
    demands = requirements_of(plan.text, plan.options)
    commands = validation_commands(settings.orchestration, plan.options, None, plan.workspace)
    results = run_checks(
        commands,
        cwd=plan.workspace,
        steps=work.steps,
        marker=work.marker,
        containment=work.factory.containment,
        timeout_s=settings.orchestration.validation_timeout_s,
        stop=lambda: work.stopping,
    )
    found = surveys.taken(work, commands, results, [str(path) for path, _ in baseline])
    if found is not None:
        surveys.keep(work, found, what=surveys.SURVEY)
    following = Phase.SURVEY if found is not None and surveys.is_open(found) else Phase.PLAN

    def apply(now: float) -> list[int]:
        store = work.factory.store
        plans.remember_base(store, plan.id, base, baseline)
        ledger.add_validations(store, work.claim, "before", base, results)
        ledger.add_findings(store, work.claim, notes)
        requirements.keep(plan.id, [demand.requirement for demand in demands])
        return pipeline.next_plan_run(plan.id, following, now)

    return Outcome(
        apply,
        result={"survey": found} if found is not None else None,
        text="; ".join((f"workspace {plan.workspace.name}/ is ready", *(note.message for note in notes))),
    )


def _found(work: Work, repository: Repository) -> tuple[str | None, list[list[str | None]]]:
    """Make or take over the repository and commit the plan. Returns its HEAD and dirty paths before LAO came.

    A new repository takes in whatever lies in the folder with the plan's commit. In the user's own repository only
    LAO_PLAN.md is committed, and changes that the user has not committed stay out of LAO's commits.
    """
    plan, settings = work.plan, work.factory.settings
    name = settings.git.plan_file_name
    own = work.steps.run(StepKind.READ, FOUND, (plan.workspace / ".git" / "HEAD").exists)
    repository.ensure()
    found = work.steps.run(
        StepKind.READ,
        "baseline",
        lambda: {"head": repository.head(), "dirty": list(repository.dirty_paths()) if own else []},
    )
    content = plan_text(plan.text, os.path.relpath(plan.file, settings.paths.root))
    work.steps.effect(f"write:{name}", FileWrite(plan.workspace, name, content))
    commit(work, repository, message=f"lao(plan): {plan.name}", what="plan", paths=(name,) if own else None)
    return found["head"], [list(entry) for entry in found["dirty"]]
