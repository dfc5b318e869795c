"""``lao worker``: prints and runs the two plain huey_consumer commands, with nothing of LAO around them."""

from __future__ import annotations

import shlex

import click

from lao.cli.context import Session, emit, pass_session


@click.command(help="Run the two plain huey_consumer processes, or print their commands.")
@click.option("--print", "print_only", is_flag=True, help="Print the commands and do not run them.")
@click.option("--queue", type=click.Choice(["cpu", "gpu"]), help="Only this queue.")
@pass_session
def command(session: Session, print_only: bool, queue: str | None) -> None:
    from lao.core.states import Queue
    from workflows.supervisor import Supervisor, worker_command

    queues = (Queue(queue),) if queue else tuple(Queue)
    settings = session.settings()
    prefix = "".join(f"{name}={shlex.quote(value)} " for name, value in session.worker_env().items())
    for item in queues:
        emit(prefix + shlex.join(worker_command(item)))
    if not print_only:
        Supervisor(settings, session.worker_env(), queues=queues).run(lambda: False)
