"""Commands for the tests of the frame: one that prints its flags, one that raises what it is told to."""

from __future__ import annotations

import errno
import json
import sys

import click

from lao.cli.context import Session, pass_session
from lao.core import errors


@click.command("echo")
@click.argument("words", nargs=-1)
@click.option("--text")
@pass_session
def echo(session: Session, words: tuple[str, ...], text: str | None) -> None:
    click.echo(json.dumps({"flags": session.flags, "words": words, "text": text}))


@click.command("run")
@pass_session
def run(session: Session) -> None:
    click.echo(json.dumps({"flags": session.flags}))


@click.group("nest")
def nest() -> None:
    pass


@nest.command("leaf")
@pass_session
def leaf(session: Session) -> None:
    click.echo(json.dumps({"flags": session.flags}))


RAISED = {
    "usage": lambda: click.UsageError("no such thing"),
    "lao": lambda: errors.LaoError("it broke", "mend it"),
    "input": lambda: errors.BadInput("bad 'x'"),
    "human": lambda: errors.NeedsHuman("you decide"),
    "stop": lambda: errors.Interrupted("stopping"),
    "full": lambda: OSError(errno.ENOSPC, "No space left on device", "/x/state.db"),
    "bug": lambda: ZeroDivisionError("oops"),
    "ctrl-c": KeyboardInterrupt,
}


@click.command("fail")
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True)
def fail(kind: str, as_json: bool) -> None:
    raise RAISED[kind]()


@click.command("leave")
@click.argument("code", type=int)
@click.option("--how", default="return")
@click.pass_context
def leave(ctx: click.Context, code: int, how: str) -> int:
    if how == "exit":
        ctx.exit(code)
    if how == "sys":
        sys.exit(code)
    return code
