"""The pipeline's phases as Huey tasks, and the memory gate as the gpu queue's pre-execute hook."""

from __future__ import annotations

import logging
from typing import Any, Final

from lao.core.errors import LaoError, ServerAway, Transient
from lao.core.states import PHASE_QUEUE, PHASE_ROLE, Phase, Role
from lao.state import runs
from lao.state.runs import NotClaimed
from workflows import close, code, ingest, pilot_turn, plan, review, survey, turns, verify, whole
from workflows.factory import Factory, active
from workflows.frame import Body, perform
from workflows.queues import gpu, huey_for
from workflows.recorded import recorded
from workflows.seats import prepare
from workflows.slots import Prepared

log = logging.getLogger("lao")

RETRIES, RETRY_DELAY_S, RETRY_BACKOFF = 3, 1, 2
"""Huey's own retries, for unexpected errors; waiting for a server or for memory uses none of them."""


def _task(phase: Phase, body: Body) -> Any:
    """A Huey task named after the phase, on the phase's queue."""

    def run(run_id: int, task: Any = None) -> None:
        perform(phase, run_id, body, getattr(task, "lao_prepared", None))

    run.__doc__ = body.__doc__
    decorate = huey_for(phase).task(
        name=phase.value,
        context=True,
        queue=PHASE_QUEUE[phase].value,
        retries=RETRIES,
        retry_delay=RETRY_DELAY_S,
        retry_backoff=RETRY_BACKOFF,
    )
    return decorate(run)


TASKS: Final = {
    Phase.INGEST: _task(Phase.INGEST, ingest.body),
    Phase.SURVEY: _task(Phase.SURVEY, survey.body),
    Phase.PLAN: _task(Phase.PLAN, plan.body),
    Phase.CODE: _task(Phase.CODE, code.body),
    Phase.VERIFY: _task(Phase.VERIFY, verify.body),
    Phase.REVIEW: _task(Phase.REVIEW, review.body),
    Phase.WHOLE: _task(Phase.WHOLE, whole.body),
    Phase.CLOSE: _task(Phase.CLOSE, close.body),
    Phase.PILOT: _task(Phase.PILOT, pilot_turn.body),
}


def _prepare(factory: Factory, role: Role, run_id: int) -> Prepared:
    """Ask the gate. While a model is being loaded the run is reserved, so that nobody wakes it a second time."""
    loading = factory.last_resident != factory.model_settings(role).key
    if loading and role is Role.PILOT:
        turns.waits(factory, run_id, f"model {factory.model_settings(role).key!r} is loaded first", "loading")
    if loading:
        runs.reserve(factory.store, run_id, factory.owner.to_text())
    try:
        return prepare(factory, role, run_id)
    finally:
        if loading:
            recorded(factory, lambda: runs.reserve(factory.store, run_id, ""))


def _prepare_survey(factory: Factory, run_id: int) -> Prepared:
    """The analyst's own model where the server has it and can hold it, else the planner's."""
    role = factory.surveyor.choose(lambda: factory.server)
    prepared = _prepare(factory, role, run_id)
    if prepared.problem is None or role is Role.PLANNER or isinstance(prepared.problem, ServerAway):
        return prepared
    return _prepare(factory, factory.surveyor.give_up(prepared.problem.message), run_id)


def _prepared(factory: Factory, phase: Phase, run_id: int) -> Prepared | None:
    """What the gate says of a run that is still wanted."""
    try:
        if isinstance(runs.wanted(factory.store, run_id, desks=factory.desks), NotClaimed):
            return None
        if phase is Phase.SURVEY:
            return _prepare_survey(factory, run_id)
        return _prepare(factory, PHASE_ROLE[phase], run_id)
    except LaoError as error:
        return Prepared(problem=factory.judged(error))


@gpu.pre_execute("memory_gate")  # type: ignore[untyped-decorator]
def memory_gate(task: Any) -> None:
    """Make the phase's model resident before the phase runs, and leave the outcome on the task.

    A hook must not raise: Huey would drop the task, or run it without a model. The body fails closed instead.
    """
    phase = Phase(type(task).__name__)
    if phase not in PHASE_ROLE or not task.args:
        return
    try:
        task.lao_prepared = _prepared(active.get(), phase, task.args[0])
    except LaoError as error:
        task.lao_prepared = Prepared(problem=error)
    except Exception as error:  # a hook that raises would run the phase without its model
        log.exception("memory gate failed")
        task.lao_prepared = Prepared(problem=Transient(f"the memory gate failed: {error!r}"))
