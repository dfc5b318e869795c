"""``lao permissions``: whether a call of a model would run, what decides about each part of it, and the rules."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.core.errors import BadInput

if TYPE_CHECKING:
    from lao.config.rules import Rule
    from lao.tools.permissions.decision import Decision

DENIED, NEEDS_PERSON = 1, 4
_CALL = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)

_FOLDER = click.option(
    "--in", "folder", metavar="DIR", help="The workspace that the call is made in (default: paths.workspace)."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("permissions")
def command() -> None:
    """Say what models may do, and why."""


@command.command("check")
@click.argument("call")
@_FOLDER
@_JSON
@pass_session
def check(session: Session, call: str, folder: str | None, as_json: bool) -> None:
    """Whether CALL, such as 'Bash(git push --force)' or 'Edit(src/a.py)', may run: exit code 0 yes, 1 no, 4 a person is
    asked."""
    decision = _decided(session, call, folder)
    if as_json:
        emit_json(_view(call, decision))
    else:
        emit(_line(decision))
    sys.exit({"allow": 0, "deny": DENIED, "ask": NEEDS_PERSON}[decision.verdict.value])


@command.command("explain")
@click.argument("call")
@_FOLDER
@_JSON
@pass_session
def explain(session: Session, call: str, folder: str | None, as_json: bool) -> None:
    """Every part of CALL and what decided about it."""
    decision = _decided(session, call, folder)
    if as_json:
        emit_json(_view(call, decision))
        return
    for part in decision.parts:
        emit(f"{part.verdict.value:<5}  {part.what}")
        emit(f"       {part.by}" + (f": {part.reason}" if part.reason else ""))
        if part.remember:
            emit(f"       'always' would add: {part.remember}")
    emit(f"together: {_line(decision)}")


@command.command("list")
@_JSON
@pass_session
def listing(session: Session, as_json: bool) -> None:
    """The mode and every rule with its place, in the order in which they count."""
    permissions = session.settings().permissions
    if as_json:
        rules = [_rule_view(rule) for rule in permissions.rules]
        emit_json({"mode": permissions.mode, "plan_approval": permissions.plan_approval, "rules": rules})
        return
    emit(
        f"mode {permissions.mode}" + ("" if permissions.mode == "bypass" else ", after the rules and built-in denials")
    )
    for rule in permissions.rules:
        why = f"  # {rule.justification}" if rule.justification else ""
        emit(f"{rule.kind:<5}  {rule.text}  ({rule.source}){why}")
    if not permissions.rules:
        emit("no rules")


def _decided(session: Session, call: str, folder: str | None) -> Decision:
    from lao.config.rules import RuleError, parse_rule
    from lao.core.tool_names import BY_PATH, SHELL, tools_of
    from lao.tools.permissions.policy import Policy

    settings = session.settings()
    form = _CALL.fullmatch(call)
    if form is None:
        raise BadInput(f"{call!r} is no call", "write Tool(what), for example 'Bash(npm test)' or 'Edit(src/app.py)'")
    if not tools_of(form[1]):
        try:
            parse_rule(form[1], "allow")
        except RuleError as error:
            raise BadInput(str(error), "'lao permissions list' shows the rules") from error
    tool, given = tools_of(form[1])[0], form[2]
    key = "command" if tool == SHELL else "path" if tool in BY_PATH else None
    if key is not None and not given:
        raise BadInput(f"{call!r} does not say which {key}", f"write {form[1]}({key})")
    root = settings.paths.workspace if folder is None else (session.cwd or Path.cwd()) / folder
    planning = settings.permissions.mode == "plan_only"
    return Policy(settings.permissions, root).decide(tool, {key: given} if key else {}, planning=planning)


def _line(decision: Decision) -> str:
    word = {"allow": "allowed", "deny": "denied", "ask": "a person is asked"}[decision.verdict.value]
    return f"{word} by {decision.by}" + (f": {decision.reason}" if decision.reason else "")


def _view(call: str, decision: Decision) -> dict[str, Any]:
    return {
        "call": call,
        "verdict": decision.verdict.value,
        "by": decision.by,
        "reason": decision.reason,
        "remember": list(decision.remember),
        "parts": [
            {"what": p.what, "verdict": p.verdict.value, "by": p.by, "reason": p.reason, "remember": p.remember}
            for p in decision.parts
        ],
    }


def _rule_view(rule: Rule) -> dict[str, Any]:
    return {
        "kind": rule.kind,
        "rule": rule.text,
        "tools": list(rule.tools),
        "justification": rule.justification,
        "source": rule.source,
    }
