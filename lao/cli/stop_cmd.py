"""``lao stop``: asks the workers of this project to end at their next step, and waits for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project

if TYPE_CHECKING:
    from workflows.stopping import Working


@click.command(help="End the workers of this project at their next step; the next 'lao run' goes on from there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, as_json: bool) -> None:
    stopped: tuple[Working, ...] = ()
    left: tuple[Working, ...] = ()
    if session.settings().paths.database.exists():
        with open_project(session) as factory:
            from workflows.stopping import stop

            stopped, left = stop(factory)
    if as_json:
        listed = {"stopped": stopped, "left": left}
        emit_json({name: [{"what": p.what, "pid": p.pid} for p in them] for name, them in listed.items()})
    else:
        for process in stopped:
            emit(f"ended: {process.what} (pid {process.pid})")
        for process in left:
            emit(
                f"still at work: {process.what} (pid {process.pid}); it ends at its next step, kill -9 is safe as well"
            )
        if not stopped and not left:
            emit("nothing runs here")
    sys.exit(1 if left else 0)
