"""What a phase's body gets (Work) and gives back (Outcome). Bodies never touch Huey and never meet one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lao.config.narrowing import narrowed
from lao.config.settings import ModelSettings, PermissionSettings
from lao.core.chat import Model
from lao.core.errors import BudgetSpent
from lao.core.profile import Profile
from lao.core.states import Role
from lao.core.words import Json
from lao.durable.journal import Journal
from lao.state import budgets, ledger, profiles
from lao.state.records import Claim, Plan, Task
from lao.tools.context import ToolAudit
from lao.tools.permissions.hiding import hidden_by
from lao.workspace.git import Repository
from workflows.calibrate import first_token_limit_s, overlaid
from workflows.factory import Factory
from workflows.held import Watch
from workflows.seats import Seat, SeatedModel

KEPT_S = 3.0
"""The longest that the GPU idles for a conversation that comes back."""

LOOK_S: Final = 1.0
"""So often a phase that waits for its model asks whether the run is still its own."""


@dataclass(frozen=True)
class Outcome:
    """What a body produced.

    Attributes:
        apply: writes it, inside the transaction that ends the run; returns runs that became ready. Gets the time.
        result: kept with the run, for the phases that follow.
        text: one line for the log.
        chain: whether the run that follows in the chain is wanted.
        after: called once the run's end is committed, unless the worker is killed before: somebody else must repeat it.
    """

    apply: Callable[[float], list[int]]
    result: Json = None
    text: str = ""
    chain: bool = True
    after: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Work:
    """One claimed run with everything that its body needs.

    Attributes:
        steps: the run's journal; every model call, command and edit goes through it.
        model_name: what to call the resident model in requests, "" in phases without one.
        context_length: tokens that it really has; None when the server does not tell.
        profile: what calibration found out about it; the same for the whole run.
        seat: the run's use of the GPU; None in phases without a model.
    """

    factory: Factory
    claim: Claim
    plan: Plan
    task: Task | None
    steps: Journal
    model_name: str = ""
    context_length: int | None = None
    profile: Profile | None = None
    seat: Seat | None = None

    @property
    def role(self) -> Role | None:
        """Whose model this run asks; None in phases without one."""
        return self.seat.role if self.seat is not None else None

    @property
    def marker(self) -> str:
        return f"{self.factory.marker(self.claim.run.id)}{self.claim.epoch}"

    @property
    def permissions(self) -> PermissionSettings:
        """What the run's models may do: factory.yaml's, narrowed by the plan's front matter."""
        return narrowed(self.factory.settings.permissions, self.plan.options)

    def hidden(self, root: Path) -> Callable[[str], bool]:
        """Tells of a path in this folder whether a rule forbids to read it, so that no prompt may show it."""
        return hidden_by(self.permissions, root)

    @property
    def the_task(self) -> Task:
        assert self.task is not None, "a phase of a task"
        return self.task

    @property
    def model(self) -> Model:
        """The chat client; asking it takes a slot of the GPU (``off_gpu`` gives it up). A call is hung up when the run
        is cancelled: a server that never answers would hold the worker until its time limit."""
        assert self.role is not None and self.seat is not None, "a phase with a model"
        chat = self.factory.chat
        if self.profile is not None:
            limit = first_token_limit_s(self.factory.settings, self.model_settings(self.role), self.profile)
            chat = self.factory.chat_waiting(limit)
        watched = chat.watched(Watch(self.factory.store, self.claim, LOOK_S).over)
        return SeatedModel(watched, self.seat, self.check_budget)

    def check_budget(self) -> None:
        """Raise BudgetSpent when the plan has used all that its front matter allows."""
        reason = budgets.spent(self.factory.store, self.plan.id)
        if reason:
            again = f"raise it in a new version of the plan, or 'lao retry-failed {self.plan.name}' allows it once more"
            raise BudgetSpent(reason, again)

    def off_gpu(self, expected_s: float | None = None, *, back: bool = False) -> None:
        """Let others generate: what comes now asks no model.

        Args:
            expected_s: how long it will take, if that is known.
            back: whether the model is asked again then. What is soon over is waited for, if that is cheaper than to
                have the server read the prompt again, which another conversation would drive out of its cache.
        """
        if self.seat is None:
            return
        reuses = self.profile is not None and self.profile.cache_reuse is not False
        costs_s = self.seat.reading_again_s(self.profile.prefill_tokens_s) if back and self.profile and reuses else 0.0
        wait_s = min(costs_s, KEPT_S)
        self.seat.leave(0.0 if expected_s is not None and expected_s > wait_s else wait_s)

    @property
    def stopping(self) -> bool:
        return self.factory.stop.is_set()

    def step_id(self, what: str) -> str:
        """The ``LAO-Step`` trailer of a commit: the same on every redo, different for every step."""
        run = self.claim.run
        task = f"{run.task_id}" if run.task_id is not None else "-"
        return f"{run.plan_id}/{task}/{what}/{run.attempt}"

    def repository(self) -> Repository | None:
        """The plan's repository, or None when git is switched off."""
        settings = self.factory.settings
        if not settings.git.enabled:
            return None
        return Repository(
            self.plan.workspace,
            settings=settings.git,
            state_dir=settings.paths.state_dir,
            marker=self.marker,
            baseline_dirty=self.plan.baseline,
        )

    def model_settings(self, role: Role) -> ModelSettings:
        """The role's settings with what its profile knows, the name and the real context of the resident instance."""
        settings = overlaid(self.factory.settings, role, self.profile)
        context = min(settings.context_length, self.context_length or settings.context_length)
        return replace(settings, key=self.model_name or settings.key, context_length=context)

    def note_rung(self, role: Role, rung: str) -> None:
        """Remember in the profile of the role's model, if it has one, the rung that worked (``lao.core.profile``)."""
        settings = self.factory.settings
        profiles.note_rung(self.factory.store, settings.server.base_url, settings.models[role].key, rung)

    def audit(self, call: ToolAudit) -> None:
        """Keep a tool call of this run."""
        entry = ledger.AuditEntry(
            call.tool, dict(call.arguments), call.granted, call.reason, call.ok, round(call.seconds, 3), call.isolation
        )
        ledger.add_audit(self.factory.store, self.claim.run.id, entry)
