"""What ``lao mcp-server`` offers other agents: plans in, how they go, reading in their folders. Speaks no MCP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from lao.config.narrowing import narrowed
from lao.core.errors import BadInput, LaoError, Refused
from lao.core.steps import DirectSteps
from lao.core.words import Json
from lao.durable.files import write_atomic
from lao.memory.book import SCOPES
from lao.state import ledger, plans, queries, references
from lao.state.records import Plan
from lao.tools.arguments import fit
from lao.tools.context import ToolAudit, ToolContext, ToolResult, failure
from lao.tools.permissions.policy import Policy
from lao.tools.registry import all_tools
from lao.tools.toolbox import Toolbox
from workflows import guidance
from workflows.factory import Factory
from workflows.submission import submit_file
from workflows.wake import wake

READING: Final = ("file_read", "find_relevant_files", "list_dir")
"""Tools of the coder that are offered as they are, with the plan in whose folder they look."""

MEMORY: Final = "memory"
_ACTIONS: Final = {
    "read": ("memory_read", ()),
    "append": ("memory_append", ("fact",)),
    "forget": ("memory_forget", ("fact_substring",)),
}
"""What the tool ``memory`` can do: the model's tool for it, and what that calls ``fact``."""

_AUDITED: Final = frozenset({*READING, MEMORY})
"""Tools whose calls the dispatcher has put into the audit, when it comes to that."""

_PLAN: Final = {"type": "string", "description": "id, name or file of the plan; see plan_status"}


@dataclass(frozen=True)
class ServedTool:
    """One tool.

    Attributes:
        parameters: JSON Schema of an object.
        reads: whether it changes nothing.
        run: gets the valid arguments.
        destroys: whether it can take something away.
    """

    name: str
    description: str
    parameters: Mapping[str, Json]
    reads: bool
    run: Callable[[dict[str, Json]], ToolResult]
    destroys: bool = False


class ServedTools:
    """The tools over one opened project. Every call is in the audit, also one that was refused."""

    def __init__(self, factory: Factory) -> None:
        self._factory, self._store = factory, factory.store
        text = {"type": "string", "description": "the plan, as Markdown"}
        name = {"type": "string", "description": "the plan's name, which becomes its folder, for example 'shop'"}
        task = {"type": "integer", "description": "number of one task"}
        own = (
            self._tool("submit_plan", "Hand in a plan; LAO's workers take it up.", self._submit, name=name, plan=text),
            self._tool(
                "plan_status", "State of a plan and its tasks, or of all plans.", self._status, True, plan=_PLAN
            ),
            self._tool("list_findings", "What checks and reviews found.", self._findings, True, plan=_PLAN, task=task),
            self._tool(
                "retry_failed",
                "Give failed and parked tasks of a plan, or of all, new attempts.",
                self._retry,
                plan=_PLAN,
            ),
            self._memory(),
        )
        self.tools: Mapping[str, ServedTool] = {tool.name: tool for tool in (*own, *map(self._reading, READING))}

    def call(self, name: str, arguments: Json) -> ToolResult:
        """Run one call. What is wrong with it, and what LAO refuses, is told in the result.

        Raises:
            sqlite3.Error, peewee.PeeweeException: the state cannot be used (``lao.state.store.explain``).
        """
        tool = self.tools.get(name)
        shown: dict[str, Json] = dict(arguments) if isinstance(arguments, Mapping) else {"raw": arguments}
        if tool is None:
            return self._told(name[:80], shown, failure(f"there is no tool {name[:80]!r}"), granted=False)
        if name in READING:
            return self._guarded(name, shown, lambda: tool.run(shown))
        return self._guarded(name, shown, lambda: tool.run(fit(name, tool.parameters, arguments)))

    def _guarded(self, name: str, shown: dict[str, Json], run: Callable[[], ToolResult]) -> ToolResult:
        started = time.monotonic()
        try:
            result = run()
        except LaoError as error:
            refused = isinstance(error, (BadInput, Refused))
            return self._told(name, shown, failure(str(error)), granted=not refused, since=started)
        return result if name in _AUDITED else self._told(name, shown, result, since=started)

    def _told(
        self, name: str, shown: dict[str, Json], result: ToolResult, *, granted: bool = True, since: float | None = None
    ) -> ToolResult:
        seconds = round(time.monotonic() - since, 3) if since is not None else 0.0
        self._audit(ToolAudit(name, shown, granted, "" if result.ok else result.text[:500], result.ok, seconds))
        return result

    def _audit(self, call: ToolAudit) -> None:
        entry = ledger.AuditEntry(call.tool, dict(call.arguments), call.granted, call.reason, call.ok, call.seconds)
        ledger.add_audit(self._store, None, entry)

    def _tool(
        self,
        tool: str,
        description: str,
        run: Callable[[dict[str, Json]], ToolResult],
        reads: bool = False,
        /,
        **properties: Json,
    ) -> ServedTool:
        required = list(properties) if tool == "submit_plan" else []
        schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        return ServedTool(tool, description, schema, reads, run)

    def _reading(self, name: str) -> ServedTool:
        tool = all_tools()[name]
        given = {key: value for key, value in tool.parameters.items() if key != "examples"}
        parameters = {
            **given,
            "properties": {"plan": _PLAN, **given["properties"]},
            "required": ["plan", *given.get("required", ())],
        }
        return ServedTool(name, tool.description, parameters, True, lambda arguments: self._read(name, arguments))

    def _read(self, name: str, arguments: dict[str, Json]) -> ToolResult:
        """A tool of the coder in a plan's folder, by the dispatcher: its rules, path guard, limits and audit."""
        wanted = arguments.get("plan")
        if not isinstance(wanted, str) or not wanted:
            raise BadInput(f"{name} needs the plan in whose folder it looks", "plan_status lists the plans")
        plan = self._plan(wanted)
        if not plan.workspace.is_dir():
            raise BadInput(f"plan {plan.name!r} has no folder yet", "it is made when the plan is taken up")
        context = ToolContext(plan.workspace, self._factory.marker(0), ledger.TaskTodos(self._store, 0), self._audit)
        rest = {key: value for key, value in arguments.items() if key != "plan"}
        policy = Policy(narrowed(self._factory.settings.permissions, plan.options), plan.workspace)
        return Toolbox(context, READING, policy).call(name, rest, DirectSteps(), name)

    def _memory(self) -> ServedTool:
        said = "read: nothing; append: one sentence; forget: a part of one fact"
        schema = {
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": list(_ACTIONS)},
                "fact": {"type": "string", "description": said},
                "scope": {"type": "string", "enum": list(SCOPES), "description": "project when left out"},
            },
            "required": ["action"],
            "additionalProperties": False,
        }
        what = "Read, add to, or take from what is remembered for later tasks. No secrets."
        return ServedTool(MEMORY, what, schema, False, self._remember, destroys=True)

    def _remember(self, arguments: dict[str, Json]) -> ToolResult:
        """A memory tool of the models by the dispatcher: the same rules of the project, refusals and audit."""
        settings = self._factory.settings
        name, takes = _ACTIONS[arguments["action"]]
        if takes and "fact" not in arguments:
            raise BadInput(f"memory cannot {arguments['action']} without a fact", "give 'fact' as text")
        book = guidance.book(settings, self._store, origin="model") if settings.memory.enabled else None
        root = settings.paths.root
        todos = ledger.TaskTodos(self._store, 0)
        context = ToolContext(root, self._factory.marker(0), todos, self._audit, memory=book)
        rest = dict.fromkeys(takes, arguments.get("fact"))
        if takes and "scope" in arguments:
            rest["scope"] = arguments["scope"]
        return Toolbox(context, (name,), Policy(settings.permissions, root)).call(name, rest, DirectSteps(), name)

    def _plan(self, reference: str) -> Plan:
        return references.find_plan(self._store, reference)

    def _submit(self, arguments: dict[str, Json]) -> ToolResult:
        name = arguments["name"].removesuffix(".md")
        path = self._factory.settings.paths.plans / f"{name}.md"
        if not name or "/" in name or "\\" in name or "\0" in name or name.startswith("."):
            raise BadInput(f"a plan cannot be called {name[:80]!r}", "give a plain name, for example 'shop'")
        new = not path.exists()
        if not new and plans.normalise(path.read_text(encoding="utf-8", errors="replace")) != plans.normalise(
            arguments["plan"]
        ):
            raise Refused(f"there is a plan file {path.name!r} with another text", "choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            write_atomic(path, arguments["plan"])
        try:
            submission = submit_file(self._factory, path)
        except LaoError:
            if new:
                with suppress(FileNotFoundError):
                    path.unlink()
            raise
        return _json({"plan": submission.plan.id, "created": submission.created, "state": submission.plan.state.value})

    def _status(self, arguments: dict[str, Json]) -> ToolResult:
        wanted = self._plan(arguments["plan"]).id if arguments.get("plan") else None
        found = [plan for plan in queries.plans_view(self._store) if wanted in (None, plan["id"])]
        keys = ("id", "title", "state", "attempts", "reason", "files", "commit", "evidence")
        tasks = [{key: task[key] for key in keys} for task in queries.tasks_view(self._store, wanted)] if wanted else []
        return _json({"plans": found, **({"tasks": tasks} if wanted else {})})

    def _findings(self, arguments: dict[str, Json]) -> ToolResult:
        plan = self._plan(arguments["plan"]).id if arguments.get("plan") else None
        found = ledger.findings_of(self._store, plan_id=plan, task_id=arguments.get("task"))
        return _json({"findings": [asdict(finding) for finding in found[-_MOST_FINDINGS:]], "all": len(found)})

    def _retry(self, arguments: dict[str, Json]) -> ToolResult:
        plan = self._plan(arguments["plan"]).id if arguments.get("plan") else None
        count, ready = plans.retry(self._store, plan)
        for run_id in ready:
            wake(self._store, run_id)
        return _json({"retried": count})


_MOST_FINDINGS: Final = 100


def _json(data: Any) -> ToolResult:
    return ToolResult(json.dumps(data, ensure_ascii=False, default=str))
