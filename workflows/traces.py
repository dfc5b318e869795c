"""Keyed commits of LAO's own trace files (LAO_PLAN.md, LAO_TASKS.json, LAO_REVIEW.log): written and committed once."""

from __future__ import annotations

from collections.abc import Sequence

from lao.workspace.git import Repository

from lao.durable.files import FileWrite
from workflows.work import Work


def commit_file(
    work: Work,
    repository: Repository,
    *,
    path: str,
    content: str,
    message: str,
    what: str,
    baseline: Sequence[list[str]],
) -> str | None:
    """Write one file and commit it, as two steps of the journal. Returns the commit id, None when nothing changed."""
    work.steps.effect(f"write:{path}", FileWrite(work.plan.workspace / path, content))
    return commit(work, repository, message=message, what=what, baseline=baseline, paths=[path])


def commit(
    work: Work,
    repository: Repository,
    *,
    message: str,
    what: str,
    baseline: Sequence[Sequence[str]],
    paths: Sequence[str] | None = None,
) -> str | None:
    """One keyed commit for one step: redone after a crash it has the same id, and it never comes twice."""
    trailers = {"LAO-Plan-ID": work.plan.id}
    if work.task is not None:
        trailers["LAO-Task-ID"] = str(work.task.id)
    return repository.commit_step(
        work.steps,
        f"commit:{what}",
        message=message,
        step_id=work.step_id(what),
        date=work.claim.run.created_at,
        trailers=trailers,
        paths=paths,
        baseline_dirty=tuple((path, digest) for path, digest in baseline),
    )
