"""The factory in words, out of the record: what the Pilot's model is told, and what its reading tools give. Asks nobody
and invents nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.states import PIPELINE_ROLES, Role
from lao.core.words import CommandResult, Json
from lao.llm.tokens import clip
from lao.quality.evidence import digest
from lao.state import ledger, pauses, plans, queries, references
from lao.state.records import Plan, Task
from workflows.factory import Factory
from workflows.preflight import Row, look
from workflows.queues import live_workers
from workflows.submission import read_plan

_OPEN: Final = frozenset({"queued", "planning", "active"})
_BAD: Final = frozenset({"failed", "needs_human"})
_PLANS, _FAILURES, _FINDINGS = 12, 6, 8
_REASON, _BRIEF, _OUTPUT = 400, 160, 1_200
_DRAFT: Final = "draft"
_LEVEL: Final = {"warn": "! ", "info": "- ", "ok": "- "}


def record(factory: Factory, tokens: int) -> str:
    """How the factory stands, and what failed and why, within so many tokens: status first."""
    status = clip(pipeline_status(factory), max(1, tokens // 2))
    failed = failures(factory)
    return clip(f"{status}\n{failed}", tokens)


def pipeline_status(factory: Factory) -> str:
    """Plans with their tasks, what runs, pauses, the gate, files that could not be taken."""
    view = queries.plans_view(factory.store)
    counts = ", ".join(f"{n} {state}" for state, n in _counted(view)) or "none"
    workers = ", ".join(str(w["queue"]) for w in live_workers()) or "none"
    lines = [f"plans: {counts}; workers running: {workers}"]
    if "" in (paused := pauses.every(factory.store)):
        lines.append("PAUSED: everything; resume_pipeline goes on")
    ranked = sorted(enumerate(view), key=lambda item: (item[1]["state"] not in _OPEN | _BAD, -item[0]))
    for _, plan in ranked[:_PLANS]:
        lines.append(_plan_line(plan, paused=plan["id"] in paused))
    if len(view) > _PLANS:
        lines.append(f"and {len(view) - _PLANS} older plans")
    lines += [_run_line(run) for run in queries.running_view(factory.store) if run["phase"] != "pilot"]
    if (gate := queries.gate_view(factory.store)) is not None and gate["shut"]:
        lines.append(f"the memory gate is shut for {gate['role']} ({gate['model']}): {gate['text']}")
    lines += [f"not taken as a plan: {file}: {why[:_REASON]}" for file, _, why in plans.rejections(factory.store)]
    return "\n".join(lines)


def _counted(view: Iterable[dict[str, Json]]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for plan in view:
        counts[plan["state"]] = counts.get(plan["state"], 0) + 1
    return list(counts.items())


def _plan_line(plan: dict[str, Json], *, paused: bool) -> str:
    tasks = plan["tasks"]
    more = [f"{tasks[name]} {name}" for name in ("active", "waiting", "failed", "needs_human") if tasks[name]]
    told = f"{tasks['completed']} of {tasks['total']} tasks completed" if tasks["total"] else "no tasks yet"
    line = f"- plan {plan['name']} ({plan['id'][:8]}): {plan['state']}, {', '.join([told, *more])}"
    reason = f"; {_short(plan['reason'])}" if plan["reason"] else ""
    return f"{line}{', PAUSED' if paused else ''}{reason}"


def _run_line(run: dict[str, Json]) -> str:
    what = f"{run['phase']} of task {run['task']}" if run["task"] else f"{run['phase']} of plan {run['plan'][:8]}"
    if run["state"] == "running":
        return f"running: {what}"
    return f"put off for {run['wait_s']} s: {what}: {_short(run['reason'])}"


def failures(factory: Factory) -> str:
    """Every plan and task that failed or waits for a person, the newest first, with its evidence."""
    parts = _failed(factory)
    return "\n".join(("What failed:", *parts)) if parts else "Nothing has failed."


def has_failures(factory: Factory) -> bool:
    """Whether a plan or task has failed or waits for a person."""
    return bool(_failed(factory))


def _failed(factory: Factory) -> list[str]:
    parts: list[str] = []
    for plan in reversed(plans.all_plans(factory.store)):
        bad = [task for task in plans.tasks_of(factory.store, plan.id) if task.state.value in _BAD]
        if plan.state.value in _BAD and not bad:
            parts.append(_plan_failure(factory, plan))
        parts += [_task_failure(factory, plan, task) for task in bad]
        if len(parts) >= _FAILURES:
            break
    return parts[:_FAILURES]


def explain(factory: Factory, reference: str) -> str:
    """The evidence about a plan or a task; "" is all that failed.

    Raises:
        BadInput: there is no such plan or task.
    """
    if not reference.strip():
        return failures(factory)
    found = references.find(factory.store, reference.strip())
    if isinstance(found, Task):
        return _task_failure(factory, plans.get(factory.store, found.plan_id), found)
    tasks = [task for task in plans.tasks_of(factory.store, found.id) if task.state.value != "completed"]
    bad = [task for task in tasks if task.state.value in _BAD] or [task for task in tasks if task.reason]
    return "\n".join((_plan_failure(factory, found), *(_task_failure(factory, found, task) for task in bad)))


def _plan_failure(factory: Factory, plan: Plan) -> str:
    reason = f": {_short(plan.reason)}" if plan.reason else ""
    lines = [f"plan {plan.name} ({plan.id[:8]}) is {plan.state.value}{reason}"]
    own = [v for v in ledger.validations_of(factory.store, plan.id) if v["task"] is None]
    return "\n".join([*lines, *_checks(own)])


def _task_failure(factory: Factory, plan: Plan, task: Task) -> str:
    """The evidence first: small models repeat what they read first."""
    checks = _checks([v for v in ledger.validations_of(factory.store, plan.id) if v["task"] == task.id])
    told = "" if checks else f": {_short(task.reason)}"
    unsolved = " (LAO did not solve it)" if task.state.value == "needs_human" else ""
    lines = [f"task {task.id} {task.spec.title!r} of plan {plan.name} is {task.state.value}{unsolved}{told}", *checks]
    if task.attempts:
        lines.append(f"  {task.attempts} attempts; files: {', '.join(task.spec.file_paths) or 'none'}")
    findings = ledger.findings_of(factory.store, task_id=task.id)
    if checks:
        lines.append(f"  {_short(task.reason, _BRIEF)}")
    else:
        lines += [f"  {f.analyzer} found: {_short(f.message)}\n  {f.hint[:_OUTPUT]}".rstrip() for f in findings[-1:]]
        lines += [f"  the last attempt was told: {_short(task.feedback[-1])}"] if task.feedback else []
    return "\n".join(line for line in lines if line.strip())


def _checks(validations: list[dict[str, Json]]) -> list[str]:
    """The failed commands of the last time that they were run, each with its exit code and what its output shows."""
    last = {v["command"]: v for v in validations if v["moment"] != "before"} or {v["command"]: v for v in validations}
    lines = []
    for command, v in last.items():
        if v["exit_code"] == 0 and not v["timed_out"]:
            continue
        result = CommandResult(command, v["exit_code"], v["output"], timed_out=v["timed_out"])
        ended = "ran too long" if v["timed_out"] else f"exit code {v['exit_code']}"
        shown = digest(result, limit=_OUTPUT).text.strip() or v["output"].strip()[-_OUTPUT:]
        lines.append(f"  command {command!r}: {ended}\n  " + shown.replace("\n", "\n  "))
    return lines


def gate_summary(factory: Factory, reference: str) -> str:
    """Findings and checks of a plan, or of all that are not completed.

    Raises:
        BadInput: there is no such plan.
    """
    if reference.strip():
        chosen = [references.find_plan(factory.store, reference.strip())]
    else:
        chosen = [p for p in plans.all_plans(factory.store) if p.state.value != "completed"] or []
    return "\n".join(_gate(factory, plan) for plan in reversed(chosen[-_PLANS:])) or "No plan is open or has failed."


def _gate(factory: Factory, plan: Plan) -> str:
    checks = {(v["task"], v["command"]): v for v in ledger.validations_of(factory.store, plan.id)}
    passed = sum(v["exit_code"] == 0 and not v["timed_out"] for v in checks.values())
    findings = ledger.findings_of(factory.store, plan_id=plan.id)
    blocking = [f for f in findings if f.blocks]
    lines = [
        f"plan {plan.name} ({plan.id[:8]}), {plan.state.value}: {passed} of {len(checks)} checks pass; "
        f"{len(findings)} findings, {len(blocking)} of them blocked an attempt"
    ]
    lines += [f"  {f.severity.value} {f.kind}: {_short(f.message)}" for f in blocking[-_FINDINGS:]]
    return "\n".join([*lines, *_checks(list(checks.values()))[:_FINDINGS]])


def project_status(factory: Factory) -> str:
    """Folders, models, server, what was used so far."""
    settings = factory.settings
    tokens, calls = queries.usage_view(factory.store)
    models = queries.models_view(factory.store)
    roles = ", ".join(f"{role.value} {settings.models[role].key}" for role in (*PIPELINE_ROLES, Role.PILOT))
    filed = sorted(p.name for p in settings.paths.plans.glob("*.md")) if settings.paths.plans.is_dir() else []
    return "\n".join(
        (
            f"project {settings.paths.root}; plans folder {settings.paths.plans} ({len(filed)} files: "
            f"{', '.join(filed[:_PLANS]) or 'none'})",
            f"models: {roles}; server {settings.server.base_url}",
            f"in memory: {', '.join(models['resident']) or 'no model'}; {models['swaps']} swaps so far",
            f"model calls {calls['model']}; tokens {tokens['prompt']} read, {tokens['completion']} written",
            f"git {'on' if settings.git.enabled else 'off'}; permissions {settings.permissions.mode}",
        )
    )


def preflight(factory: Factory, reference: str, content: str) -> str:
    """What ``lao preflight`` says of a plan: what a person should look at first, then the rest, a line each.

    Args:
        content: the text of a plan that is no file yet; "" means the plan of this name.

    Raises:
        BadInput: neither a text nor a plan of this name, or a text that cannot be handed in.
    """
    plans_folder = factory.settings.paths.plans
    if content.strip():
        found = look(factory, plans_folder / f"{_DRAFT}.md", content)
    else:
        path, text = _plan_text(factory, reference)
        ident = plans.plan_id_of(text)
        found = look(factory, path, text, next((p for p in plans.all_plans(factory.store) if p.id == ident), None))
    ranked = sorted(found.rows, key=lambda row: row.level != "warn")
    lines = [f"{_LEVEL[row.level]}{row.name}: {_short(row.text)}{_remedy(row)}" for row in ranked]
    return "\n".join(("nothing stands against it" if found.ok else "look at these first:", *lines))


def _remedy(row: Row) -> str:
    return f" -> {row.remedy}" if row.remedy else ""


def _plan_text(factory: Factory, reference: str) -> tuple[Path, str]:
    if not reference.strip():
        raise BadInput("no plan is named", "give the name of a plan, or its content")
    path = factory.settings.paths.plans / f"{reference.strip().removesuffix('.md')}.md"
    if path.is_file() and path.parent == factory.settings.paths.plans:
        return path, read_plan(path)
    found = references.find_plan(factory.store, reference.strip())
    return Path(found.file), found.text


def _short(text: str, most: int = _REASON) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
