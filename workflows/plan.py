"""Plan (gpu): the planner decomposes the plan into tasks, which answer its demands; LAO_TASKS.json is committed."""

from __future__ import annotations

from dataclasses import replace

from lao.agents.planner import ChunkDone, make_plan
from lao.config.settings import ModelSettings
from lao.core.states import Role
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.quality.commands import files_of_commands
from lao.search.repo_map import Focus
from lao.state import ledger, pipeline, written_tests
from lao.workspace.traces import ANALYST_FILE, ANALYST_REPORT, TASKS_FILE, tasks_text
from lao.workspace.tree import listing
from workflows import demands, guidance, judging, surveys
from workflows.checks import commands_of
from workflows.contracts import with_contracts, write_contracts
from workflows.search import map_of
from workflows.traces import commit_file
from workflows.work import Outcome, Work

FIRST_TEMPERATURE = 0.2


def body(work: Work) -> Outcome:
    """Ask the planner for tasks and store them."""
    factory, plan = work.factory, work.plan
    limits = factory.settings.orchestration

    def keep_chunk(done: ChunkDone) -> None:
        ledger.note_chunk(factory.store, plan.id, done.number, [task.to_json() for task in done.tasks])

    there = work.steps.run(StepKind.READ, "files", lambda: _there(work))
    memory = "\n\n".join(text for text in (there.get("memory", ""), there.get("rejected", "")) if text)
    specs = make_plan(
        plan.text,
        model=work.model,
        settings=_settings(work),
        steps=work.steps,
        utilization=limits.max_context_utilization,
        reserved_tokens=limits.preflight_reserved_tokens,
        existing_files=there["files"],
        judges=there["judges"],
        map_text=there.get("map", ""),
        memory=memory,
        survey=there.get("survey", ""),
        on_chunk=keep_chunk,
    )
    contracts = write_contracts(work, specs, there["files"])
    specs = with_contracts(specs, contracts)
    work.off_gpu()
    repository = work.repository()
    if repository is not None:
        commit_file(
            work,
            repository,
            path=TASKS_FILE,
            content=tasks_text(plan.id, [(str(number), spec) for number, spec in enumerate(specs, 1)]),
            message=f"lao(architect): {len(specs)} tasks for {plan.name}",
            what="architect",
        )

    def apply(now: float) -> list[int]:
        ready = pipeline.add_tasks(plan.id, specs, now)
        ids = demands.keep_bound(work, specs)
        written_tests.keep([contract.written(ids[contract.number]) for contract in contracts])
        return ready

    text = f"{len(specs)} tasks" + (f", {len(contracts)} tests written for them" if contracts else "")
    return Outcome(apply, result={"tasks": len(specs)}, text=text)


def _settings(work: Work) -> ModelSettings:
    """Cool at the first attempt, unless the user says otherwise: a plan is no place for invention."""
    settings = work.model_settings(Role.PLANNER)
    cool = settings.temperature is None and work.claim.run.attempt == 1
    return replace(settings, temperature=FIRST_TEMPERATURE) if cool else settings


def _there(work: Work) -> dict[str, Json]:
    """What lies in the workspace already: all files, and those that the checking commands run."""
    plan = work.plan
    commands = commands_of(work, None, plan.workspace)
    hidden = work.hidden(plan.workspace)
    judges = [f for f in files_of_commands(plan.workspace, [command for _, command in commands]) if not hidden(f)]
    return {
        "files": listing(plan.workspace, 500, (ANALYST_FILE, ANALYST_REPORT), hidden=hidden).splitlines(),
        "judges": judges,
        "map": map_of(work, plan.workspace, Role.PLANNER, Focus(text=plan.text)),
        "memory": guidance.memory_text(work, Role.PLANNER).text,
        "survey": surveys.section(work, Role.PLANNER),
        "rejected": judging.told_planner(work.factory, plan),
    }
