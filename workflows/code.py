"""Code (gpu): one attempt of the coder at one task, judged by its checks; then the keyed commit of what it changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lao.agents import subagent
from lao.agents.attempts import Attempt, Solved, Unsolved
from lao.agents.coder import CoderBrief
from lao.agents.compaction import Compaction
from lao.agents.ladder import Ladder, over_budget
from lao.agents.subagent import WithSubagent
from lao.agents.toolbox import Toolbox
from lao.agents.toolset import offered
from lao.core.errors import AttemptFailed
from lao.core.states import Phase, Role
from lao.core.steps import StepKind
from lao.core.words import Finding, Json, Severity, TaskSpec
from lao.llm.failures import Failure
from lao.llm.tokens import CHARS_PER_TOKEN
from lao.quality.commands import files_of_commands
from lao.quality.protection import judge_files, protected_files
from lao.quality.stubs import stubs_of
from lao.search.repo_map import Focus
from lao.skills.catalogue import Catalogue
from lao.skills.shelf import Shelf
from lao.state import attempts, ledger, pipeline
from lao.tools.context import ToolContext
from lao.tools.permissions.policy import Policy
from lao.tools.toolbox import Toolbox as ToolBox
from lao.workspace.symbols import related_files
from lao.workspace.traces import own_files
from lao.workspace.tree import listing, read_text_files
from workflows import guidance, mcp
from workflows.approvals import PersonAsker
from workflows.bench import Given, TaskBench
from workflows.checks import commands_of
from workflows.hooking import compaction_hooks, has_compaction_hooks, has_tool_hooks, tool_hooks
from workflows.place import Place, bring_home, open_place
from workflows.search import map_of, searcher_of
from workflows.work import Outcome, Work

JUDGES_CHARACTERS = 400_000

RESULT_CHARACTERS = 24_000
"""Of one tool result; never more than a quarter of the window."""

RELATED_FILES = 8
"""Files beside the task's own whose symbols these import."""


def body(work: Work) -> Outcome:
    """Let the coder try until its checks pass, then land and commit; what fails them is dropped."""
    ladder = Ladder.from_json(work.the_task.ladder)
    try:
        return _attempt(work, ladder)
    except AttemptFailed as error:
        if error.kind in (Failure.MERGE_CONFLICT, Failure.DESK_GONE):
            return _once_more(work, ladder, error)
        raise


def _attempt(work: Work, ladder: Ladder) -> Outcome:
    factory, told = work.factory, work.factory.settings.orchestration
    place = open_place(work)
    start = work.steps.run(StepKind.READ, "context", lambda: _context(work, place.root))
    bench = TaskBench(work, place, Given.from_json(start))
    attempt = Attempt(
        _brief(work, place.root, start),
        model=work.model,
        settings=work.model_settings(Role.CODER),
        limits=factory.settings.attempts,
        steps=work.steps,
        toolbox=_toolbox(work, place.root, start),
        bench=bench,
        ladder=ladder,
        number=work.claim.run.attempt - ladder.base,
        max_turns=told.coder_max_turns,
        start_rung=work.profile.start_rung if work.profile else "native",
        compaction=_compaction(work, place.root, start),
    )
    try:
        solved = attempt.run()
    except Unsolved as error:
        work.off_gpu()
        return _unsolved(work, ladder, bench, place.head, error)
    except AttemptFailed:
        bench.restore("undo-attempt")
        raise
    work.off_gpu()
    return _solved(work, solved, ladder, bench, place, start)


def _compaction(work: Work, root: Path, start: dict[str, Json]) -> Compaction:
    told = work.factory.settings.orchestration
    asked = compaction_hooks(work, root, hooked=start.get("precompact", False))
    return Compaction(told.compaction_enabled, told.compaction_at, told.compaction_keep_recent, asked)


def _solved(
    work: Work, solved: Solved, ladder: Ladder, bench: TaskBench, place: Place, start: dict[str, Json]
) -> Outcome:
    task = work.the_task
    if solved.result.protocol == "tools":
        work.note_rung(Role.CODER, solved.result.rung)
    commit_id, landed = bring_home(work, place, bench.candidate)
    changed = landed or solved.result.files

    def apply(now: float) -> list[int]:
        ledger.set_task_result(task.id, files=changed, commit=commit_id)
        ledger.add_validations(work.factory.store, work.claim, "before", place.head, bench.found_before)
        attempts.note_solved(task.id, ladder.to_json())
        pipeline.unblock_successors(work.claim.run.id, now)
        return []

    result = {
        "base": place.head,
        "commit": commit_id,
        "changed": list(changed),
        "summary": solved.result.summary,
        "rung": solved.rung,
        "checked": bench.accepted,
        "judges": start["judges"],
        "stubs": start["stubs"],
    }
    how = f" by {solved.rung}, round {solved.round}" if solved.round > 1 else ""
    return Outcome(apply, result=result, text=f"{len(changed)} files changed in {solved.turns} turns{how}")


def _once_more(work: Work, ladder: Ladder, error: AttemptFailed) -> Outcome:
    """The attempt is lost by no fault of its own, so it is not counted."""
    task = work.the_task
    ladder.base += 1
    ladder.seen.clear()
    finding = Finding(Severity.MINOR, error.kind, error.message, error.hint, "", "landing")

    def apply(now: float) -> list[int]:
        ledger.add_findings(work.factory.store, work.claim, [finding])
        return pipeline.begin_again(task.id, now, ladder=ladder.to_json(), reason=error.message)

    return Outcome(apply, result={"next": "once more"}, text=f"{error.message}; {error.hint}", chain=False)


def _unsolved(work: Work, ladder: Ladder, bench: TaskBench, head: str | None, error: Unsolved) -> Outcome:
    """The next rung, a split, another try when the GPU is idle, or a person."""
    factory, task = work.factory, work.the_task
    told, limits = factory.settings.orchestration, factory.settings.attempts
    tries = work.claim.run.attempt - ladder.base
    left = not over_budget(ladder, limits)
    parts = _parts(task.spec) if limits.split and not ladder.split and left else ()
    if tries < min(told.retry_cap_validation, told.max_task_attempts) and left:
        what = "another way is next"
    elif parts:
        ladder.split = True
        what = f"split into {len(parts)} tasks"
    elif left and limits.idle and ladder.fresh_code:
        ladder.idle = True
        what = "more candidates when the GPU is idle"
    else:
        what = "a person is asked"
    diagnosis = ladder.diagnosis()
    shown = ladder.last.text if ladder.last else ""
    finding = Finding(Severity.MAJOR, error.kind, error.message, "", shown, "checks")

    def apply(now: float) -> list[int]:
        ledger.add_findings(factory.store, work.claim, [finding])
        ledger.add_validations(factory.store, work.claim, "before", head, bench.found_before)
        notes = ladder.to_json()
        if what.startswith("split"):
            return pipeline.split_task(task.id, now, parts=parts, ladder=notes, reason=error.message)
        if what.startswith("a person"):
            return pipeline.park_unsolved(task.id, now, ladder=notes, diagnosis=diagnosis)
        return pipeline.climb_ladder(task.id, now, ladder=notes, reason=error.message)

    rounds = [entry for entry in ladder.rounds if entry["attempt"] == tries]
    text = f"{len(rounds)} rounds, none passes the checks: {error.message}; {what}"
    return Outcome(apply, result={"rounds": rounds, "next": what}, text=text, chain=False)


def _parts(spec: TaskSpec) -> tuple[TaskSpec, ...]:
    """A task of several files as one task for each of them; what the files do together is left to the task itself."""
    if len(spec.file_paths) < 2:
        return ()
    return tuple(
        replace(
            spec,
            title=f"{spec.title} [{path}]",
            description=f"Write only the part of this task that belongs into `{path}`.\n\n{spec.description}",
            file_paths=(path,),
            dependencies=(),
            commands=(),
        )
        for path in spec.file_paths
    )


def _context(work: Work, root: Path) -> dict[str, Json]:
    """What the coder starts from, recorded so that a resumed run sees the same."""
    spec = work.the_task.spec
    checks = _checks(work, root)
    hidden = work.hidden(root)
    declared = (*spec.file_paths, *files_of_commands(root, checks))
    wanted = [path for path in (*declared, *related_files(root, declared, RELATED_FILES)) if not hidden(path)]
    model = work.model_settings(Role.CODER)
    budget = max(2000, int(model.context_length * 1.5))
    files = read_text_files(root, wanted, budget)
    focus = Focus(tuple(declared), f"{spec.title}\n{spec.description}", {path for path, _ in files})
    memory = guidance.memory_text(work, Role.CODER, place=root, paths=spec.file_paths)
    skills = guidance.skills_text(work, Role.CODER)
    return {
        "mcp": mcp.offered(work.factory, model.context_length),
        "files": [list(item) for item in files],
        "judges": _judges(work, root),
        "hooks": has_tool_hooks(work.factory),
        "precompact": has_compaction_hooks(work.factory),
        "subagent": _offers_subagent(work),
        "stubs": {} if checks else stubs_of(read_text_files(root, spec.file_paths, JUDGES_CHARACTERS), spec),
        "tree": listing(root, 60, own_files(work.factory.settings.git.plan_file_name), hidden=hidden),
        "map": map_of(work, root, Role.CODER, focus),
        "memory": memory.text,
        "skills": skills.text,
        "cut": [name for name, shown in (("memory", memory), ("skills", skills)) if shown.cut],
    }


def _judges(work: Work, root: Path) -> dict[str, str]:
    """The text of the given tests, which no attempt may weaken."""
    names = judge_files(root, _checks(work, root), work.the_task.spec)
    return dict(read_text_files(root, names, JUDGES_CHARACTERS))


def _brief(work: Work, root: Path, start: dict[str, Json]) -> CoderBrief:
    task, plan = work.the_task, work.plan
    return CoderBrief(
        plan_title=plan.name,
        plan_text=plan.text,
        task=task.spec,
        context_files=tuple((path, content) for path, content in start["files"]),
        tree=start["tree"],
        repo_map=start.get("map", ""),
        feedback=task.feedback,
        commands=_checks(work, root),
        protected=protected_files(start["judges"], task.spec),
        memory=start.get("memory", ""),
        skills=start.get("skills", ""),
    )


def _checks(work: Work, root: Path) -> tuple[str, ...]:
    """The commands that will decide about the task."""
    return tuple(command for _, command in commands_of(work, work.the_task.spec, root))


def _offers_subagent(work: Work) -> bool:
    """Whether the coder may send a helper: only where it was asked for and the window is large enough for its cost."""
    told = work.factory.settings.raw["agentic"]
    denied = Policy(work.permissions, work.plan.workspace).hides(subagent.NAME)
    enough = work.model_settings(Role.CODER).context_length >= told["subagent_min_context"]
    return bool(told["subagent_enabled"]) and enough and not denied


def _toolbox(work: Work, root: Path, start: dict[str, Json]) -> Toolbox:
    """The coder's tools, with or without hooks and the helper as the run was begun."""
    hooks = tool_hooks(work, root, hooked=start.get("hooks", False))
    catalogue = guidance.skills_of(work, Role.CODER)
    context = _tool_context(work, root, catalogue)
    permissions, window = work.permissions, work.model_settings(Role.CODER).context_length
    policy, asker = Policy(permissions, root), PersonAsker(work)
    names = (
        *offered(Phase.CODE, window, permissions.mode),
        *guidance.extra_tools(work, Role.CODER, catalogue, start.get("cut", [])),
    )
    more = mcp.tools(work.factory, start.get("mcp", ()))
    planning = permissions.mode == "plan_only"
    tools = ToolBox(context, names, policy, more=more, asker=asker, hooks=hooks, planning=planning)
    if not start.get("subagent"):
        return tools
    return WithSubagent(
        tools,
        ToolBox(context, subagent.TOOLS, policy, asker=asker, hooks=hooks),
        model=work.model,
        settings=work.model_settings(Role.CODER),
        audit=work.audit,
        gate=tools.gate,
    )


def _tool_context(work: Work, root: Path, catalogue: Catalogue) -> ToolContext:
    limits = work.factory.settings.orchestration
    store, task = work.factory.store, work.the_task
    window = work.model_settings(Role.CODER).context_length
    return ToolContext(
        root=root,
        marker=work.marker,
        containment=work.factory.containment,
        todos=ledger.TaskTodos(store, task.id),
        audit=work.audit,
        command_timeout_s=limits.validation_timeout_s,
        stop=lambda: work.stopping,
        before_command=lambda: work.off_gpu(back=True),
        result_limit=min(RESULT_CHARACTERS, int(window * CHARS_PER_TOKEN / 4)),
        search=searcher_of(work.factory, work.claim.run.id),
        skills=Shelf(catalogue) if catalogue.skills else None,
        memory=guidance.book_of(work),
    )
