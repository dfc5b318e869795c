"""What must hold after any history of kills: the checker that every experiment ends with."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.durability.factory_run import Project


@dataclass(frozen=True)
class CallsAllowed:
    """How many model calls there may be: recorded ones from ``least`` to ``most``, and ``made`` on the server."""

    least: int
    most: int
    made: int


def check(
    project: Project, *, plan: str, tasks: int, kills: int, expected_calls: int, per_plan: int, redone: int = 0
) -> list[str]:
    """Every violated invariant as one line; an empty list is a pass.

    Args:
        tasks, expected_calls: of all plans of the project together; ``per_plan`` tasks are the named plan's.
        kills: how many were really made; each may cost one model call.
        redone: attempts whose folder a power cut took; their calls are in ``expected_calls``.
    """
    status = json.loads(project.lao("status", "--json").stdout)
    workspace = project.root / plan
    return [
        *_tasks(status, tasks, redone),
        *_files(workspace, per_plan),
        *_commits(workspace, per_plan),
        *_tree(workspace, per_plan),
        *_state(project.root / ".lao" / "state.db"),
        *orphans(project),
        *_calls(project, CallsAllowed(expected_calls, expected_calls, expected_calls + kills), status),
    ]


def check_plans(project: Project, plans: Mapping[str, int], calls: CallsAllowed) -> list[str]:
    """The same for a project of many plans.

    Args:
        plans: the number of tasks by the plan's name.
    """
    status = json.loads(project.lao("status", "--json").stdout)
    state = project.root / ".lao"
    bad = _tasks(status, sum(plans.values()), 0)
    found = sorted(p["name"] for p in status["plans"])
    bad += [f"the plans are {found} instead of {sorted(plans)}"] if found != sorted(plans) else []
    for plan, tasks in plans.items():
        workspace = project.root / plan
        found = [*_files(workspace, tasks), *_commits(workspace, tasks), *_tree(workspace, tasks)]
        bad += [f"{plan}: {line}" for line in found]
    bad += [f"left over: {path.relative_to(state)}" for path in sorted(state.glob("desks/run-*"))]
    return bad + orphans(project) + _state(state / "state.db") + _calls(project, calls, status)


def _tasks(status: dict, tasks: int, redone: int) -> list[str]:
    found = status["tasks"]
    bad = [f"task {t['id']} is {t['state']}: {t['reason']}" for t in found if t["state"] != "completed"]
    if sum(t["attempts"] - 1 for t in found) != redone:
        bad += [f"task {t['id']} counts {t['attempts']} attempts ({redone} were to be made again)" for t in found]
    bad += [f"{len(found)} tasks instead of {tasks}"] if len(found) != tasks else []
    bad += [f"plan {p['id']} is {p['state']}: {p['reason']}" for p in status["plans"] if p["state"] != "completed"]
    return bad


def _files(workspace: Path, tasks: int) -> list[str]:
    bad = []
    for n in range(1, tasks + 1):
        path = workspace / f"part_{n}.txt"
        text = path.read_text() if path.exists() else None
        if text is None or text.strip() != f"content of part {n}":
            bad.append(f"{path.name} contains {text!r}")
    return bad


def _git(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=workspace, capture_output=True, text=True, check=False)


def _commits(workspace: Path, tasks: int) -> list[str]:
    log = _git(workspace, "log", "--format=%(trailers:key=LAO-Step,valueonly,separator=%x2C)")
    steps = Counter(line for line in log.stdout.splitlines() if line)
    expected = 2 + 2 * tasks  # plan, architect, and for each task coder and reviewer
    bad = [f"{n} commits for step {step}" for step, n in steps.items() if n != 1]
    bad += [f"{len(steps)} steps committed instead of {expected}: {sorted(steps)}"] if len(steps) != expected else []
    fsck = _git(workspace, "fsck", "--strict", "--no-dangling")
    bad += [f"git fsck: {fsck.stdout}{fsck.stderr}"] if fsck.returncode else []
    dirty = _git(workspace, "status", "--porcelain").stdout
    bad += [f"work tree is not clean: {dirty}"] if dirty else []
    bad += [f"left over: {lock.name}" for lock in (workspace / ".git").rglob("*.lock") if lock.name != "lao.lock"]
    return bad


def _tree(workspace: Path, tasks: int) -> list[str]:
    """What is committed is what an undisturbed run commits, and nothing that was kept meanwhile is left."""
    names = set(_git(workspace, "ls-tree", "-r", "--name-only", "HEAD").stdout.split()) - {".gitignore"}
    wanted = {"LAO_PLAN.md", "LAO_REVIEW.log", "LAO_TASKS.json", *(f"part_{n}.txt" for n in range(1, tasks + 1))}
    bad = [f"the tree has {sorted(names ^ wanted)} too much or too little"] if names != wanted else []
    lines = _git(workspace, "show", "HEAD:LAO_REVIEW.log").stdout.splitlines()
    bad += [f"LAO_REVIEW.log has {len(lines)} lines for {tasks} tasks"] if len(lines) != tasks else []
    refs = _git(workspace, "for-each-ref", "--format=%(refname)", "refs/lao").stdout.split()
    return bad + [f"left over: {ref}" for ref in refs]


def orphans(project: Project) -> list[str]:
    """Processes with the marker of the project's commands, once no worker is left."""
    owner = hashlib.sha256(str(project.root / ".lao" / "state.db").encode()).hexdigest()[:12]
    found = []
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        with suppress(OSError):
            if entry.name.isdigit() and f"LAO_RUN={owner}.".encode() in (entry / "environ").read_bytes():
                found.append(f"process {entry.name} is left: {(entry / 'cmdline').read_bytes()!r}")
    return found


def _state(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
        open_runs = connection.execute(
            "SELECT id, phase, state FROM lao_run WHERE state IN ('ready', 'running', 'blocked')"
        ).fetchall()
        doubles = connection.execute(
            "SELECT label, run_id, count(*) FROM lao_step WHERE state='done' GROUP BY run_id, label HAVING count(*) > 1"
        ).fetchall()
        commands = connection.execute(
            "SELECT plan_id, json_each.value, 0 FROM lao_task, json_each(lao_task.commands) ORDER BY 1, 2"
        ).fetchall()
        closed = connection.execute(
            "SELECT plan_id, command, exit_code FROM lao_validation WHERE moment='close' ORDER BY plan_id, command"
        ).fetchall()
    finally:
        connection.close()
    bad = [f"integrity_check: {integrity}"] if integrity != "ok" else []
    bad += [f"foreign keys: {foreign}"] if foreign else []
    bad += [f"run left open: {row}" for row in open_runs]
    bad += [f"the closes have {closed} for {commands}"] if closed != commands else []
    return bad + [f"step recorded twice: {row}" for row in doubles]


def _calls(project: Project, allowed: CallsAllowed, status: dict) -> list[str]:
    made = project.server.stats["completions"]
    large = project.server.stats["max_large_resident"]
    bad = [f"{large} large models were in memory at once"] if large > 1 else []
    bad += [f"{made} model calls where {allowed.made} are explained"] if made > allowed.made else []
    recorded = status["calls"]["model"]
    if not allowed.least <= recorded <= allowed.most:
        bad.append(f"{recorded} calls recorded instead of {allowed.least} to {allowed.most}")
    return bad
