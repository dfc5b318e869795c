"""benchmark_report.json and benchmark_history.json: what they hold, regressions by them, a history that is broken."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lao import __version__
from lao.cli.benchmark.trials import Result
from lao.core.errors import BadInput
from lao.core.words import Json
from lao.durable.files import write_atomic

REPORT: Final = "benchmark_report.json"
HISTORY: Final = "benchmark_history.json"
SCHEMA_VERSION: Final = "1.0.0"
LONGEST_HISTORY: Final = 200
"""Runs that are kept."""


@dataclass(frozen=True)
class Run:
    """One earlier run.

    Attributes:
        kind: "simulated" or "live"; runs are compared with runs of their kind.
        models: what answered, by role; live runs are compared only where these are the same.
        passed, failed: names.
    """

    date: str
    version: str
    kind: str
    models: Mapping[str, str]
    pass_rate: float
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float


def read_history(path: Path, tell: Callable[[str], None]) -> list[Run]:
    """The earlier runs, oldest first. A file that holds no such thing is set aside and said in one message.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"cannot read {str(path)!r}: {error.strerror}", "check the file's permissions") from error
    try:
        return [_run(entry) for entry in json.loads(text)["runs"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        aside = _free(path)
        try:
            path.replace(aside)
        except OSError as error:
            raise BadInput(
                f"cannot rename {str(path)!r}: {error.strerror}", "check the folder's permissions"
            ) from error
        tell(f"lao: {str(path)!r} is no history of this benchmark; it is kept as {aside.name!r}, a new one begins")
        return []


def _free(path: Path) -> Path:
    """A name beside the file that is not taken."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.broken-{number}{path.suffix}")).exists():
        number += 1
    return aside


def _run(entry: dict[str, Any]) -> Run:
    return Run(
        date=str(entry["date"]),
        version=str(entry["version"]),
        kind=str(entry["kind"]),
        models={str(role): str(key) for role, key in entry["models"].items()},
        pass_rate=float(entry["pass_rate"]),
        passed=tuple(str(name) for name in entry["passed"]),
        failed=tuple(str(name) for name in entry["failed"]),
        seconds=float(entry["seconds"]),
    )


def regressions(results: Sequence[Result], history: Sequence[Run], kind: str, models: Mapping[str, str]) -> list[str]:
    """The names of what fails now and passed when it was last tried in a run of this kind with these models."""
    found = []
    for name in (result.name for result in results if not result.passed):
        alike = (run for run in reversed(history) if run.kind == kind and run.models == models)
        last = next((run for run in alike if name in (*run.passed, *run.failed)), None)
        if last is not None and name in last.passed:
            found.append(name)
    return found


def report(results: Sequence[Result], kind: str, models: Mapping[str, str], worse: list[str]) -> dict[str, Json]:
    """benchmark_report.json; the share ``pass_rate`` is of those that were carried out, seconds are of wall time."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "date": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "kind": kind,
        "models": dict(models),
        "pass_rate": sum(result.passed for result in results) / len(results),
        "seconds": round(sum(result.seconds for result in results), 2),
        "regressions": worse,
        "scenarios": [result.to_json() for result in results],
    }


def keep(root: Path, told: Mapping[str, Json], history: Sequence[Run]) -> None:
    """Write the report, and the history with this run at its end, each whole or not at all.

    Raises:
        BadInput: the folder cannot be written to.
    """
    names = {passed: [s["name"] for s in told["scenarios"] if s["passed"] is passed] for passed in (True, False)}
    copied = ("date", "version", "kind", "models", "pass_rate", "seconds")
    entry = {**{name: told[name] for name in copied}, "passed": names[True], "failed": names[False]}
    runs = [*(asdict(run) for run in history), entry][-LONGEST_HISTORY:]
    try:
        write_atomic(root / REPORT, _text(told))
        write_atomic(root / HISTORY, _text({"schema_version": SCHEMA_VERSION, "runs": runs}))
    except OSError as error:
        raise BadInput(f"cannot write into {str(root)!r}: {error.strerror}", "check its permissions") from error


def _text(document: Mapping[str, Json]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def machine() -> dict[str, Json]:
    """Cores, bytes of memory (None where the system does not say), system and Python."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = None
    told = {"cpu_count": os.cpu_count(), "memory_bytes": memory}
    return {**told, "system": platform.system(), "python": platform.python_version()}
