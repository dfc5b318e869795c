"""The Pilot's own tools, as a model reads them, and which of all its tools a question needs. Does none of them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from lao.core.steps import Effect, StepKind
from lao.core.tool_names import PILOT_ACTING, PILOT_READING
from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult
from lao.tools.registry import Tool

Run = Callable[[Mapping[str, Json]], ToolResult]
MakeEdit = Callable[[Mapping[str, Json]], Effect]

_GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        r"\b(?:plan|creat|mak|writ|build|implement|add\b|feature|spec|want|need|generat|develop|file (?:it|that))",
        ("create_plan", "plan_preflight", "edit_plan"),
    ),
    (
        r"retry|again|resum|continu|go on|paus|stop|halt|cancel|abort|kill|restart|give up|hold",
        ("retry_failed", "pause_pipeline", "resume_pipeline", "cancel_plan"),
    ),
    (
        r"fail|wrong|error|why|broke|broken|problem|stuck|reason|explain|happen|reject|red\b",
        ("explain_failure", "gate_summary"),
    ),
    (
        r"status|progress|how far|how many|done|finish|queue|running|going|state|plans?\b|tasks?\b|doing|left|yet",
        ("pipeline_status", "project_status", "gate_summary"),
    ),
    (
        r"read|show|open|look|search|find|where|file|folder|director|code\b|function|class|contain|[\w/]+\.\w{1,5}\b",
        ("file_read", "find_relevant_files", "list_dir"),
    ),
    (r"\brun\b|command|shell|execut|terminal|test", ("shell_exec",)),
    (r"chang|edit|fix|replac|patch|append|remov|delet|renam|save", ("file_read", "file_patch", "file_write")),
)
"""Words of a question, and the tools that it may need."""

_ALWAYS: Final = ("pipeline_status", "explain_failure", "file_read", "list_dir")
_MOST: Final = 8
"""Small models choose badly among many tools."""


def wanted_by(question: str, earlier: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the tools to offer for a question, the likeliest first; at most eight.

    Args:
        earlier: names that the turn before used: "do it" means one of them, or of their kind.
    """
    asked = question.lower()
    before = set(earlier)
    groups = [names for words, names in _GROUPS if re.search(words, asked)]
    groups += [names for _, names in _GROUPS if before & set(names)]
    firsts = [names[0] for names in groups]
    rest = [name for names in groups for name in names[1:]]
    return tuple(dict.fromkeys((*firsts, *rest, *_ALWAYS)))[:_MOST]


def pilot_tools(run: Mapping[str, Run], edit: Mapping[str, MakeEdit]) -> tuple[Tool, ...]:
    """The Pilot's own tools with what they do.

    Those that act are never repeated after a crash: what they did before, a person may have undone since.

    Raises:
        KeyError: one is missing.
    """
    found = []
    for name in sorted(PILOT_READING | PILOT_ACTING):
        description, parameters = _texts(name)
        if name in edit:
            found.append(Tool(name, StepKind.EDIT, description, parameters, edit=_without_context(edit[name])))
            continue
        kind = StepKind.READ if name in PILOT_READING else StepKind.UNKNOWN
        found.append(Tool(name, kind, description, parameters, run=_run_without_context(run[name])))
    return tuple(found)


def _run_without_context(run: Run) -> Callable[[ToolContext, Mapping[str, Json]], ToolResult]:
    return lambda _context, arguments: run(arguments)


def _without_context(edit: MakeEdit) -> Callable[[ToolContext, Mapping[str, Json]], Effect]:
    return lambda _context, arguments: edit(arguments)


@functools.cache
def _texts(name: str) -> tuple[str, Mapping[str, Json]]:
    folder = resources.files("lao.tools.pilot")
    description = folder.joinpath(f"{name}.md").read_text(encoding="utf-8").strip()
    return description, MappingProxyType(json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8")))
