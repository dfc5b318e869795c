"""What a command hook is told and what it may answer: Claude Code's JSON contract. Runs nothing.

Source: https://code.claude.com/docs/en/hooks (fields as of Claude Code 2.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lao.core.words import CommandResult, Json

BLOCKED: Final = 2
"""The exit status that refuses; stderr says why."""

PRE_TOOL: Final = "PreToolUse"
POST_TOOL: Final = "PostToolUse"
POST_FAILURE: Final = "PostToolUseFailure"
PRE_COMPACT: Final = "PreCompact"

EVENTS: Final = (
    PRE_TOOL,
    POST_TOOL,
    POST_FAILURE,
    PRE_COMPACT,
    "SessionStart",
    "SessionEnd",
    "PlanStart",
    "PlanEnd",
    "TaskStart",
    "TaskCompleted",
    "TaskFailed",
    "VerifyFailed",
    "Stop",
    "ModelSwap",
)
"""Events that LAO has; the first three are about a tool call."""

_REFUSING: Final = (PRE_TOOL, PRE_COMPACT)
"""Events that come before something that a hook may refuse."""

CLAUDE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "agent_run": "Task",
        "file_patch": "Edit",
        "file_read": "Read",
        "file_write": "Write",
        "find_relevant_files": "Grep",
        "list_dir": "LS",
        "shell_exec": "Bash",
        "task_todo_get": "TodoRead",
        "task_todo_set": "TodoWrite",
    }
)
"""Our tools under the names that hooks written for Claude Code look for."""

MODES: Final[Mapping[str, str]] = MappingProxyType(
    {"auto": "auto", "confirm": "default", "plan_only": "plan", "dont_ask": "dontAsk", "bypass": "bypassPermissions"}
)

_INPUT_NAMES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "file_patch": {"file_path": "path", "old_string": "search", "new_string": "replace"},
        "file_read": {"file_path": "path"},
        "file_write": {"file_path": "path"},
        "find_relevant_files": {"pattern": "query"},
    }
)
_SHOWN: Final = 300


@dataclass(frozen=True)
class Answer:
    """What one hook said.

    Attributes:
        deny: why the call is refused; None when it is not.
        ask: why a person should be asked; None when nobody need be.
        updated: arguments to use instead; None leaves them.
        context: something to tell the model.
        stop: why the whole phase should end; None goes on.
        message: something to tell the user.
        problem: what was wrong with the hook itself, "" when nothing.
    """

    deny: str | None = None
    ask: str | None = None
    updated: Mapping[str, Json] | None = None
    context: str = ""
    stop: str | None = None
    message: str = ""
    problem: str = ""


@dataclass(frozen=True)
class About:
    """What a hook is told of the place that it is called from; ids are "" or None where there is none.

    Attributes:
        root: the folder of factory.yaml.
        cwd: the folder that the tools work in.
        attempt: of the phase, from 1.
    """

    root: Path
    cwd: Path
    plan_id: str = ""
    plan: str = ""
    task_id: int | None = None
    task: str = ""
    phase: str = ""
    attempt: int = 0
    run_id: int | None = None
    role: str = ""
    session: str = ""
    mode: str = "auto"
    more: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self, event: str) -> dict[str, Json]:
        """The fields that every event has; who runs the hook puts in the path of the transcript."""
        return {
            "session_id": self.session or self.plan_id,
            "transcript_path": "",
            "cwd": str(self.cwd),
            "permission_mode": MODES.get(self.mode, self.mode),
            "hook_event_name": event,
            "plan_id": self.plan_id,
            "plan": self.plan,
            "task_id": self.task_id,
            "task": self.task,
            "phase": self.phase,
            "attempt": self.attempt,
            "run_id": self.run_id,
            **self.more,
        }


def tool_names(tool: str) -> tuple[str, ...]:
    """The names that a matcher may use for a tool: ours and Claude Code's."""
    other = CLAUDE_NAMES.get(tool)
    return (tool, other) if other else (tool,)


def tool_input(tool: str, arguments: Mapping[str, Json], cwd: Path) -> dict[str, Json]:
    """Our arguments and, beside them, the same under Claude Code's names; its paths are absolute."""
    told = dict(arguments)
    for theirs, ours in _INPUT_NAMES.get(tool, {}).items():
        if ours in arguments:
            value = arguments[ours]
            told[theirs] = str(cwd / value) if theirs == "file_path" and isinstance(value, str) else value
    return told


def updated_arguments(
    tool: str, arguments: Mapping[str, Json], updated: Mapping[str, Json], cwd: Path
) -> dict[str, Json]:
    """The arguments after a hook's ``updatedInput``, in our names or Claude Code's; what it leaves out stays.
    They are validated and permitted again after this."""
    told = tool_input(tool, arguments, cwd)
    theirs = _INPUT_NAMES.get(tool, {})
    result = dict(arguments)
    for name, value in updated.items():
        if name in told and told[name] == value:
            continue
        if name in theirs and name == "file_path" and isinstance(value, str) and Path(value).is_relative_to(cwd):
            value = Path(value).relative_to(cwd).as_posix()  # noqa: PLW2901  # the same path, as our tools take it
        result[theirs.get(name, name)] = value
    return result


def read_answer(event: str, result: CommandResult, timeout_s: float) -> Answer:
    """What the end of a command hook means. Never raises: what cannot be understood is a ``problem``."""
    if result.timed_out:
        return Answer(problem=f"no answer within {timeout_s:g} s; it was ended")
    if result.exit_code == BLOCKED:
        reason = result.errors.strip() or result.output.strip() or "no reason was given"
        return Answer(deny=reason) if event in _REFUSING else Answer(context=reason)
    if result.exit_code != 0:
        last = (result.errors.strip() or result.output.strip() or "no output").splitlines()[-1]
        return Answer(problem=f"exit status {result.exit_code}: {last[:_SHOWN]}")
    if result.truncated_bytes:
        return Answer(problem=f"it printed too much; {result.truncated_bytes} bytes were left out")
    text = result.output.strip()
    if not text.startswith("{"):
        return Answer()  # plain text is for people
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Answer(problem=f"what it printed begins like JSON and is none: {error}")
    return _from_json(event, data)


def _from_json(event: str, data: dict[str, Json]) -> Answer:
    """Wrong types are a problem of the hook, not a reading of it."""
    own = data.get("hookSpecificOutput", {})
    if not isinstance(own, dict):
        return Answer(problem="hookSpecificOutput is no object")
    wrong = [name for name in ("stopReason", "systemMessage", "decision", "reason") if not _is_text(data.get(name))]
    wrong += [
        n for n in ("permissionDecision", "permissionDecisionReason", "additionalContext") if not _is_text(own.get(n))
    ]
    wrong += ["continue"] if not isinstance(data.get("continue", True), bool) else []
    wrong += ["updatedInput"] if not isinstance(own.get("updatedInput", {}), (dict, type(None))) else []
    if wrong:
        return Answer(problem=f"{wrong[0]} is of the wrong type")
    decision = own.get("permissionDecision") or data.get("decision")
    reason = own.get("permissionDecisionReason") or data.get("reason") or "no reason was given"
    known = (None, "allow", "approve", "deny", "block", "ask")
    if decision not in known:
        return Answer(problem=f"the decision {str(decision)[:40]!r} is none of allow, deny, ask, block")
    refused = decision in ("deny", "block")
    context = [own.get("additionalContext") or ""]
    if refused and event not in _REFUSING:
        context.append(reason)
    return Answer(
        deny=reason if refused and event in _REFUSING else None,
        ask=reason if decision == "ask" else None,
        updated=own.get("updatedInput"),
        context="\n".join(part for part in context if part),
        stop=(data.get("stopReason") or reason) if data.get("continue") is False else None,
        message=data.get("systemMessage") or "",
    )


def _is_text(value: Json) -> bool:
    return value is None or isinstance(value, str)
