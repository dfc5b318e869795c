"""``lao pilot``: a conversation with the factory; one question with ``-m``; lines from a pipe off a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from lao.cli.context import Session, emit_json, pass_session, say
from lao.cli.project import open_project
from lao.core.errors import LaoError

if TYPE_CHECKING:
    from lao.cli.pilot.seat import Seat
    from workflows.factory import Factory

INTERRUPTED = 130


@click.command(help="Talk with the factory: ask how it stands, steer it, turn ideas into plans. /help lists commands.")
@click.option("-m", "--message", metavar="TEXT", help="Ask one question, or run one /command, and end.")
@click.option("--chat", type=int, metavar="ID", help="Go on with this conversation.")
@click.option("--project", metavar="NAME|PATH", help="In another project: a name of 'lao projects list', or a folder.")
@click.option("--json", "as_json", is_flag=True, help="With -m: one JSON document.")
@pass_session
def command(session: Session, message: str | None, chat: int | None, project: str | None, as_json: bool) -> None:
    if as_json and message is None:
        raise click.UsageError("--json goes with -m")
    if project is not None:
        _in(session, project, message=message, chat=chat, as_json=as_json)
    with open_project(session) as factory:
        sys.exit(run(session, factory, message=message, chat=chat, as_json=as_json))


def _in(session: Session, project: str, *, message: str | None, chat: int | None, as_json: bool) -> NoReturn:
    """The same command in another project, with the flags that mean none."""
    from lao.cli.pilot.moving import start_there
    from lao.cli.projects_cmd import folder_of

    if own := sorted({"config", "db", "plans_dir", "workspace"} & session.flags.keys()):
        raise click.UsageError(f"--project and --{own[0].replace('_', '-')} mean different projects; give one of them")
    arguments = ["--json"] if as_json else []
    for name, value in session.flags.items():
        option = f"--{name.replace('_', '-')}"
        arguments += [option] if value is True else [f"{option}={value}"]
    arguments += [f"--chat={chat}"] if chat is not None else []
    arguments += [f"--message={message}"] if message is not None else []
    start_there(folder_of(session, project), arguments)


def run(
    session: Session,
    factory: Factory,
    *,
    message: str | None = None,
    chat: int | None = None,
    as_json: bool = False,
    from_run: bool = False,
) -> int:
    """Be the Pilot until the person leaves; returns the exit code.

    Args:
        from_run: ``lao run`` has opened it, and ``/resume`` ends it with ``seat.HANDED_BACK``.

    Raises:
        BadInput: there is no such conversation.
    """
    from lao.cli.look import here
    from lao.cli.pilot.seat import Seat
    from lao.cli.watching import wants_plain
    from workflows import pilot

    seat = Seat(session, factory, pilot.open_chat(factory, chat).id, from_run=from_run)
    if message is not None:
        return _one(seat, message, as_json=as_json)
    if not on_a_terminal() or wants_plain(session, os.environ):
        from lao.cli.pilot.plain import Plain

        sign = f"{here().piece('you')[0]} " if sys.stdin.isatty() else ""
        return Plain(seat, sys.stdout, sys.stderr).lines(sys.stdin.buffer, sign)
    from lao.cli.pilot.screen import Screen
    from lao.cli.pilot.terminal import Terminal

    while True:
        code = Terminal(seat, Screen(sys.stdout, look=here())).run()
        if seat.moved is None:
            return code
        _go_on_there(seat, seat.moved)
        seat.moved = None


def _go_on_there(seat: Seat, path: Path) -> None:
    """Be the Pilot of another project: for good, or as long as the person likes where ``lao run`` waits here."""
    from lao.cli.pilot import moving

    if not seat.from_run:
        seat.factory.close()
        moving.start_there(path)
    try:
        moving.visit(path, seat)
    except LaoError as error:
        say(f"lao: {error}")


def on_a_terminal() -> bool:
    """Whether an input line can be drawn here."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _one(seat: Seat, message: str, *, as_json: bool) -> int:
    import io

    from lao.cli.pilot.plain import Plain

    plain = Plain(seat, io.StringIO() if as_json else sys.stdout, sys.stderr)
    code = plain.one(message)
    if as_json and plain.last is not None:
        turn = plain.last
        emit_json(
            {
                "chat": turn.chat,
                "turn": turn.id,
                "state": turn.state.value,
                "answer": turn.answer,
                "error": turn.error or None,
                "tokens": turn.tokens,
                "tools": list(turn.tools),
            }
        )
    return code
