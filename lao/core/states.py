"""States, phases and roles as enums, and the one table of legal moves. Printed into docs/architecture.md."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final


class Role(str, Enum):
    """Who a model call is made for; the keys of ``models`` in factory.yaml."""

    PLANNER = "planner"
    CODER = "coder"
    REVIEWER = "reviewer"
    PILOT = "pilot"
    ANALYST = "analyst"
    EMBEDDER = "embedder"


class Queue(str, Enum):
    """The two Huey queues."""

    CPU = "cpu"
    GPU = "gpu"


class Phase(str, Enum):
    """The phases of the pipeline; each is one Huey task."""

    INGEST = "ingest"
    SURVEY = "survey"
    PLAN = "plan"
    CODE = "code"
    VERIFY = "verify"
    REVIEW = "review"
    WHOLE = "whole"
    CLOSE = "close"
    PILOT = "pilot"


class PlanState(str, Enum):
    """Where a plan stands."""

    QUEUED = "queued"
    PLANNING = "planning"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_HUMAN = "needs_human"
    CANCELLED = "cancelled"


class TaskState(str, Enum):
    """Where a task stands."""

    WAITING = "waiting"
    READY = "ready"
    CODING = "coding"
    VERIFYING = "verifying"
    REVIEWING = "reviewing"
    COMPLETED = "completed"
    FAILED = "failed"
    NEEDS_HUMAN = "needs_human"
    CANCELLED = "cancelled"


class TurnState(str, Enum):
    """Where a turn of a conversation with the Pilot stands; it goes down this list and never back."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class RunState(str, Enum):
    """Where one run of a phase stands."""

    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


PHASE_QUEUE: Final = MappingProxyType(
    {
        Phase.INGEST: Queue.CPU,
        Phase.SURVEY: Queue.GPU,
        Phase.PLAN: Queue.GPU,
        Phase.CODE: Queue.GPU,
        Phase.VERIFY: Queue.CPU,
        Phase.REVIEW: Queue.GPU,
        Phase.WHOLE: Queue.CPU,
        Phase.CLOSE: Queue.CPU,
        Phase.PILOT: Queue.GPU,
    }
)

PHASE_ROLE: Final = MappingProxyType(
    {
        Phase.SURVEY: Role.ANALYST,
        Phase.PLAN: Role.PLANNER,
        Phase.CODE: Role.CODER,
        Phase.REVIEW: Role.REVIEWER,
        Phase.PILOT: Role.PILOT,
    }
)

PIPELINE_ROLES: Final = (Role.PLANNER, Role.CODER, Role.REVIEWER)
"""Those without which no plan gets done."""

PILOT_PLAN: Final = "pilot"
"""The plan that turns of the Pilot belong to, since every run has one. Nothing that lists plans shows it."""

TURN_OVER: Final = frozenset({TurnState.DONE, TurnState.FAILED, TurnState.INTERRUPTED})

FEEDS: Final = MappingProxyType({Phase.INGEST: (Phase.SURVEY, Phase.PLAN), Phase.VERIFY: (Phase.CODE, Phase.REVIEW)})
"""Which phases with a model may become ready when a phase without one ends."""

TERMINAL_TASKS: Final = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.NEEDS_HUMAN, TaskState.CANCELLED})
TERMINAL_PLANS: Final = frozenset({PlanState.COMPLETED, PlanState.FAILED, PlanState.NEEDS_HUMAN, PlanState.CANCELLED})
ACTIVE_TASKS: Final = frozenset({TaskState.READY, TaskState.CODING, TaskState.VERIFYING, TaskState.REVIEWING})

_END_TASK = frozenset({TaskState.FAILED, TaskState.NEEDS_HUMAN, TaskState.CANCELLED})
_END_PLAN = frozenset({PlanState.FAILED, PlanState.NEEDS_HUMAN, PlanState.CANCELLED})

PLAN_MOVES: Final = MappingProxyType(
    {
        PlanState.QUEUED: frozenset({PlanState.PLANNING}) | _END_PLAN,
        PlanState.PLANNING: frozenset({PlanState.ACTIVE}) | _END_PLAN,
        PlanState.ACTIVE: frozenset({PlanState.COMPLETED}) | _END_PLAN,
        PlanState.COMPLETED: frozenset({PlanState.ACTIVE}),
        PlanState.FAILED: frozenset({PlanState.QUEUED, PlanState.PLANNING, PlanState.ACTIVE, PlanState.CANCELLED}),
        PlanState.NEEDS_HUMAN: frozenset({PlanState.QUEUED, PlanState.PLANNING, PlanState.ACTIVE, PlanState.CANCELLED}),
        PlanState.CANCELLED: frozenset({PlanState.QUEUED, PlanState.ACTIVE}),
    }
)

TASK_MOVES: Final = MappingProxyType(
    {
        TaskState.WAITING: frozenset({TaskState.READY}) | _END_TASK,
        TaskState.READY: frozenset({TaskState.CODING, TaskState.VERIFYING, TaskState.WAITING}) | _END_TASK,
        TaskState.CODING: frozenset({TaskState.VERIFYING, TaskState.READY, TaskState.WAITING}) | _END_TASK,
        TaskState.VERIFYING: frozenset({TaskState.REVIEWING, TaskState.READY, TaskState.WAITING, TaskState.COMPLETED})
        | _END_TASK,
        TaskState.REVIEWING: frozenset({TaskState.COMPLETED, TaskState.READY, TaskState.WAITING}) | _END_TASK,
        TaskState.COMPLETED: frozenset({TaskState.WAITING}),
        TaskState.FAILED: frozenset({TaskState.WAITING, TaskState.READY}),
        TaskState.NEEDS_HUMAN: frozenset({TaskState.WAITING, TaskState.READY}),
        TaskState.CANCELLED: frozenset({TaskState.WAITING, TaskState.READY}),
    }
)

RUN_MOVES: Final = MappingProxyType(
    {
        RunState.BLOCKED: frozenset({RunState.READY, RunState.SKIPPED}),
        RunState.READY: frozenset({RunState.RUNNING, RunState.SKIPPED}),
        RunState.RUNNING: frozenset({RunState.DONE, RunState.FAILED, RunState.READY, RunState.SKIPPED}),
        RunState.DONE: frozenset(),
        RunState.FAILED: frozenset(),
        RunState.SKIPPED: frozenset(),
    }
)
