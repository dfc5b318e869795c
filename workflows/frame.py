"""The frame of every phase: claim → heartbeat → journal → fenced finish → release. The only border that catches all."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import NoReturn

from huey.exceptions import CancelExecution, RetryTask

from lao import __version__
from lao.core.errors import (
    AttemptFailed,
    BadInput,
    DiskFull,
    Interrupted,
    NeedsHuman,
    Nonsense,
    OutOfResources,
    ServerAway,
    StateDamaged,
    Terminal,
    Transient,
)
from lao.core.states import PHASE_ROLE, Phase, RunState
from lao.durable import limits, space
from lao.durable.backoff import bounded, delay_s
from lao.durable.faults import crash_point
from lao.durable.journal import Journal
from lao.state import plans, runs, serving
from lao.state.records import Claim
from lao.state.runs import NotClaimed
from lao.state.transitions import LostClaim
from workflows import failures, hooking, reporting, takeover, turns
from workflows.calibrate import profile_of_run
from workflows.energy import metered
from workflows.factory import Factory, active
from workflows.place import clear_away, drop_desk, forget_name
from workflows.recorded import recorded
from workflows.seats import Seat
from workflows.slots import Prepared
from workflows.wake import wake
from workflows.work import Outcome, Work

log = logging.getLogger("lao")

Body = Callable[[Work], Outcome]

FILLS_LIMIT = 5
"""How often a phase may begin with room, and end for want of it while nobody else keeps the disk full."""

NONSENSE_LIMIT = 20
"""Waits of a run for a server that answers, but no longer as one: about a quarter of an hour."""

REFUSALS_LIMIT = 30
"""How often a phase is refused memory, processes or files, which takes half an hour, before a person is asked."""

ERROR_LIMIT = 3
"""Unexpected errors of one run before it is set aside for a person."""

BACKOFF_BASE_S = 1.0


def perform(phase: Phase, run_id: int, body: Body, prepared: Prepared | None) -> None:
    """Run one phase under the protocol.

    Raises:
        CancelExecution: the run is not wanted (any more); its chain ends here and Huey does not retry.
        RetryTask: not now; Huey runs it again after the delay, with the rest of its chain.
    """
    factory = active.get()
    try:
        _perform(factory, phase, run_id, body, prepared)
    except (CancelExecution, RetryTask):
        raise
    except Exception as error:  # the border: whatever says that the state is damaged ends this worker
        if not factory.is_damaged(error):
            raise
        raise CancelExecution(retry=False) from error


def _perform(factory: Factory, phase: Phase, run_id: int, body: Body, prepared: Prepared | None) -> None:
    try:
        run = runs.get(factory.store, run_id)
        if run is not None and run.phase is not phase:
            log.warning("a message wants %s of run %s, which is for %s; dropped", phase.value, run_id, run.phase.value)
            raise CancelExecution(retry=False)
        prepared = turns.patient(factory, run_id, prepared) if phase is Phase.PILOT else prepared
        _defer_if_not_ready(factory, phase, run_id, prepared)
        claim = runs.claim(factory.store, run_id, factory.owner.to_text(), __version__, desks=factory.desks)
    except Transient as error:
        raise RetryTask(delay=bounded(error.delay_s or BACKOFF_BASE_S)) from error
    if isinstance(claim, NotClaimed):
        _not_claimed(factory, claim)
        return
    crash_point("after_claim")
    try:
        with factory.heartbeat.holding(claim), metered(factory, claim):
            _work(factory, claim, body, prepared)
    except LostClaim as error:
        _lost(factory, claim, error)
        raise CancelExecution(retry=False) from error
    except (Transient, OSError, MemoryError, RuntimeError) as error:  # beside the body: the heartbeat, the meter
        _let_go(factory, claim, error)
    finally:
        factory.slots.end()


def _let_go(factory: Factory, claim: Claim, error: Exception) -> NoReturn:
    """Put the run off if it is still ours: one that stayed with this living worker would wait for ever."""
    short = error if isinstance(error, Transient) else limits.told(error)
    if short is None or not recorded(factory, lambda: runs.is_held(factory.store, claim)):
        raise error
    _put_off(factory, claim, short)


def _defer_if_not_ready(factory: Factory, phase: Phase, run_id: int, prepared: Prepared | None) -> None:
    """Put the run off while its model is not resident. Fails closed: without an answer of the gate nothing runs."""
    if phase not in PHASE_ROLE:
        return
    problem = prepared.problem if prepared else Transient("the memory gate did not run")
    if not isinstance(problem, Transient):
        return
    wanted = runs.wanted(factory.store, run_id, desks=factory.desks)
    if isinstance(wanted, NotClaimed):
        return
    delay = bounded(problem.delay_s or delay_s(BACKOFF_BASE_S, runs.waits_of(factory.store, run_id), str(run_id)))
    runs.defer(factory.store, run_id, until=factory.clock.now() + delay, reason=problem.message)
    log.warning("%s of run %s waits %.1f s: %s", phase.value, run_id, delay, problem.message)
    raise RetryTask(delay=delay)


def _not_claimed(factory: Factory, refusal: NotClaimed) -> None:
    if refusal.kind == "later":
        raise RetryTask(delay=max(0.05, refusal.until - factory.clock.now()))
    if refusal.kind != "done":
        log.debug("not run: %s", refusal.reason)
        raise CancelExecution(retry=False)


def _work(factory: Factory, claim: Claim, body: Body, prepared: Prepared | None) -> None:
    """The body with its errors sorted: each kind ends, repeats or parks the run, in one fenced transaction."""
    try:
        if prepared and prepared.problem:
            raise prepared.problem
        _require_space(factory, claim)
        hooking.before_phase(factory, claim)
        work = _open(factory, claim, prepared)
        outcome = body(work)
        hooking.after_phase(factory, claim, RunState.DONE, outcome.text)
        if claim.run.phase in PHASE_ROLE:
            factory.note_served(serving.MODEL)
        crash_point("before_finish")
        with runs.finishing(factory.store, claim, RunState.DONE, outcome.result) as now:
            ready = outcome.apply(now)
    except Interrupted as error:
        runs.release(factory.store, claim, reason=error.message)
        raise CancelExecution(retry=False) from error
    except (Transient, OSError) as error:
        _put_off(factory, claim, error)
    except (LostClaim, StateDamaged):
        raise
    except (AttemptFailed, Terminal, NeedsHuman, BadInput) as error:
        _fail(factory, claim, error)
    except Exception as error:  # the border: an unexpected error releases the run and lets Huey's retries try again
        if (short := limits.told(error)) is not None:
            _put_off(factory, claim, short)
        if not factory.is_damaged(error):
            _finished(factory, _unexpected(factory, claim, error))
        raise
    else:
        _report(factory, claim, outcome.text)
        _over(factory, claim, ready)
        outcome.after()
        if not outcome.chain:
            raise CancelExecution(retry=False)


def _require_space(factory: Factory, claim: Claim) -> None:
    least = factory.settings.orchestration.min_free_disk_mb
    for folder in {factory.store.path.parent, plans.get(factory.store, claim.run.plan_id).workspace}:
        space.require(folder, least)


def _has_room(factory: Factory, claim: Claim) -> bool:
    try:
        _require_space(factory, claim)
    except DiskFull:
        return False
    return True


def _lost(factory: Factory, claim: Claim, error: LostClaim) -> None:
    """The run was taken away: by another worker, which goes on with what is there, or by somebody who cancelled it."""
    run = runs.get(factory.store, claim.run.id)
    if run is None or run.state is not RunState.SKIPPED:
        log.warning("run %s: %s; its result is dropped", claim.run.id, error.message)
        if run is not None:
            forget_name(factory, run)
        return
    folder = plans.get(factory.store, run.plan_id).workspace
    clear_away(factory, run.id, run.task_id, run.phase, folder)
    _report(factory, claim, "cancelled")


def _open(factory: Factory, claim: Claim, prepared: Prepared | None) -> Work:
    run = claim.run
    role = factory.role_of(run.phase)
    takeover.take_over(factory, claim)
    journal = Journal(
        factory.store,
        claim,
        role=role.value if role else "",
        model=factory.model_key(run.phase),
        stopping=factory.stop.is_set,
        lasting=takeover.is_lasting,
    )
    name = prepared.model_name if prepared else ""
    seat = Seat(factory, role, name, run.id) if role else None
    return Work(
        factory=factory,
        claim=claim,
        plan=plans.get(factory.store, run.plan_id),
        task=plans.task(factory.store, run.task_id) if run.task_id is not None else None,
        steps=journal,
        model_name=name,
        context_length=prepared.context_length if prepared else None,
        profile=profile_of_run(factory, run.id, role, journal, name, seat.taken) if role and seat else None,
        seat=seat,
    )


def _fail(factory: Factory, claim: Claim, error: AttemptFailed | Terminal | NeedsHuman | BadInput) -> NoReturn:
    hooking.after_phase(factory, claim, RunState.FAILED, error.message)
    ready = recorded(factory, lambda: failures.end_run(factory, claim, error))
    _report(factory, claim, f"{type(error).__name__}: {error.message}", logging.WARNING)
    _over(factory, claim, ready)
    raise CancelExecution(retry=False) from error


def _put_off(factory: Factory, claim: Claim, error: Transient | OSError) -> NoReturn:
    """Back to the queue after a pause; no attempt is used."""
    error = limits.told(error) or error
    if isinstance(error, OSError):
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            _finished(factory, _unexpected(factory, claim, error))
            raise error
        error = DiskFull(f"disk full: no space left: {error}", "free some space; LAO goes on by itself")
    reason = error.message
    waits = recorded(factory, lambda: runs.waits_of(factory.store, claim.run.id))
    if isinstance(error, DiskFull) and claim.run.phase is Phase.PILOT:
        full = error
        over = recorded(factory, lambda: turns.short_of_space(factory, claim.run.id, waits, full))
        if over is not None:
            _fail(factory, claim, over)
    if isinstance(error, DiskFull) and waits >= FILLS_LIMIT and _has_room(factory, claim):
        _fail(factory, claim, AttemptFailed(f"it fills the disk: {error.message}", kind="disk_filled"))
    if isinstance(error, OutOfResources) and waits >= REFUSALS_LIMIT:
        _fail(factory, claim, NeedsHuman(error.message, "raise the limit, then 'lao retry-failed'"))
    if isinstance(error, Nonsense) and waits >= NONSENSE_LIMIT:
        _fail(factory, claim, NeedsHuman(error.message, "look at what answers there, then 'lao retry-failed'"))
    delay = bounded(error.delay_s or delay_s(BACKOFF_BASE_S, waits, str(claim.run.id)))
    recorded(factory, lambda: runs.release(factory.store, claim, not_before=factory.clock.now() + delay, reason=reason))
    level = logging.WARNING if isinstance(error, (ServerAway, DiskFull, OutOfResources)) else logging.INFO
    _report(factory, claim, f"waits {delay:.1f} s: {error.message}", level)
    raise RetryTask(delay=delay) from error


def _unexpected(factory: Factory, claim: Claim, error: BaseException) -> list[int]:
    """Release for another try; after ERROR_LIMIT of them set the run aside."""
    if recorded(factory, lambda: runs.errors_of(factory.store, claim.run.id)) + 1 < ERROR_LIMIT:
        text = f"unexpected {error!r}"
        recorded(factory, lambda: runs.release(factory.store, claim, reason=text, error=True))
        return []
    parked = NeedsHuman(f"unexpected error, {ERROR_LIMIT} times: {error!r}", "see the log, then 'lao retry-failed'")
    return recorded(factory, lambda: failures.end_run(factory, claim, parked))


def _over(factory: Factory, claim: Claim, ready: list[int]) -> None:
    """Wake what became ready, and what waited for this attempt; clear its desk."""
    attempt = claim.run.phase is Phase.CODE and factory.desks
    try:
        _finished(factory, ready)
        if claim.run.task_id is None and claim.run.phase is not Phase.PILOT:
            reporting.write_if_over(factory, claim.run.plan_id)
        for run_id in runs.call_back(factory.store, claim.run.plan_id) if attempt else ():
            wake(factory.store, run_id)
    finally:  # also when the queue's file is locked for long: the reconciler wakes them, but clears no desk
        if attempt:
            drop_desk(factory, claim)


def _finished(factory: Factory, ready: list[int]) -> None:
    crash_point("after_finish")
    for run_id in ready:
        wake(factory.store, run_id)
    crash_point("after_wake")


def _report(factory: Factory, claim: Claim, text: str, level: int = logging.INFO) -> None:
    run = claim.run
    plan = plans.get(factory.store, run.plan_id)
    where = f" task {run.task_id} attempt {run.attempt}" if run.task_id is not None else ""
    log.log(level, "%s: %s%s: %s", plan.name, run.phase.value, where, text or "done")
