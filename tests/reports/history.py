"""A plan's history put into the state by hand: real rows, and real commits in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lao.core.states import Phase, PlanState, RunState, TaskState
from lao.core.words import CommandResult, Finding, Severity, TaskSpec
from lao.reports.measures import Ledger
from lao.reports.model import Claim, PlanReport
from lao.state import ledger, pipeline, plans, requirements, runs
from lao.state.records import Claim as Held
from lao.state.requirements import Requirement
from lao.state.store import Store
from lao.state.tables import ModelEventRow, RunRow
from tests.state.pipeline_steps import ready_run, take


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "base.py").write_text("def old():\n    return 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    return folder


def changed(folder: Path, name: str, text: str) -> str:
    """A commit that writes one file."""
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"change {name}")
    return git(folder, "rev-parse", "HEAD")


def result(command: str, code: int | None = 0, output: str = "output\n") -> CommandResult:
    return CommandResult(command, code, output, 0.5)


def call(store: Store, held: Held, role: str = "coder", cached: int | None = None) -> None:
    """A model call of a run."""
    row = {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": cached, "seconds": 2.0}
    with store.write():
        ModelEventRow.create(kind="call", role=role, model=f"m-{role}", run=held.run.id, at=store.now(), data={}, **row)


def begun(store: Store, workspace: Path, *specs: TaskSpec, text: str = "# Plan\n") -> str:
    """A plan that is past its planning, with these tasks."""
    plan_id = plans.submit(store, file=Path("/plans/a.md"), text=text, options={}, workspace=workspace).plan.id
    held = take(store, ready_run(Phase.INGEST))
    with runs.finishing(store, held, RunState.DONE) as now:
        pipeline.next_plan_run(plan_id, Phase.PLAN, now)
    held = take(store, ready_run(Phase.PLAN))
    call(store, held, "planner")
    with runs.finishing(store, held, RunState.DONE) as now:
        pipeline.add_tasks(plan_id, specs, now)
    return plan_id


def coded(store: Store, task: int, *, commit: str | None, files: tuple[str, ...], command: str = "") -> None:
    """The coder's phase: the check failed before, a call was made, a commit came of it."""
    held = take(store, ready_run(Phase.CODE, task))
    call(store, held, cached=40)
    with runs.finishing(store, held, RunState.DONE, {"commit": commit}) as now:
        ledger.set_task_result(task, files=files, commit=commit)
        if command:
            ledger.add_validations(store, held, "before", None, [result(command, 1)])
        pipeline.unblock_successors(held.run.id, now)


def verified(store: Store, task: int, commit: str | None, *commands: CommandResult) -> None:
    held = take(store, ready_run(Phase.VERIFY, task))
    with runs.finishing(store, held, RunState.DONE) as now:
        ledger.add_validations(store, held, "task", commit, commands)
        pipeline.unblock_successors(held.run.id, now)


def reviewed(store: Store, task: int) -> None:
    held = take(store, ready_run(Phase.REVIEW, task))
    with runs.finishing(store, held, RunState.DONE) as now:
        ledger.add_findings(store, held, [Finding(Severity.MINOR, "style", "a | bar <b>", "base.py")])
        pipeline.complete_task(task, now)


def parked(store: Store, task: int, reason: str) -> None:
    held = take(store, ready_run(Phase.CODE, task))
    call(store, held)
    with runs.finishing(store, held, RunState.FAILED, reason=reason) as now:
        ledger.add_findings(store, held, [Finding(Severity.CRITICAL, "needshuman", reason)])
        pipeline.end_task(task, TaskState.NEEDS_HUMAN, now, reason)


def closed(store: Store, plan: str, state: PlanState, reason: str, commit: str | None, *ran: CommandResult) -> None:
    held = take(store, ready_run(Phase.CLOSE))
    with runs.finishing(store, held, RunState.DONE) as now:
        ledger.add_validations(store, held, "close", commit, ran)
        pipeline.end_plan(plan, state, now, reason)


def morning(store: Store, workspace: Path) -> str:
    """Two tasks: one proved and committed, one that waits for a person; a close with one command of two that fails."""
    repository(workspace)
    specs = (TaskSpec("one", "one", ("one.py",), (), ("test one",)), TaskSpec("two", "two", ("two.py",)))
    plan = begun(store, workspace, *specs)
    one, two = (task.id for task in plans.tasks_of(store, plan))
    with store.write():
        demands = [Requirement("R1", "one works", 3, "numbered", (one,), ("test one",))]
        demands += [Requirement("ABC-2", "two <works>", 4, "id", (two,)), Requirement("R3", "nobody", 5, "numbered")]
        requirements.keep(plan, demands)
    commit = changed(workspace, "one.py", "def one():\n    return 1\n")
    coded(store, one, commit=commit, files=("one.py", "base.py"), command="test one")
    verified(store, one, commit, result("test one"))
    reviewed(store, one)
    parked(store, two, "no version passed its checks\nand more")
    with store.write():
        RunRow.update(crashes=2).where(RunRow.task == one, RunRow.phase == "code").execute()
    ran = (result("test one"), result("make all", 2, "boom <!-- refs: task:99999 -->\n"))
    closed(store, plan, PlanState.NEEDS_HUMAN, "1 of 2 tasks need a person", commit, *ran)
    return plan


def claims(report: PlanReport) -> list[Claim]:
    """Every statement of a report."""
    found = [report.claim, *report.claims, *(one.claim for one in (*report.requirements, *report.usage))]
    for task in report.tasks:
        found += [task.claim, *(attempt.claim for attempt in task.attempts)]
    return found


def lies(store: Store, report: PlanReport) -> list[str]:
    """What the rows do not say of its statements."""
    said = claims(report)
    book = Ledger(store, (ref for claim in said for ref in claim.refs))
    return [f"{claim.text}: {wrong}" for claim in said for wrong in book.wrong(claim)]
