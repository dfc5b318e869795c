"""Code (gpu): one attempt of the coder at one task, then the keyed commit of what it changed."""

from __future__ import annotations

from dataclasses import replace

from lao.agents.coder import CoderBrief, write_code
from lao.config.settings import ModelSettings
from lao.core.states import Role
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.quality.commands import files_of_commands, validation_commands
from lao.state import ledger, pipeline
from lao.tools.context import ToolContext
from lao.tools.toolbox import Toolbox
from lao.workspace.tree import listing, read_text_files
from workflows.traces import commit
from workflows.work import Outcome, Work

TOOLS = (
    "file_read",
    "file_write",
    "file_patch",
    "list_dir",
    "shell_exec",
    "find_relevant_files",
    "task_todo_set",
    "task_todo_get",
)

FRESH_TEMPERATURES = (None, 0.5, 0.8)
"""What the second and later attempts sample with when the user set no temperature: the same prompt at the same
temperature gives a weak model's same mistake again; fresh samples do better than second prompts."""


def body(work: Work) -> Outcome:
    """Let the coder work, then commit."""
    factory, task = work.factory, work.the_task
    repository = work.repository()
    start = work.steps.run(StepKind.READ, "context", lambda: _context(work))
    result = write_code(
        _brief(work, start),
        model=work.model,
        settings=attempt_settings(work.model_settings(Role.CODER), work.claim.run.attempt),
        steps=work.steps,
        toolbox=_toolbox(work),
        max_turns=factory.settings.orchestration.coder_max_turns,
    )
    commit_id = None
    if repository is not None:
        commit_id = commit(
            work,
            repository,
            message=f"lao(coder): task #{task.id} {task.spec.title}",
            what="coder",
        )
    base = start["head"]
    found = repository.changed_files(base, commit_id) if commit_id and repository else ()
    changed = found or result.files

    def apply(now: float) -> list[int]:
        ledger.set_task_result(task.id, files=changed, commit=commit_id)
        pipeline.unblock_successors(work.claim.run.id, now)
        return []

    outcome = {"base": base, "commit": commit_id, "changed": list(changed), "summary": result.summary}
    return Outcome(apply, result=outcome, text=f"{len(changed)} files changed in {result.turns} turns")


def attempt_settings(settings: ModelSettings, attempt: int) -> ModelSettings:
    """The coder's settings for the n-th attempt: a fresh sample, unless the user fixed the temperature."""
    if settings.temperature is not None:
        return settings
    fresh = FRESH_TEMPERATURES[min(attempt, len(FRESH_TEMPERATURES)) - 1]
    return replace(settings, temperature=fresh) if fresh is not None else settings


def _context(work: Work) -> dict[str, Json]:
    """What the coder starts from, recorded so that a resumed run sees the same."""
    spec, root = work.the_task.spec, work.plan.workspace
    wanted = (*spec.file_paths, *files_of_commands(root, _checks(work)))
    model = work.model_settings(Role.CODER)
    budget = max(2000, int(model.context_length * 1.5))
    repository = work.repository()
    return {
        "head": repository.head() if repository else None,
        "files": [list(item) for item in read_text_files(root, wanted, budget)],
        "tree": listing(root, 60),
    }


def _brief(work: Work, start: dict[str, Json]) -> CoderBrief:
    task, plan = work.the_task, work.plan
    return CoderBrief(
        plan_title=plan.name,
        plan_text=plan.text,
        task=task.spec,
        context_files=tuple((path, content) for path, content in start["files"]),
        tree=start["tree"],
        feedback=task.feedback,
        commands=_checks(work),
    )


def _checks(work: Work) -> tuple[str, ...]:
    """The commands that will decide about the task."""
    limits = work.factory.settings.orchestration
    found = validation_commands(limits, work.plan.options, work.the_task.spec, work.plan.workspace)
    return tuple(command for _, command in found)


def _toolbox(work: Work) -> Toolbox:
    limits = work.factory.settings.orchestration
    store, task = work.factory.store, work.the_task
    context = ToolContext(
        root=work.plan.workspace,
        marker=work.marker,
        todos=ledger.TaskTodos(store, task.id),
        audit=work.audit,
        command_timeout_s=limits.validation_timeout_s,
        stop=lambda: work.stopping,
    )
    return Toolbox(context, TOOLS)
