"""The rows of a benchmark: kept in a JSON file after every exercise, summed up, printed as Markdown. Runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from lao.core.errors import BadInput
from lao.core.words import Json
from scripts.exercism.baseline import Floor
from scripts.exercism.factory import Claim
from scripts.exercism.judge import Judgement
from scripts.exercism.server import Figures

COMPLETED = "completed"
_UNANSWERED = 1.25
"""LAO counts answered calls, the server all. When it saw more than this many times LAO's, others were at it too."""


class Results:
    """Settings, notes and rows; ``path`` None keeps them in memory only."""

    def __init__(self, path: Path | None, settings: dict[str, Json]) -> None:
        self.path = path
        self.settings = settings
        self.notes: dict[str, Json] = {}
        self.rows: dict[str, dict[str, Json]] = {}

    @classmethod
    def opened(cls, path: Path | None, settings: dict[str, Json], *, resume: bool) -> Results:
        """Empty results, or those of an interrupted benchmark.

        Raises:
            BadInput: the file is there although nothing is to be resumed, or is one of other settings.
        """
        results = cls(path, settings)
        if path is None or not path.exists():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            return results
        if not resume:
            raise BadInput(f"{str(path)!r} exists", "--resume goes on with it; or name another file with --out")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            earlier, results.notes = data["settings"], data["notes"]
            results.rows = {row["name"]: row for row in data["rows"]}
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{str(path)!r} is not a file of this benchmark: {error!r}") from error
        other = [f"{k}: {earlier.get(k)!r}, now {v!r}" for k, v in settings.items() if earlier.get(k) != v]
        if other:
            raise BadInput(f"{str(path)!r} was made with other settings: {'; '.join(other)}")
        return results

    def has(self, name: str, part: str) -> bool:
        return part in self.rows.get(name, {})

    def put(self, name: str, part: str, value: dict[str, Json]) -> None:
        """Note one part ("lao" or "baseline") of an exercise's row, and save."""
        self.rows.setdefault(name, {"name": name})[part] = value
        self.save()

    def save(self) -> None:
        """Write the file whole, or not at all."""
        if self.path is None:
            return
        rows = list(self.rows.values())
        data = {"settings": self.settings, "notes": self.notes, "rows": rows, "totals": totals(rows)}
        temporary = self.path.with_name(f"{self.path.name}.part")
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(self.path)


def lao_part(claim: Claim, judged: Judgement, server: Figures | None) -> dict[str, Json]:
    """What LAO claimed beside what is true. Over the limit counts as not solved, whatever was left behind.

    The server's own figures are the more exact ones, unless it had other clients at the time.
    """
    over = claim.code is None
    shared = server is not None and server.calls > claim.figures.calls * _UNANSWERED + 2
    figures = server if server is not None and not shared and server.calls >= claim.figures.calls else claim.figures
    return {
        "state": claim.state or "none",
        "reason": claim.reason,
        "judge": judged.passed,
        "solved": judged.passed and not over,
        "false_done": claim.state == COMPLETED and not judged.passed,
        "unchecked": unchecked(claim.status),
        "unclaimed": judged.passed and claim.state != COMPLETED,
        "over_limit": over,
        "rung": claim.rung,
        **asdict(figures),
        "seconds": round(claim.seconds, 1),
        "shared_server": shared,
        "figures": {"lao": asdict(claim.figures), "server": asdict(server) if server else None},
        "exit_code": claim.code,
        "judge_output": judged.output[-3000:],
        "log": claim.log,
        "status": claim.status,
    }


def unchecked(status: dict[str, Json]) -> bool:
    """Whether LAO itself says of a completed task that no check stands behind it."""
    tasks = status.get("tasks") or ()
    return any(task.get("state") == COMPLETED and task.get("evidence") == "none" for task in tasks)


def baseline_part(floor: Floor) -> dict[str, Json]:
    return {
        "one": floor.one,
        "two": floor.two,
        **asdict(floor.figures),
        "seconds": round(floor.seconds, 1),
        "answers": list(floor.answers),
    }


def totals(rows: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """Sums over the rows that have the part. ``ratio``: solved by LAO over solved by two prompts, of the same rows."""
    rows = list(rows)
    lao = [row["lao"] for row in rows if "lao" in row]
    base = [row["baseline"] for row in rows if "baseline" in row]
    found: dict[str, Json] = {}
    if lao:
        flags = {
            name: sum(r[name] for r in lao)
            for name in ("solved", "false_done", "unclaimed", "over_limit", "shared_server")
        }
        told = sum(r["false_done"] and r.get("unchecked", False) for r in lao)
        found["lao"] = {"exercises": len(lao), **flags, "false_done_unchecked": told, **_sums(lao)}
    if base:
        two = None if any(r["two"] is None for r in base) else sum(r["two"] for r in base)
        found["baseline"] = {"exercises": len(base), "one": sum(r["one"] for r in base), "two": two, **_sums(base)}
    both = [row for row in rows if "lao" in row and "baseline" in row]
    floor = sum(bool(row["baseline"]["two"]) for row in both)
    if floor:
        found["ratio"] = round(sum(row["lao"]["solved"] for row in both) / floor, 2)
    return found


def _sums(parts: list[dict[str, Json]]) -> dict[str, Json]:
    known = [p["cached"] for p in parts if p["cached"] is not None]
    return {
        "calls": sum(p["calls"] for p in parts),
        "prompt": sum(p["prompt"] for p in parts),
        "cached": sum(known) if known else None,
        "generated": sum(p["generated"] for p in parts),
        "seconds": round(sum(p["seconds"] for p in parts), 1),
    }
