"""Whether one valid call may run: the open skill, the policy, a person where it says so, the hooks. Runs no tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lao.core.asking import AskFirst
from lao.core.steps import StepKind, Steps
from lao.core.words import Json
from lao.skills.shelf import Shelf
from lao.tools.arguments import fit
from lao.tools.asking import Asker, Question
from lao.tools.context import ToolHooks, ToolResult
from lao.tools.permissions.decision import Verdict
from lao.tools.permissions.policy import Policy
from lao.tools.planning import PlanMode


@dataclass(frozen=True)
class Gate:
    """What stands between a model's calls and the tools, in one run.

    Attributes:
        skills: the skills on offer; an open one may take tools away. None where there are none.
        plan_mode: follows the results of the run.
    """

    policy: Policy
    asker: Asker
    hooks: ToolHooks | None = None
    skills: Shelf | None = None
    plan_mode: PlanMode = field(default_factory=PlanMode)

    def judge(
        self, tool: str, parameters: Mapping[str, Json], arguments: dict[str, Json], steps: Steps, label: str
    ) -> tuple[dict[str, Json], str | None]:
        """The arguments to run the call with, and why it may not run (None: it may).

        Hooks are asked in a step of their own, so once for each call, resumed or not; what they change is fitted and
        permitted again, and where they want a person asked, the asker is.

        Args:
            parameters: JSON Schema of the arguments, which ``arguments`` fit.
            label: of the call's step.

        Raises:
            BadInput: what a hook made of the arguments does not fit.
            Interrupted: the worker is stopping.
        """
        reason = self._not_allowed(tool, arguments, label)
        if reason is not None or self.hooks is None:
            return arguments, reason
        hooks = self.hooks

        def ask() -> Json:
            said = hooks.before(tool, arguments)
            return said.to_json() if isinstance(said, AskFirst) else said

        said = steps.run(StepKind.READ, f"{label}:before", ask)
        if isinstance(said, dict):
            changed = fit(tool, parameters, said)
            return changed, self._not_allowed(tool, changed, label)
        if isinstance(said, list):
            return self._asked_by_hook(tool, parameters, arguments, AskFirst.from_json(said), label)
        return arguments, said

    def told(self, tool: str, arguments: Mapping[str, Json], result: ToolResult, steps: Steps, label: str) -> str:
        """What the hooks add to the result of a call that was run; "" without hooks. A step of its own."""
        if self.hooks is None:
            return ""
        hooks = self.hooks
        return str(steps.run(StepKind.READ, f"{label}:after", lambda: hooks.after(tool, arguments, result)))

    def _asked_by_hook(
        self, tool: str, parameters: Mapping[str, Json], arguments: dict[str, Json], said: AskFirst, label: str
    ) -> tuple[dict[str, Json], str | None]:
        if said.arguments is not None:
            arguments = fit(tool, parameters, said.arguments)
            if (reason := self._not_allowed(tool, arguments, label)) is not None:
                return arguments, reason
        why = f"a hook wants a person to be asked: {said.reason}"
        if self.policy.settings.mode == "dont_ask":
            return arguments, f"{why}; in mode dont_ask nobody is asked, so it is refused"
        answer = self.asker.ask(Question(label, tool, arguments, why))
        return arguments, None if answer.granted else f"{why}; {answer.reason}"

    def _not_allowed(self, tool: str, arguments: dict[str, Json], label: str) -> str | None:
        """Why the call may not run, after a person was asked where one has to be; None: it may."""
        planning = self.plan_mode.on
        if self.skills is not None and (narrowed := self.skills.refusal(tool, arguments)) is not None:
            return narrowed
        decision = self.policy.decide(tool, arguments, planning=planning)
        if decision.verdict is Verdict.ASK:
            decision = self.policy.with_rules(self.asker.always()).decide(tool, arguments, planning=planning)
        if decision.verdict is Verdict.ASK:
            answer = self.asker.ask(Question(label, tool, arguments, decision.reason, decision.remember))
            return None if answer.granted else f"{decision.reason}; {answer.reason}"
        return decision.reason if decision.verdict is Verdict.DENY else None
