"""``lao demo``: the whole pipeline on a small plan, on a model server that answers, else on the simulated one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import click
import yaml

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.look import here
from lao.cli.project import open_project
from lao.core.errors import LaoError

PLAN = "temperatures.md"
ROLES = ("planner", "coder", "reviewer")


@click.command(help="Run the whole pipeline on a small plan; without a model server on the simulated server.")
@click.option("--server", type=click.Choice(["auto", "simulated"]), default="auto", show_default=True)
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Where to make the project (default: a new folder)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, server: str, folder: Path | None, as_json: bool) -> None:
    root = _new_folder(folder)
    model = None if server == "simulated" else _real_model(session)
    with _server(session, model) as (name, document):
        say(f"demo project in {root}")
        say(f"server: {name}")
        _write_project(root, document)
        code, view = _run(root, quiet=as_json)
    view = {"server": name, "simulated": model is None, "root": str(root), "exit_code": code, **view}
    if as_json:
        emit_json(view)
    else:
        _show(view)
    sys.exit(code)


def _new_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="lao-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise click.UsageError(f"{str(folder)!r} is not empty")
    return folder.resolve()


def _real_model(session: Session) -> str | None:
    """A model of the server that answers at the configured address: a loaded one, else its smallest; None without."""
    from lao.core.clock import SystemClock
    from lao.servers.detect import connect

    try:
        models = [m for m in connect(session.settings(), SystemClock()).models() if m.kind == "llm"]
    except LaoError:
        return None
    loaded = [m for m in models if m.loaded]
    best = loaded[:1] or sorted(models, key=lambda m: m.size_bytes)[:1]
    return best[0].key if best else None


@contextmanager
def _server(session: Session, model: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The server's name and the factory.yaml for it."""
    if model is not None:
        settings = session.settings()
        # the text protocol and schemas, because they work with every model
        form = {"context_length": 8192, "max_completion": 2048, "supports_tools": False, "supports_json_schema": True}
        models = {role: {"key": model, **form} for role in ROLES}
        base = {"lm_studio_base_url": settings.server.base_url, "models": models}
        yield f"{model} at {settings.server.base_url}", base
        return
    from lao.servers.simulated.scenario import load_scenario
    from lao.servers.simulated.server import SimulatedServer

    with resources.as_file(resources.files("lao.cli.demo") / "scenario.yaml") as path:
        scenario = load_scenario(path)
    with SimulatedServer(scenario) as simulated:
        sizes = {m.key: m.size_bytes for m in scenario.models}
        keys = {role: f"demo-{role}" for role in ROLES}
        models = {r: {"key": k, "supports_tools": r != "reviewer", "size_bytes": sizes[k]} for r, k in keys.items()}
        yield (
            "the simulated server (scripted answers, no model); with a model server running, the demo uses a real one",
            {
                "lm_studio_base_url": simulated.url,
                "server": {"kind": "simulated"},
                "models": models,
                "memory_gate": {"poll_interval_s": 0.1},
                "orchestration": {"infer_validation_commands": False},
            },
        )


def _write_project(root: Path, document: dict[str, Any]) -> None:
    document = {**document, "git": {"enabled": _ready_for_git()}}
    (root / "plans").mkdir(exist_ok=True)
    (root / "factory.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    plan = (resources.files("lao.cli.demo") / PLAN).read_text(encoding="utf-8")
    (root / "plans" / PLAN).write_text(plan, encoding="utf-8")


def _ready_for_git() -> bool:
    """Whether the demo can commit; on a machine where git does not know its user it commits as "LAO demo"."""
    if shutil.which("git") is None:
        say("git is not on PATH: the demo makes no commits")
        return False
    ident = ["git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"]
    if subprocess.run(ident, capture_output=True, check=False).returncode:
        for who in ("AUTHOR", "COMMITTER"):
            os.environ.update({f"GIT_{who}_NAME": "LAO demo", f"GIT_{who}_EMAIL": "demo@example.org"})
    return True


def _run(root: Path, *, quiet: bool) -> tuple[int, dict[str, Any]]:
    from lao.cli.run_cmd import run
    from lao.cli.status_cmd import collect
    from lao.state import ledger

    demo = Session(flags={"single_run": True, "config": str(root / "factory.yaml")}, cwd=root, env={})
    with open_project(demo) as factory:
        code = run(demo, factory, quiet=quiet)
        view = collect(factory)
        evidence = [v for plan in view["plans"] for v in ledger.validations_of(factory.store, plan["id"])]
    return code, {**view, "evidence": evidence}


def _show(view: dict[str, Any]) -> None:
    emit()
    for task in view["tasks"]:
        emit(_task_line(task))
    before = [item for item in view["evidence"] if item["moment"] == "before"]
    after = [item for item in view["evidence"] if item["moment"] != "before"]
    failed, passed = sum(i["exit_code"] != 0 for i in before), sum(i["exit_code"] == 0 for i in after)
    emit(f"evidence: {failed} of {len(before)} commands failed before, {passed} of {len(after)} passed after the work")
    for plan in view["plans"]:
        if (Path(plan["workspace"]) / ".git").exists():
            emit(f"commits in {plan['workspace']}:")
            emit(_commits(plan["workspace"]))
        reason = f" ({plan['reason']})" if plan["reason"] else ""
        emit(f"plan {plan['name']}: {plan['state'].replace('_', ' ')}{reason}")
    if view["simulated"]:
        emit("All answers came from the simulated server.")
    emit(f"Look around: cd {view['root']} && lao status")


def _task_line(task: dict[str, Any]) -> str:
    look = here()
    state = look.word(task["state"], task["state"].replace("_", " "))
    rung = f", solved by {task['rung']}" if task["rung"] else ""
    return f"{look.mark(task['state'])} {look.clean(task['title'])}: {state}{rung} ({', '.join(task['files'])})"


def _commits(folder: str) -> str:
    command = ["git", "log", "--reverse", "--format=  %h %s"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.rstrip()
