"""``lao index``: brings the search index of a folder up to date and says what was read, skipped and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project, path_of

if TYPE_CHECKING:
    from lao.search.index import Refreshed
    from lao.search.store import IndexFile
    from lao.search.vectors import Embedded, Embedder

_HELP = """Bring the search index of a folder up to date.

PATH is a workspace; without it the current folder. Searches keep the index up to date themselves; this command makes
it beforehand, and gives all of it vectors where the server has the embedder of factory.yaml."""

Tell = Callable[[int, int], None]


@click.command(help=_HELP)
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--rebuild", is_flag=True, help="Forget what the index has, of other folders too, and begin anew.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, path: str | None, rebuild: bool, as_json: bool) -> None:
    from lao.core.errors import BadInput
    from lao.search.index import refresh
    from workflows.search import index_of

    root = path_of(session, path or ".")
    if not root.is_dir():
        raise BadInput(f"there is no folder {str(root)!r}", "name the folder to be indexed")
    index = index_of(session.settings())
    if rebuild:
        index.forget()
    with _bar("files", quiet=as_json) as tell:
        refreshed = refresh(index, root, tell=tell)
    vectors = _vectors(session, index, root, quiet=as_json)
    view = _view(root, index, refreshed, vectors)
    if as_json:
        emit_json({"rebuilt": rebuild, **view})
    else:
        _print(view)


def _vectors(session: Session, index: IndexFile, root: Path, *, quiet: bool) -> dict[str, Any]:
    """What the embedder did, or ``why_not``."""
    from workflows.search import embedder_by_hand

    with open_project(session, whole=False) as factory:
        embedder, reason = embedder_by_hand(factory)
    if embedder is None:
        return {"why_not": reason}
    return _embedded(session, index, root, embedder, quiet=quiet)


def _embedded(session: Session, index: IndexFile, root: Path, embedder: Embedder, *, quiet: bool) -> dict[str, Any]:
    from lao.core.errors import ConfigError, Terminal, Transient
    from lao.search.vectors import embed_missing

    size = session.settings().search.embed_batch
    try:
        with _bar(f"vectors, {size} a request", quiet=quiet) as tell:
            done: Embedded = embed_missing(index, root, embedder, batch=size, tell=tell)
    except (Transient, Terminal, ConfigError) as error:
        return {"why_not": error.message}
    return {"model": embedder.model, **asdict(done), "batch_size": size, "chunks_per_s": round(done.rate, 1)}


def _view(root: Path, index: IndexFile, found: Refreshed, vectors: dict[str, Any]) -> dict[str, Any]:
    rate = found.read / found.seconds if found.seconds else 0.0
    return {
        "folder": str(root),
        "index": str(index.path),
        **asdict(found),
        "seconds": round(found.seconds, 3),
        "files_per_s": round(rate, 1),
        "vectors": vectors,
    }


def _print(view: dict[str, Any]) -> None:
    emit(f"{view['folder']}: {view['files']} files in {view['index']}")
    emit(
        f"  read {view['read']}, {view['added']} of them new to the index ({view['added_bytes'] / 1e6:.1f} MB), "
        f"{view['removed']} gone; {view['seconds']:.1f} s, {view['files_per_s']:.0f} files a second"
    )
    if view["by_name"]:
        emit("  by name only: " + ", ".join(f"{number} {note}" for note, number in view["by_name"].items()))
    if view["beyond"]:
        emit(f"  left out: {view['beyond']} files beyond the first {view['files']}")
    vectors = view["vectors"]
    if "why_not" in vectors:
        emit(f"  search by keywords alone: {vectors['why_not']}")
    else:
        emit(
            f"  vectors of {vectors['model']}: {vectors['done']} new in {vectors['batches']} requests of at most "
            f"{vectors['batch_size']}, {vectors['chunks_per_s']:g} a second"
        )


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Tell]:
    """A progress bar with the rate on stderr; nothing where that is no terminal."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, rate="")

        def tell(done: int, whole: int) -> None:
            progress.update(task, completed=done, total=whole)
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(task, rate=f"{speed:.0f} a second" if speed else "")

        yield tell
