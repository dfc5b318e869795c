"""The whole (cpu): all of a plan's commands on one commit beside its last reviews, so that the close finds them done.

It is evidence gathered early and decides nothing: the close takes over what passed on the same files and runs the rest.
"""

from __future__ import annotations

from lao.core.errors import Transient
from lao.core.words import CommandResult, Json
from lao.state import pipeline
from workflows import plan_checks
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Run all commands on the plan's HEAD; nothing when a task is being worked on again, for that changes it."""
    store, plan_id = work.factory.store, work.plan.id
    with store.reading():
        settled = pipeline.only_reviews_left(plan_id) or not pipeline.open_tasks(plan_id)
    if not settled:
        return _outcome(work, None, (), "a task is worked on again: later", again=True)
    try:
        whole = plan_checks.look(work)
        results = plan_checks.judge(work, whole)
        moved = plan_checks.tree_now(work) != whole.tree
    except Transient as error:  # what waits for this run must not wait for better times
        return _outcome(work, None, (), f"left to the close: {error.message}")
    passed = sum(result.passed for result in results)
    return _outcome(work, whole.tree, results, f"{passed} of {len(results)} commands passed", again=moved)


def _outcome(
    work: Work, tree: str | None, results: tuple[CommandResult, ...], text: str, *, again: bool = False
) -> Outcome:
    """``again``: the files are no longer those that were judged; where only reviews are left, they are judged anew."""

    def apply(now: float) -> list[int]:
        ready = pipeline.unblock_successors(work.claim.run.id, now)
        return ready + (pipeline.check_whole_early(work.plan.id, now) if again else [])

    result: dict[str, Json] = {"tree": tree, "results": [r.to_json() for r in results]}
    return Outcome(apply, result=result, text=text)
