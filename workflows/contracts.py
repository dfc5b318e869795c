"""Tests for tasks that have no command: written while the planner is in memory, taken only where they fail rightly.

A test is tried on a checkout of the plan's untouched HEAD and committed by itself. What cannot be tested leaves its
task as it was; nothing here fails a plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from lao.agents.contract_author import TRIES, ContractAuthor, ContractBrief
from lao.agents.plan_answers import answer
from lao.core.states import Role
from lao.core.steps import StepKind
from lao.core.words import CommandResult, Json, TaskSpec
from lao.durable.files import write_atomic
from lao.durable.processes import run_command
from lao.quality.commands import validation_commands
from lao.quality.requirements import requirements_of
from lao.quality.written_tests import command_for, fails_rightly, fault_of, modules_of, place_for
from lao.state.written_tests import WrittenTest
from lao.workspace.git import Repository
from workflows.traces import commit_file
from workflows.work import Work

SECONDS = 60.0
"""That a written test may take on the untouched tree."""


@dataclass(frozen=True)
class Contract:
    """An accepted test. ``number``: the task's position in the plan's list."""

    number: int
    path: str
    command: str
    text: str

    def written(self, task_id: int) -> WrittenTest:
        """As it is kept with the task."""
        return WrittenTest(task_id, self.path, self.command, hashlib.sha256(self.text.encode()).hexdigest())


def write_contracts(work: Work, specs: Sequence[TaskSpec], existing: Sequence[str]) -> tuple[Contract, ...]:
    """Ask for a test for each task that has no command that could fail, and commit those that can be used.

    Args:
        existing: paths in the workspace.
    """
    repository, commit = work.repository(), ""
    asked = work.factory.settings.raw["agentic"]["contract_author_enabled"]
    if repository is None or not asked or not any(modules_of(spec) for spec in specs):
        return ()
    bare = work.steps.run(StepKind.READ, "bare", lambda: _bare(work, specs))
    if bare:
        commit = str(work.steps.run(StepKind.READ, "untouched", repository.head) or "")
    taken, found = set(existing), []
    for number in bare if commit else ():
        contract = _contract(work, repository, commit, number, specs[number], place_for(specs[number], taken))
        if contract is not None:
            taken.add(contract.path)
            found.append(contract)
    for contract in found:
        title = specs[contract.number].title
        what = f"contract-{contract.number + 1}"
        commit_file(
            work,
            repository,
            path=contract.path,
            content=contract.text,
            message=f"lao(contract): test for {title}",
            what=what,
        )
    return tuple(found)


def with_contracts(specs: Sequence[TaskSpec], found: Sequence[Contract]) -> tuple[TaskSpec, ...]:
    """The tasks with the commands of their tests."""
    commands = {contract.number: (contract.command,) for contract in found}
    return tuple(replace(spec, commands=commands.get(n, spec.commands)) for n, spec in enumerate(specs))


def _bare(work: Work, specs: Sequence[TaskSpec]) -> list[int]:
    """Positions of the tasks that no command decides about and that a test can be written for."""
    limits, plan = work.factory.settings.orchestration, work.plan
    return [
        number
        for number, spec in enumerate(specs)
        if modules_of(spec) and not validation_commands(limits, plan.options, spec, plan.workspace)
    ]


def _contract(
    work: Work, repository: Repository, commit: str, number: int, spec: TaskSpec, path: str
) -> Contract | None:
    demanded = requirements_of(work.plan.text, work.plan.options)
    mine = [d.requirement.text for d in demanded if answer(d.requirement, d.block, (spec, _NOBODY)).tasks == (0,)]
    settings = work.model_settings(Role.PLANNER)
    author = ContractAuthor(
        ContractBrief(spec, work.plan.text, path, modules_of(spec)[0], tuple(mine)),
        model=work.model,
        settings=replace(settings, temperature=0.2 if settings.temperature is None else settings.temperature),
        steps=work.steps,
        label=f"test-{number + 1}",
    )
    demands = "\n".join((spec.title, spec.description, work.plan.text))
    command, problem = command_for(path), ""
    for attempt in range(1, TRIES + 1):
        text = author.write(problem)
        if text is None:
            return None
        problem = fault_of(text, spec, demands) if text else "there is no file in the answer"
        if not problem:
            work.off_gpu(back=True)
            told = work.steps.run(
                StepKind.REPEATABLE,
                f"test-{number + 1}:untouched-{attempt}",
                partial(_on_untouched, work, repository, commit, path, text, command),
            )
            problem = fails_rightly(CommandResult.from_json(told), spec)
        if not problem:
            return Contract(number, path, command, text)
    return None


_NOBODY = TaskSpec("", "")
"""So that a demand is looked for in the task's words; a lone task answers everything."""


def _on_untouched(work: Work, repository: Repository, commit: str, path: str, text: str, command: str) -> Json:
    with repository.snapshot(commit) as folder:
        write_atomic(folder / path, text)
        return run_command(
            command,
            cwd=folder,
            marker=work.marker,
            timeout_s=SECONDS,
            containment=work.factory.containment,
            stop=lambda: work.stopping,
        ).to_json()
