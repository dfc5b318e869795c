"""What really happened in a project, as steps for ``minimum``: each phase with a model, and what it needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from scripts.gpu.minimum import CODER, PLANNER, REVIEWER, Step

_MODELS: Final = {"plan": PLANNER, "code": CODER, "review": REVIEWER}
_RUNS: Final = """
SELECT id, plan_id, task_id, phase, started_at, finished_at FROM lao_run
WHERE phase IN ('plan', 'code', 'review') AND state IN ('done', 'failed') AND started_at IS NOT NULL ORDER BY started_at
"""


def steps_of_record(database: Path, keys: dict[str, str], release: str = "reviewed") -> tuple[Step, ...]:
    """The finished phases in the order in which they began.

    Args:
        keys: the model of each role; roles with one model share their loads.
    """
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        runs = connection.execute(_RUNS).fetchall()
        needs: dict[int, list[int]] = {}
        for task, needed in connection.execute("SELECT task_id, needs_id FROM lao_dependency"):
            needs.setdefault(task, []).append(needed)
    finally:
        connection.close()
    number = {run[0]: place for place, run in enumerate(runs)}
    ground = "code" if release == "verified" else "review"
    steps = []
    for _, plan, task, phase, started, _ in runs:
        earlier = [run for run in runs if run[5] <= started]
        before = [_last(earlier, plan, task, None), _last(earlier, plan, None, "plan")]
        if phase == "code":
            before += [_last(earlier, plan, needed, ground) for needed in needs.get(task, ())]
        steps.append(Step(keys[_MODELS[phase]], tuple(sorted({number[run] for run in before if run is not None}))))
    return tuple(steps)


def _last(runs: Iterable[tuple[int, str, int | None, str, float, float]], plan: str, task: int | None,
          phase: str | None) -> int | None:  # fmt: skip
    found = [run[0] for run in runs if (run[1], run[2]) == (plan, task) and phase in (None, run[3])]
    return found[-1] if found else None
