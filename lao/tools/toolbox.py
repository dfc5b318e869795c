"""The one dispatcher: name → arguments → permission → hooks → journal step → audit → bounded result. Knows no tool."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lao.config.settings import PermissionSettings
from lao.core.errors import BadInput, LaoError, Refused
from lao.core.steps import Effect, OutcomeUnknown, StepKind, Steps
from lao.core.words import Json
from lao.tools.arguments import fit, resolve_name
from lao.tools.asking import Asker, Nobody
from lao.tools.context import ToolAudit, ToolContext, ToolHooks, ToolResult, failure
from lao.tools.gate import Gate
from lao.tools.permissions.hiding import hidden_by
from lao.tools.permissions.policy import Policy
from lao.tools.planning import PlanMode
from lao.tools.registry import Tool, all_tools
from lao.tools.seen import Seen

UNKNOWN_OUTCOME = "interrupted, outcome unknown: check the state before running it again"


class Toolbox:
    """The tools that one role may use in one task.

    ``gate`` judges its calls; a tool that is built around a toolbox is judged by the same one.

    Every call, also a refused one, takes exactly one step of the journal, so that a resumed run counts the same.

    Args:
        names: which of LAO's own tools; unknown names are a programming error (KeyError). A tool that a rule denies
            altogether is not offered.
        policy: mode and rules; None: mode auto without rules, so that the built-in denials hold.
        more: further tools, as an MCP server has them.
        asker: who is asked where the policy says so; None: nobody, which is a no.
        hooks: asked about what is permitted and told of what was done, each in a step of its own; what they change is
            validated and permitted again.
        planning: the run begins in plan mode.
    """

    def __init__(
        self,
        context: ToolContext,
        names: Iterable[str],
        policy: Policy | None = None,
        *,
        more: Sequence[Tool] = (),
        asker: Asker | None = None,
        hooks: ToolHooks | None = None,
        planning: bool = False,
    ) -> None:
        judging = policy or Policy(PermissionSettings(), context.root)
        self._context = replace(context, hidden=hidden_by(judging.settings, context.root))
        self.gate = Gate(judging, asker or Nobody(), hooks, context.skills, PlanMode(planning))
        found = {tool.name: tool for tool in (*(all_tools()[name] for name in set(names)), *more)}
        shown = (found[name] for name in sorted(found) if not judging.hides(name))
        self._tools = {tool.name: tool.said_in(context) for tool in shown}

    @property
    def names(self) -> tuple[str, ...]:
        """Alphabetical."""
        return tuple(self._tools)

    def begin(self, whole: Iterable[str] = (), partly: Iterable[str] = ()) -> None:
        """A new attempt: an existing file may be changed when it is named here, or was read or written since."""
        self._context = replace(self._context, seen=Seen(self._context.root, whole, partly))
        if self._context.skills is not None:
            self._context.skills.begin()

    def schema(self, name: str) -> dict[str, Json]:
        """JSON Schema of the tool's arguments, without examples."""
        return {k: v for k, v in self._tools[name].parameters.items() if k != "examples"}

    def openai_specs(self) -> tuple[dict[str, Json], ...]:
        """The ``tools`` of a chat request; the same bytes every time."""
        return tuple(
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": self.schema(t.name)},
            }
            for t in self._tools.values()
        )

    def call(self, name: str, arguments: Json, steps: Steps, label: str) -> ToolResult:
        """Run one call of a model. Whatever goes wrong is told in the result.

        Args:
            arguments: the decoded object, or the raw text when it could not be decoded, or None.
            label: of the step, stable over a resume.

        Raises:
            Interrupted: the worker is stopping.
            Transient: the world is not ready (disk full); nothing was done.
        """
        shown: dict[str, Json] = dict(arguments) if isinstance(arguments, Mapping) else {"raw": arguments}
        try:
            tool = self._tools[resolve_name(name, self._tools)]
            shown = fit(tool.name, tool.parameters, arguments)
            shown, reason = self.gate.judge(tool.name, tool.parameters, shown, steps, label)
        except BadInput as exc:
            return self._refuse(steps, label, name, shown, str(exc))
        if reason is not None:
            return self._refuse(steps, label, tool.name, shown, f"not allowed: {reason}")
        result = self._run(tool, shown, steps, label)
        self.gate.plan_mode.note(tool.name, result)
        if self._context.seen is not None:
            self._context.seen.note(tool.name, shown, result)
        if self._context.skills is not None:
            self._context.skills.note(tool.name, shown, ok=result.ok)
        added = self.gate.told(tool.name, shown, result, steps, label)
        return replace(result, text=f"{result.text}\n{added}") if added else result

    def _refuse(self, steps: Steps, label: str, name: str, arguments: dict[str, Json], reason: str) -> ToolResult:
        def tell() -> Json:
            self._context.audit(ToolAudit(name[:80], arguments, False, reason, False, 0.0))
            return failure(reason).to_json()

        return ToolResult.from_json(steps.run(StepKind.READ, label, tell))

    def _run(self, tool: Tool, arguments: dict[str, Json], steps: Steps, label: str) -> ToolResult:
        if tool.edit is not None:
            effect = _AuditedEdit(self._context, tool.name, arguments, tool.edit(self._context, arguments))
            return ToolResult.from_json(steps.effect(label, effect))

        def run() -> Json:
            started = time.monotonic()
            assert tool.run is not None
            try:
                result = tool.run(self._context, arguments)
            except (BadInput, Refused, OSError) as exc:
                result = failure(_for_the_model(exc))
            return _finish(self._context, tool.name, arguments, result, started)

        try:
            return ToolResult.from_json(steps.run(tool.kind, label, run))
        except OutcomeUnknown:
            self._context.audit(ToolAudit(tool.name, arguments, True, UNKNOWN_OUTCOME, False, 0.0))
            return failure(UNKNOWN_OUTCOME)


@dataclass(frozen=True)
class _AuditedEdit:
    """An edit with its audit line; the line is written when the edit is done, not when it is replayed."""

    context: ToolContext
    tool: str
    arguments: dict[str, Json]
    inner: Effect

    def prepare(self) -> Json:
        try:
            return self.inner.prepare()
        except (BadInput, Refused, OSError) as exc:
            return {"refused": _for_the_model(exc)}

    def apply(self, intent: Json) -> Json:
        started = time.monotonic()
        if "refused" in intent:
            result = failure(intent["refused"])
        else:
            try:
                result = ToolResult.from_json(self.inner.apply(intent))
            except (BadInput, Refused, OSError) as exc:
                result = failure(_for_the_model(exc))
        return _finish(self.context, self.tool, self.arguments, result, started)

    def probe(self, intent: Json) -> Json | None:
        if "refused" in intent:
            return None
        done = self.inner.probe(intent)
        if done is None:
            return None
        return _finish(self.context, self.tool, self.arguments, ToolResult.from_json(done), time.monotonic())


def _for_the_model(exc: LaoError | OSError) -> str:
    """What the model is told of an error. A disk that fails is nothing that it could do about: the phase ends."""
    if isinstance(exc, OSError) and exc.errno == errno.EIO:
        raise exc
    if isinstance(exc, LaoError):
        return str(exc)
    return f"the system refused: {exc.strerror or exc}"


def _finish(
    context: ToolContext, tool: str, arguments: dict[str, Json], result: ToolResult, started: float
) -> dict[str, Json]:
    seconds = round(time.monotonic() - started, 3)
    text = _bounded(context, result.text)
    reason = "" if result.ok else text[:500]
    context.audit(ToolAudit(tool, arguments, True, reason, result.ok, seconds, result.isolation))
    return ToolResult(text, result.ok, result.changed).to_json()


def _bounded(context: ToolContext, text: str) -> str:
    """The text within the limit of a result: its head and its tail, and how much there was."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate would break the journal
    if len(text) > context.result_limit:
        half = context.result_limit // 2
        gap = f"[… {len(text) - 2 * half} of {len(text)} characters left out …]"
        text = f"{text[:half]}\n{gap}\n{text[-half:]}"
    return text
