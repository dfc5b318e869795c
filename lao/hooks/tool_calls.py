"""The hooks around the tool calls of one run (the ``ToolHooks`` of ``lao.tools.toolbox``). Records nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol

from lao.core.asking import AskFirst
from lao.core.words import Json
from lao.hooks import contract
from lao.hooks.contract import POST_FAILURE, POST_TOOL, PRE_TOOL, About
from lao.hooks.project import Means, ProjectHooks, end_if_told

CONTEXT_LIMIT: Final = 4_000
"""Characters of what the hooks of one call may tell the model."""


NO_REASON: Final = "no reason was given"


class Result(Protocol):
    """What a tool did (``lao.tools.context.ToolResult``)."""

    @property
    def text(self) -> str: ...

    @property
    def ok(self) -> bool: ...

    @property
    def changed(self) -> tuple[str, ...]: ...


class ToolCallHooks:
    """Asks and tells the hooks of a project about the tool calls of one run."""

    def __init__(self, project: ProjectHooks, about: About, means: Means) -> None:
        self._project, self._about, self._means = project, about, means
        self._context: dict[str, str] = {}

    def before(self, name: str, arguments: Mapping[str, Json]) -> str | dict[str, Json] | AskFirst | None:
        """Ask about a call that the permissions allow.

        Returns a reason to refuse it, None to go on, other arguments, or that a person must say yes first. The first
        refusal ends the asking and wins over a wish to ask. A hook that allows changes nothing: what LAO refuses stays
        refused.

        Raises:
            Interrupted: the worker is stopping.
            NeedsHuman: a hook ends the whole phase.
        """
        now = dict(arguments)
        said, refused = self._project.call("pre_tool", self._means, name, dict(now), self._about)
        reason = refused or _refusal(said)
        if reason:
            return reason
        if isinstance(said, dict) and isinstance(said.get("arguments"), dict):
            now = said["arguments"]
        wishes = [str(said["ask"] or NO_REASON)] if isinstance(said, dict) and "ask" in said else []
        told: list[str] = []
        for answer in self._ask(PRE_TOOL, name, now):
            if answer.updated is not None:
                now = contract.updated_arguments(name, now, answer.updated, self._about.cwd)
            told.append(answer.context)
            if answer.deny is not None:
                return f"a hook refused it: {answer.deny}"
            wishes += [answer.ask] if answer.ask is not None else []
        if any(told):
            self._context[_id(self._about, name, now)] = "\n".join(t for t in told if t)
        changed = now if now != dict(arguments) else None
        return AskFirst("; ".join(wishes), changed) if wishes else changed

    def after(self, name: str, arguments: Mapping[str, Json], result: Result) -> str:
        """Tell about a call that is over; what the model is to read besides the result.

        Raises:
            Interrupted: the worker is stopping.
            NeedsHuman: a hook ends the whole phase.
        """
        told = [self._context.pop(_id(self._about, name, arguments), "")]
        response = {"text": result.text, "ok": result.ok, "changed": list(result.changed)}
        said, _ = self._project.call("post_tool", self._means, name, dict(arguments), dict(response), self._about)
        told.append(said if isinstance(said, str) else "")
        event = POST_TOOL if result.ok else POST_FAILURE
        told += [answer.context for answer in self._ask(event, name, arguments, tool_response=response)]
        return "\n".join(t for t in told if t)[:CONTEXT_LIMIT]

    def _ask(self, event: str, name: str, arguments: Mapping[str, Json], **more: Json) -> Any:
        now = dict(arguments)
        for hook in self._project.commands:
            if hook.event != event or not hook.matches(contract.tool_names(name)):
                continue
            answer = self._project.run(hook, self._told(event, name, now, more), self._means)
            end_if_told(answer, hook.command)
            if event == PRE_TOOL and answer.updated is not None:
                now = contract.updated_arguments(name, now, answer.updated, self._about.cwd)
            yield answer

    def _told(self, event: str, name: str, arguments: Mapping[str, Json], more: Mapping[str, Json]) -> dict[str, Json]:
        return {
            **self._about.to_json(event),
            "tool_name": contract.CLAUDE_NAMES.get(name, name),
            "lao_tool_name": name,
            "tool_input": contract.tool_input(name, arguments, self._about.cwd),
            "tool_use_id": _id(self._about, name, arguments),
            **more,
        }


def _refusal(said: Json) -> str:
    """The reason in what pre_tool or pre_phase returned, "" when it goes on."""
    if isinstance(said, dict) and "deny" in said:
        return f"hooks.py refused it: {said['deny'] or NO_REASON}"
    return f"hooks.py refused it: {said}" if isinstance(said, str) and said else ""


def phase_refusal(project: ProjectHooks, about: About, means: Means) -> str:
    """Ask pre_phase of hooks.py; why the phase may not run, "" when it may."""
    said, refused = project.call("pre_phase", means, about.phase, about)
    return refused or _refusal(said)


def phase_over(project: ProjectHooks, about: About, means: Means, outcome: Mapping[str, Json]) -> None:
    """Tell post_phase of hooks.py: ``outcome`` has ``state`` (done or failed) and ``text``."""
    project.call("post_phase", means, about.phase, dict(outcome), about)


def _id(about: About, name: str, arguments: Mapping[str, Json]) -> str:
    """The same for one call before and after it, and when it is made again."""
    text = json.dumps([asdict(about), name, arguments], sort_keys=True, default=str)
    return f"toolu_{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"
