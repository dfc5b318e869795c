"""Keyed commits of one phase: LAO's own trace files and the coder's work, each written and committed exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from lao.durable.files import FileWrite
from lao.workspace.git import Repository
from workflows.work import Work

Content: TypeAlias = "str | Callable[[bytes | None], bytes]"
"""A file's whole content, or a function from the bytes before (None: no file) to it, asked once."""


def commit_file(
    work: Work, repository: Repository, *, path: str, content: Content, message: str, what: str
) -> str | None:
    """Write one file and commit it alone, as two steps of the journal. None when nothing changed."""
    with repository.exclusive():
        work.steps.effect(f"write:{path}", FileWrite(work.plan.workspace, path, content))
        return commit(work, repository, message=message, what=what, paths=(path,))


def commit(
    work: Work,
    repository: Repository,
    *,
    message: str,
    what: str,
    paths: tuple[str, ...] | None = None,
    line: tuple[str, str] | None = None,
) -> str | None:
    """One keyed commit for one step: redone after a crash it has the same id, and it never comes twice."""
    trailers = {"LAO-Plan-ID": work.plan.id}
    if work.task is not None:
        trailers["LAO-Task-ID"] = str(work.task.id)
    return repository.commit_step(
        work.steps,
        f"commit:{what}",
        message=message,
        body=f"Plan-ID: {work.plan.id}",
        step_id=work.step_id(what),
        date=int(work.claim.run.created_at),
        trailers=trailers,
        paths=paths,
        line=line,
    )
