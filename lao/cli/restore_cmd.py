"""``lao restore``: puts a backup of the state in its place; the file that is there is kept aside."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from lao.cli.context import Session, emit, emit_json, pass_session


@click.command(help="Put a backup of the state in its place (without FILE the newest good one).")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, file: Path | None, as_json: bool) -> None:
    from lao.core.clock import SystemClock
    from lao.core.errors import BadInput
    from lao.core.states import Queue
    from lao.durable.owners import FileLock
    from lao.state import backups
    from lao.state.migrations import MIGRATIONS
    from workflows.supervisor import queue_lock

    paths = session.settings().paths
    state = paths.database
    with ExitStack() as held:
        held.enter_context(FileLock(state.with_name("run.lock"), "this project"))
        for queue in Queue:
            held.enter_context(queue_lock(session.settings(), queue))
        if file is None:
            newest = backups.newest_good(state)
            if newest is None:
                raise BadInput(f"there is no good backup in {str(backups.folder(state))!r}", "lao restore FILE")
            file = newest.path
        else:
            file = (session.cwd or Path.cwd()) / file
        aside = backups.restore(state, file, len(MIGRATIONS), SystemClock().now())
        for part in ("", "-wal", "-shm"):  # wake-ups of the other state; the reconciler makes new ones
            Path(f"{paths.queue}{part}").unlink(missing_ok=True)
    if as_json:
        emit_json({"state": str(state), "backup": str(file), "aside": str(aside) if aside else None})
        return
    emit(f"restored {file}")
    if aside:
        emit(f"the file that was there is {aside}")
    emit("what was done since is done again by the next 'lao run'; its commits are still in the repositories")
