"""The files under ``transcript_path`` of hooks: written when a hook is run, out of the journal, few at a time."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Final

from lao.core.errors import DiskFull
from lao.durable.files import write_atomic
from lao.hooks.transcript import Transcript
from lao.state import journal, plans, runs
from workflows.factory import Factory

FOLDER: Final = "transcripts"
MOST_FILES: Final = 20
"""The transcripts of the latest runs that a hook was told of; older ones are removed."""


def transcript_of(factory: Factory, run_id: int) -> str:
    """The path of the run's transcript as of now, "" when there is no such run or it cannot be written (said once)."""
    run = runs.get(factory.store, run_id)
    if run is None:
        return ""
    plan = plans.get(factory.store, run.plan_id)
    task = plan.text
    if run.task_id is not None:
        spec = plans.task(factory.store, run.task_id).spec
        task = f"{spec.title}\n\n{spec.description}".strip()
    steps = journal.load(factory.store, run_id)
    began = steps[0].at if steps else factory.store.now()
    made = Transcript(plan.id, run_id, plan.workspace, task, began)
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in made.lines(steps))
    path = factory.settings.paths.state_dir / FOLDER / f"run-{run_id}.jsonl"
    try:
        write_atomic(path, text.encode("utf-8", "replace"))
        _leave_the_latest(path.parent)
    except (OSError, DiskFull) as error:
        factory.say_once(f"hooks: the transcript {str(path)!r} cannot be written: {error}")
        return ""
    return str(path)


def _leave_the_latest(folder: Path) -> None:
    found = []
    for path in folder.glob("run-*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # another phase removes old ones, too
            found.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(found)[:-MOST_FILES]:
        path.unlink(missing_ok=True)
