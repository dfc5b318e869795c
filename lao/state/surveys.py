"""What models have said of a workspace before, out of the results of finished surveys. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lao.core.states import Phase, RunState
from lao.core.words import Json
from lao.state.store import Store
from lao.state.tables import PlanRow, RunRow

_NEWEST = 50


def answered(store: Store, workspace: Path, key: str, models: Collection[str]) -> dict[str, Json] | None:
    """The newest survey of a workspace whose model's part may be used again, of whatever plan; None when there is none.

    Args:
        key: ``report_meta.key`` of the survey as it is now: the same files, the same ones named by the plan.
        models: keys of the models whose word counts.
    """
    if not key:
        return None
    with store.reading():
        done = (
            RunRow.select(RunRow.result)
            .join(PlanRow)
            .where(
                PlanRow.workspace == str(workspace),
                RunRow.phase == Phase.SURVEY.value,
                RunRow.state == RunState.DONE.value,
            )
        )
        for row in done.order_by(RunRow.id.desc()).limit(_NEWEST):
            document: dict[str, Json] = (row.result or {}).get("survey") or {}
            meta = document.get("report_meta") or {}
            part = meta.get("model_part") or {}
            if meta.get("key") == key and part.get("status") == "answered" and part.get("model") in models:
                return document
    return None
