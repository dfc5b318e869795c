"""``lao run``: supervises the workers and shows what they do; ends when the queue is idle on request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, pass_session, say
from lao.cli.place import check_folder, note_use
from lao.cli.project import exit_code, open_project, since
from lao.cli.watching import watching
from lao.core.errors import BadInput, LaoError, NotAServer, Transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lao.servers.protocol import ModelInfo
    from workflows.factory import Factory

INTERRUPTED = 130


@click.command(help="Watch the plans folder and work on what is queued, until interrupted.")
@pass_session
def command(session: Session) -> None:
    if session.flag("pilot_only"):
        from lao.cli.pilot_cmd import run as pilot

        with open_project(session) as factory:
            sys.exit(pilot(session, factory))
    root = session.settings().paths.root
    check_folder(root)
    with open_project(session) as factory:
        note_use(root)
        sys.exit(run(session, factory))


def run(session: Session, factory: Factory, *, quiet: bool = False) -> int:
    """Supervise until over; returns the exit code."""
    from lao.state import queries
    from workflows.decisions import write_log
    from workflows.supervisor import Supervisor, check_free

    check_free(factory.settings)
    plan = session.text("plan")
    single = session.flag("single_run") or plan is not None
    _check_server(factory, strict=single)
    known = [p["id"] for p in queries.plans_view(factory.store) if p["state"] in ("queued", "planning", "active")]
    taken, rejected = _take_plans(session, factory, plan)
    store = factory.store

    def is_over() -> bool:
        if plan is not None:
            return queries.plan_over(store, taken[0]) or (
                bool(queries.paused_open(store, taken)) and queries.is_idle(store, taken[0])
            )
        return single and queries.is_idle(store)

    if not single:
        say("watching the plans folder; Ctrl-C stops, the next 'lao run' goes on from there")
    _say_pauses(factory)
    with watching(session, factory, quiet=quiet) as eyes:
        supervisor = Supervisor(factory.settings, session.worker_env(), quiet=quiet, log=eyes.log, tell=eyes.tell)
        supervisor.run(lambda: eyes.look(supervisor) or is_over())
        eyes.finish()
    write_log(factory)  # a run that finds nothing to do may end before its workers have looked
    outcome = queries.outcome(store, None if not single else [*known, *taken])
    if not quiet:
        _summary(factory, outcome)
    if supervisor.interrupted:
        return INTERRUPTED
    paused = queries.paused_open(store, [*known, *taken]) if single else 0
    if paused:
        say(f"{paused} of these plans paused: 'lao resume' goes on")
    held = queries.held_open(store, [*known, *taken]) if single else {}
    for plan_id, why in held.items():
        say(f"plan {plan_id} {why}")
    return exit_code(outcome, paused=paused + len(held)) or rejected


def _say_pauses(factory: Factory) -> None:
    from lao.state import pauses, plans

    for plan_id, at in pauses.every(factory.store).items():
        name = plans.get(factory.store, plan_id).name if plan_id else "everything"
        say(f"PAUSED: {name}, since {since(at)}; 'lao resume{f' {plan_id}' if plan_id else ''}' goes on")


def _check_server(factory: Factory, *, strict: bool) -> None:
    """Say at once that no server answers; a watching run waits for it, a single run ends."""
    try:
        models = factory.server.models()
    except (Transient, NotAServer) as error:
        if strict or not isinstance(factory.judged(error), Transient):
            raise
        say(f"warning: {error}\n  LAO waits for it.")
        return
    if factory.server.manages_memory:
        _check_models(factory, models)


def _check_models(factory: Factory, models: Sequence[ModelInfo]) -> None:
    """Refuse to start with a model that cannot do its role here: every plan of the night would fail on it."""
    from lao.core.states import PIPELINE_ROLES
    from lao.servers.gate.fitness import problem_of

    for role in PIPELINE_ROLES:
        problem = problem_of(factory.settings, models, role, loads=True)
        if problem is not None:
            key = f"models.{role.value}."
            where = "" if key in problem.message else f" ({key}key in factory.yaml)"
            raise BadInput(f"{problem.message}{where}", f"{problem.hint}; 'lao health' lists all")


def _take_plans(session: Session, factory: Factory, plan: str | None) -> tuple[list[str], int]:
    """Hand in ``--plan``, or for a single run all files of the plans folder. Returns (plan ids, exit code so far)."""
    import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
    from workflows.submission import is_plan_file, submit_file

    if plan is not None:
        return [submit_file(factory, (session.cwd or Path.cwd()) / plan).plan.id], 0
    taken, code = [], 0
    folder = factory.settings.paths.plans
    files = sorted(folder.glob("*.md")) if folder.is_dir() and session.flag("single_run") else []
    for path in filter(is_plan_file, files):
        try:
            submission = submit_file(factory, path)
        except LaoError as error:
            say(f"plan not taken: {error}")
            code = error.exit_code
        else:
            taken += [submission.plan.id] if submission.created else []
    return taken, code


def _summary(factory: Factory, outcome: dict[str, int]) -> None:
    from lao.state import queries

    models = queries.models_view(factory.store)
    tokens, calls = queries.usage_view(factory.store)
    plans = ", ".join(f"{number} {name}" for name, number in outcome.items() if number) or "none"
    emit(f"plans: {plans}")
    emit(
        f"models: {models['loads']} loads, {models['unloads']} unloads, {models['swaps']} swaps; "
        f"role changes: {models['role_changes']}"
    )
    emit(f"tokens: prompt {tokens['prompt']}, completion {tokens['completion']}; calls: {calls['model']}")
