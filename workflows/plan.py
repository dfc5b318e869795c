"""Plan (gpu): the planner decomposes the plan into tasks; LAO_TASKS.json is committed."""

from __future__ import annotations

from lao.agents.planner import make_plan
from lao.workspace.traces import tasks_trace

from lao.core.states import Role
from lao.core.words import TaskSpec
from lao.state import ledger, pipeline
from workflows.traces import commit_file
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Ask the planner for tasks and store them."""
    factory, plan = work.factory, work.plan
    limits = factory.settings.orchestration

    def keep_chunk(seq: int, tasks: tuple[TaskSpec, ...]) -> None:
        ledger.note_chunk(factory.store, plan.id, seq, [task.to_json() for task in tasks])

    specs = make_plan(
        plan.text,
        model=work.model,
        settings=factory.model_settings(Role.PLANNER),
        model_name=work.model_name,
        steps=work.steps,
        utilization=limits.max_context_utilization,
        reserved_tokens=limits.preflight_reserved_tokens,
        on_chunk=keep_chunk,
    )
    repository = work.repository()
    if repository is not None:
        commit_file(
            work,
            repository,
            path="LAO_TASKS.json",
            content=tasks_trace(specs, plan_id=plan.id),
            message=f"lao(architect): {len(specs)} tasks for {plan.name}",
            what="architect",
            baseline=[list(entry) for entry in plan.baseline],
        )
    return Outcome(
        lambda now: pipeline.add_tasks(plan.id, specs, now),
        result={"tasks": len(specs)},
        text=f"{len(specs)} tasks",
    )
