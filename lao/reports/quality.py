"""``quality_report.json``: a plan's report in its published shape, and the JSON Schema of it. Writes no file."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Any, Final

from lao.core.states import ACTIVE_TASKS
from lao.core.words import Json
from lao.reports import evidence as proofs
from lao.reports.model import CHECKED, FAILED, NONE, OPEN, PROVED, SCHEMA_VERSION, UNCHECKED, PlanReport

FILE: Final = "quality_report.json"
MIN_COMPATIBLE: Final = "3.0.0"
"""The oldest reader's version that understands this one."""

_LANGUAGES: Final = {
    ".py": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".jsx": "javascript",
    ".ts": "typescript", ".tsx": "typescript", ".go": "go", ".rs": "rust", ".java": "java", ".kt": "kotlin",
    ".swift": "swift", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".rb": "ruby", ".php": "php",
    ".cs": "csharp", ".sh": "shell", ".sql": "sql", ".html": "html", ".css": "css",
}  # fmt: skip
_STATUSES: Final = (PROVED, CHECKED, UNCHECKED, OPEN, FAILED)
_GRADES: Final = ("critical", "major", "minor", "info")


def document(report: PlanReport) -> dict[str, Json]:
    """The report as ``quality_report.json`` has it; ``report`` in it is the whole of it with all references."""
    return {
        "report_meta": {"schema_version": SCHEMA_VERSION, "min_compatible_version": MIN_COMPATIBLE},
        "plan_id": report.id,
        "detected_languages": _languages(report),
        "validation_inference": {"commands": [item.command for item in report.commands], "commit": report.commit},
        "task_counts": _task_counts(report),
        "quality": _quality(report),
        "preflight": _preflight(report),
        "contracts": [
            {"key": one.key, "command": item.command, "exit_code": item.exit_code, "passed": item.passed}
            for one in report.requirements
            for item in one.evidence
        ],
        "traceability_summary": {
            "requirements": len(report.requirements),
            **{name: sum(one.status == name for one in report.requirements) for name in _STATUSES},
        },
        "observability": _observability(report),
        "convergence": _convergence(report),
        "deliverables": [
            {"task": t.id, "files": list(t.files), "commits": list(t.commits), "added": t.added, "removed": t.removed}
            for t in sorted(report.tasks, key=lambda task: task.id)
        ],
        "efficiency": _efficiency(report),
        "traceability": [
            {
                "key": one.key,
                "status": one.status,
                "tasks": list(one.tasks),
                "evidence": [item.ref for item in one.evidence],
            }
            for one in report.requirements
        ],
        "report": json.loads(json.dumps(report.to_json())),
    }


def text_of(data: dict[str, Json]) -> str:
    """The document as the file holds it."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


@cache
def schema() -> dict[str, Json]:
    """The JSON Schema of the document."""
    text = (resources.files("lao.reports") / "quality_report.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Json] = json.loads(text)
    return loaded


def problems(data: Json) -> list[str]:
    """What the schema says against a document: the path of the key, and what is wrong there."""
    import jsonschema

    validator: Any = jsonschema.Draft202012Validator(schema())
    found = sorted(validator.iter_errors(data), key=lambda error: error.json_path)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


def _languages(report: PlanReport) -> dict[str, int]:
    """Files that were changed, by language; files of unknown kinds are left out."""
    files = {path for task in report.tasks for path in task.files}
    names = [_LANGUAGES.get(PurePosixPath(path).suffix.lower()) for path in sorted(files)]
    return dict(sorted(Counter(name for name in names if name).items()))


def _task_counts(report: PlanReport) -> dict[str, int]:
    states = Counter(task.state for task in report.tasks)
    ended = ("completed", "failed", "needs_human", "cancelled", "waiting")
    active = sum(states[state.value] for state in ACTIVE_TASKS)
    return {"total": len(report.tasks), **{name: states[name] for name in ended}, "active": active}


def _quality(report: PlanReport) -> dict[str, Json]:
    done = [task for task in report.tasks if task.state == "completed"]
    standing = [one for one in report.findings if one.standing]
    return {
        "state": report.state,
        "reason": report.reason,
        "completed_tasks": {name: sum(task.proof == name for task in done) for name in (PROVED, CHECKED, NONE)},
        "commands": len(report.commands),
        "commands_passed": sum(item.passed for item in report.commands),
        "findings_total": report.findings_total,
        "findings_listed": len(report.findings),
        "standing_listed": {grade: sum(one.severity == grade for one in standing) for grade in _GRADES},
    }


def _preflight(report: PlanReport) -> dict[str, Json]:
    """How the checks stood before the work."""
    before = {item.ref: item for task in report.tasks for item in task.evidence if item.moment == proofs.BEFORE}
    return {"commands_before": len(before), "failed_before": sum(not item.passed for item in before.values())}


def _observability(report: PlanReport) -> dict[str, Json]:
    kinds = Counter(span.kind for span in report.timeline)
    names = ("phase", "wait", "load", "swap", "gate")
    return {
        "spans": {name: kinds[name] for name in names},
        "model_calls": sum(one.calls for one in report.usage),
        "crashes": sum(attempt.crashes for task in report.tasks for attempt in task.attempts),
        "open_questions": len(report.questions),
    }


def _convergence(report: PlanReport) -> dict[str, Json]:
    numbers = [len(task.attempts) for task in report.tasks]
    done = [task for task in report.tasks if task.state == "completed"]
    return {
        "attempts": sum(numbers),
        "most_attempts": max(numbers, default=0),
        "completed_at_first_attempt": sum(len(task.attempts) == 1 for task in done),
    }


def _efficiency(report: PlanReport) -> dict[str, Json]:
    told = [one.cached_tokens for one in report.usage if one.cached_tokens is not None]
    return {
        "prompt_tokens": sum(one.prompt_tokens for one in report.usage),
        "completion_tokens": sum(one.completion_tokens for one in report.usage),
        "cached_tokens": sum(told) if told else None,
        "model_seconds": round(sum(one.seconds for one in report.usage), 3),
        "wall_seconds": None if report.ended is None else round(max(0.0, report.ended - report.started), 3),
        "joules": None if report.energy is None else report.energy.joules,
        "joules_complete": None if report.energy is None else report.energy.complete,
    }
