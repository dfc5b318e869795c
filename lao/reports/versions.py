"""Versions of ``quality_report.json``: which this LAO reads, and how a report of LAO 3.1 becomes one of today."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.core.errors import BadInput, LaoError
from lao.core.words import Json
from lao.durable.files import create_whole, write_atomic
from lao.reports import quality
from lao.reports.model import SCHEMA_VERSION

OLD: Final = "2.0.0"
"""Of LAO 3.1."""

_KEYS: Final = (
    "plan_id", "detected_languages", "validation_inference", "task_counts", "quality", "preflight", "contracts",
    "traceability_summary", "observability", "convergence", "deliverables", "efficiency", "traceability",
)  # fmt: skip


def version_of(file: Path, data: dict[str, Json]) -> str:
    """The version that the document says it has.

    Raises:
        BadInput: it says none.
    """
    meta = data.get("report_meta")
    version = meta.get("schema_version") if isinstance(meta, dict) else None
    if not isinstance(version, str) or not version:
        raise BadInput(
            f"{str(file)!r} is no quality report: report_meta.schema_version is missing", "'lao report PLAN' makes one"
        )
    return version


def require_current(file: Path, data: dict[str, Json]) -> None:
    """See that the document is of the version that this LAO writes.

    Raises:
        BadInput: it is of another one; says what to do.
    """
    version = version_of(file, data)
    if version == SCHEMA_VERSION:
        return
    if version == OLD:
        raise BadInput(f"{str(file)!r} is of version {OLD} (LAO 3.1)", f"'lao report migrate --file {file}' lifts it")
    raise _unknown(file, version)


def migrate(file: Path, data: dict[str, Json], text: str) -> Path | None:
    """Lift a report of LAO 3.1, atomically; the old text is kept beside it. None: it is of today's version already.

    Returns:
        where the old text is.

    Raises:
        BadInput: another version, or it cannot become one of today.
        LaoError: it cannot be written; nothing was changed.
    """
    version = version_of(file, data)
    if version == SCHEMA_VERSION:
        return None
    if version != OLD:
        raise _unknown(file, version)
    lifted = _lifted(data)
    wrong = quality.problems(lifted)
    if wrong:
        raise BadInput(f"{str(file)!r} cannot be migrated: {wrong[0]}", "'lao report PLAN' makes a new one")
    try:
        kept = _keep(file, text)
        write_atomic(file, quality.text_of(lifted))
    except OSError as error:
        raise LaoError(f"{str(file)!r} cannot be migrated ({error})", "nothing was changed there") from error
    return kept


def _lifted(data: dict[str, Json]) -> dict[str, Json]:
    """What LAO 3.1 knew; what it did not know is null. It rests on no rows, so there is no ``report`` in it."""
    meta = {
        "schema_version": SCHEMA_VERSION,
        "min_compatible_version": quality.MIN_COMPATIBLE,
        "migrated_from": OLD,
    }
    return {"report_meta": meta, **{key: data.get(key) for key in _KEYS}, "report": None}


def _keep(file: Path, text: str) -> Path:
    """The old text under a name of its own; a copy that is there already is taken."""
    for number in range(1, 1000):
        again = f".{number}" if number > 1 else ""
        place = file.with_name(f"{file.stem}.{OLD}{again}{file.suffix}")
        if create_whole(place, text) or (place.is_file() and place.read_text(encoding="utf-8") == text):
            return place
    raise BadInput(f"{str(file.parent)!r} holds a thousand old reports", "remove some")


def _unknown(file: Path, version: str) -> BadInput:
    return BadInput(
        f"{str(file)!r} is of version {version!r}; this LAO knows {OLD} and {SCHEMA_VERSION}",
        "use the LAO that wrote it, or make it again with 'lao report PLAN'",
    )
