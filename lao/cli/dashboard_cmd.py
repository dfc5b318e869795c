"""``lao dashboard``: the project live on a terminal, once as text or JSON, or as a web page that stays fresh."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.project import open_project
from lao.core.errors import LaoError

if TYPE_CHECKING:
    from workflows.factory import Factory

_LOOK_S: Final = 0.5


@click.command(help="Watch the project live on a terminal, or serve it as a web page on this machine.")
@click.option("--once", is_flag=True, help="Print the present moment and end, also on a terminal.")
@click.option("--write", is_flag=True, help="Write dashboard_snapshot.json, add to dashboard_history.json.")
@click.option("--serve", is_flag=True, help="Serve a read-only page for browsers of this machine, until Ctrl-C.")
@click.option("--port", type=int, default=None, metavar="N", help="The page's port (default 8765; 0: any free one).")
@click.option("--all", "everywhere", is_flag=True, help="All projects of 'lao projects list', once, a row each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the snapshot, or with --serve the address.")
@pass_session
def command(
    session: Session, once: bool, write: bool, serve: bool, port: int | None, everywhere: bool, as_json: bool
) -> None:
    if port is not None and not serve:
        raise click.UsageError("--port is for --serve")
    if serve and (once or write):
        raise click.UsageError("--serve goes with neither --once nor --write")
    if everywhere:
        if serve or write:
            raise click.UsageError("--all goes with neither --serve nor --write")
        _show_all(session, as_json=as_json)
        return
    with open_project(session, whole=False) as factory:
        if serve:
            _serve(factory, port, as_json=as_json)
            return
        if write:
            _write(factory)
        if as_json:
            emit_json(_board(factory))
        elif once or write or not _is_live(session):
            _print(factory)
        else:
            _watch(factory)


def _show_all(session: Session, *, as_json: bool) -> None:
    import shutil
    import time

    from lao.cli.dashboard.everywhere import project_rows, projects_document
    from lao.cli.look import here
    from lao.cli.projects_cmd import opened

    known = opened().projects()
    document = projects_document(known, os.environ if session.env is None else session.env, time.time())
    if as_json:
        emit_json(document)
        return
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    for line in project_rows(document, here(), width):
        emit(line)
    if not known:
        say("no projects yet: 'lao init' makes one, 'lao projects scan' finds those that are there")


def _is_live(session: Session) -> bool:
    """On a terminal that can move its cursor, unless somebody wants plain lines."""
    from lao.cli.watching import wants_plain

    return not wants_plain(session, os.environ) and os.environ.get("TERM", "dumb") != "dumb" and sys.stdout.isatty()


def _watch(factory: Factory) -> None:
    from lao.cli.dashboard.terminal import show

    ended = threading.Event()
    with _until_asked(ended.set):
        show(factory, ended)


def _write(factory: Factory) -> None:
    from lao.cli.dashboard.board import entry_of
    from lao.cli.kept import keep

    document = _board(factory)
    for path in keep(factory.settings.paths, "dashboard", document, entry_of(document)):
        say(f"wrote {str(path)!r}")


def _board(factory: Factory) -> dict[str, Any]:
    from lao.cli.dashboard.board import board
    from workflows.progress import Watch

    with Watch(factory) as watch:
        return board(factory, watch.look()[0])


def _print(factory: Factory) -> None:
    """The rows of ``lao run``'s view, once; its last one, which says how to end it, left aside."""
    import shutil

    from lao.cli.look import here
    from lao.cli.view.rows import rows
    from workflows.progress import Watch
    from workflows.queues import live_workers

    size, look = shutil.get_terminal_size((100, 24)), here()
    with Watch(factory) as watch:
        snapshot = watch.look()[0]
    for line in rows(snapshot, look, size.columns, size.lines)[:-1]:
        emit(line)
    standing = snapshot.standing
    state = "paused" if standing.paused is not None else "idle" if standing.idle else "running"
    workers = ", ".join(worker["queue"] for worker in live_workers()) or "none"
    emit(look.line([look.piece(state), (f" {'at work' if state == 'running' else state}, workers: {workers}", "")]))


def _serve(factory: Factory, port: int | None, *, as_json: bool) -> None:
    from lao.cli.dashboard.feed import Feed
    from lao.cli.dashboard.server import PORT, DashboardServer, secret_of
    from lao.durable.threads import Thread

    secret = secret_of(factory.settings.paths.state_dir)
    ended = threading.Event()
    with Feed(factory) as feed, DashboardServer(feed, secret, PORT if port is None else port) as server:
        thread = Thread(server.serve_forever, name="dashboard-server", args=(0.2,))
        with _until_asked(ended.set):
            thread.start()
            if as_json:
                emit_json({"url": server.url, "port": server.port})
            else:
                emit(server.url)
            say("for browsers of this machine only; Ctrl-C ends the page, not the work")
            while not ended.wait(_LOOK_S) and feed.alive and thread.is_alive():
                pass
        server.shutdown()
        if not ended.is_set():
            raise LaoError("the dashboard has ended by an error of LAO", "start it again; the work is not touched")


@contextmanager
def _until_asked(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the page, which is how it is meant to end: with exit code 0."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda _number, _frame: end()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
