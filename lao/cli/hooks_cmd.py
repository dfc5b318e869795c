"""``lao hooks``: which hooks there are and where from, and what they say to a sample of each event."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session

if TYPE_CHECKING:
    from lao.config.settings import Settings
    from lao.hooks.project import Means, ProjectHooks

WRONG = 1
"""Exit status of ``check`` when something is wrong with a hook."""

_SAMPLES: dict[str, dict[str, Any]] = {
    "Bash": {"command": "echo sample"},
    "Write": {"path": "sample.txt", "content": "sample\n"},
}


@click.group("hooks")
def command() -> None:
    """List the hooks of this project, or try them."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def show(session: Session, as_json: bool) -> None:
    """Print every hook that was found, where it is written, and what is wrong with it. Runs none of them, but loads
    hooks.py."""
    settings = session.settings()
    view = found(settings, _load(settings))
    if as_json:
        emit_json(view)
        return
    _print(view)


@command.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def check(session: Session, as_json: bool) -> None:
    """Run each command hook once with a sample of its event, and say what came of it. Functions of hooks.py are only
    loaded. Exit status 1 when something is wrong."""
    settings = session.settings()
    hooks = _load(settings)
    view = {**found(settings, hooks), "tried": try_all(settings, hooks)}
    wrong = bool(view["problems"]) or any(entry["problem"] for entry in view["tried"])
    view["ok"] = not wrong
    if as_json:
        emit_json(view)
    else:
        _print(view)
        for entry in view["tried"]:
            emit(f"  {entry['event']}: {entry['command'][:80]}: {entry['problem'] or entry['said']}")
    sys.exit(WRONG if wrong else 0)


def found(settings: Settings, hooks: ProjectHooks) -> dict[str, Any]:
    """The fields of ``lao hooks list --json`` (docs/hooks.md)."""
    return {
        "enabled": bool(settings.raw["hooks"]["enabled"]),
        "fail_closed": hooks.fail_closed,
        "file": str(hooks.file.path) if hooks.file else None,
        "functions": list(hooks.file.names) if hooks.file else [],
        "commands": [
            {
                "event": hook.event,
                "matcher": hook.matcher or "*",
                "command": hook.command,
                "timeout_s": hook.timeout_s or hooks.timeout_s,
                "source": hook.source,
            }
            for hook in hooks.commands
        ],
        "problems": list(hooks.problems),
    }


def try_all(settings: Settings, hooks: ProjectHooks) -> list[dict[str, Any]]:
    """Run every command hook with a sample: event, command, source, what it said, what was wrong ("" when nothing)."""
    import os

    from lao.hooks.contract import About
    from lao.hooks.project import Means

    root = settings.paths.root
    about = About(root, root, "0" * 16, "sample", 1, "a sample task", "code", 1, 1, "coder", session="lao-hooks-check")
    means = Means(f"hooks-check.{os.getpid()}")
    return [_tried(hooks, number, about, means) for number in range(len(hooks.commands))]


def _tried(hooks: ProjectHooks, number: int, about: Any, means: Means) -> dict[str, Any]:
    from lao.hooks.contract import POST_TOOL, PRE_COMPACT, PRE_TOOL, tool_input

    hook = hooks.commands[number]
    told = about.to_json(hook.event)
    if hook.event.startswith(("PreTool", "PostTool")):
        name = next((n for n in _SAMPLES if hook.matches((n,))), "Bash")
        tool = {"Bash": "shell_exec", "Write": "file_write"}[name]
        told |= {"tool_name": name, "lao_tool_name": tool, "tool_use_id": "toolu_sample"}
        told["tool_input"] = tool_input(tool, _SAMPLES[name], about.cwd)
        if hook.event != PRE_TOOL:
            told["tool_response"] = {"text": "sample", "ok": hook.event == POST_TOOL, "changed": []}
    if hook.event == PRE_COMPACT:
        told |= {"trigger": "auto", "custom_instructions": "", "tokens": 6000, "limit": 8000}
    answer = hooks.run(hook, told, means)
    said = next(
        (f"{what}: {text}" for what, text in (
            ("refuses", answer.deny), ("asks", answer.ask), ("stops", answer.stop), ("adds", answer.context),
        ) if text),
        "goes on",
    )  # fmt: skip
    return {
        "event": hook.event,
        "command": hook.command,
        "source": hook.source,
        "said": said,
        "problem": answer.problem,
    }


def _load(settings: Settings) -> ProjectHooks:
    from lao.durable.containment import choose
    from lao.hooks.project import load_hooks

    return load_hooks(settings, choose(settings.sandbox.backend))


def _print(view: dict[str, Any]) -> None:
    if not view["enabled"]:
        emit("hooks are switched off (hooks.enabled)")
        return
    if not (view["functions"] or view["commands"] or view["problems"]):
        emit("no hooks: there is no hooks.py beside factory.yaml, and factory.yaml names none")
    if view["functions"]:
        emit(f"{view['file']}: {', '.join(view['functions'])}")
    for hook in view["commands"]:
        emit(f"{hook['event']} ({hook['matcher']}): {hook['command']}  [{hook['source']}, {hook['timeout_s']:g} s]")
    for problem in view["problems"]:
        emit(f"WRONG: {problem}")
