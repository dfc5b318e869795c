"""Every class of faults at a probability: what a plan of small tasks comes to on the simulated server.

usage: python scripts/bench_faults.py [--tasks 20] [--probability 0.3] [--seed N] [--jobs 2] [--git] [--json]
                                       [CLASS ...]
The bar: 95 % of the tasks completed with right contents, none completed with wrong ones, at most twice the model calls
of the undisturbed plan. Exit status 1 when a class breaks it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.servers.simulated.faults import CLASSES  # noqa: E402
from lao.servers.simulated.scenario import FaultRate  # noqa: E402
from tests.conformance.fault_run import COMPANIONS, FaultPlan, FaultResult, run_plan, scratch  # noqa: E402

LEAST_DONE = 0.95
MOST_CALLS = 2.0
NO_FAULT = "-"
TOOLS_ONLY = frozenset(
    f"F{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 21, 22, 23, 24, 25, 26, 27, 32, 37, 38, 44, 48)
)
"""Classes that only a tool call can suffer from; all others strike the text protocol as well."""
ROW = "{:5} {:5} {:>9} {:>6} {:>6} {:>7} {:>6} {:>6}  {}"


@dataclass(frozen=True)
class Row:
    """One class under one protocol, beside the same plan undisturbed."""

    result: FaultResult
    undisturbed: int
    seconds: float

    @property
    def factor(self) -> float:
        return self.result.calls / self.undisturbed if self.undisturbed else 1.0

    @property
    def broken(self) -> tuple[str, ...]:
        """The bars that this class breaks."""
        found, least = self.result, LEAST_DONE * self.result.tasks
        return tuple(
            text
            for broken, text in (
                (found.completed < least or found.right < least, "not done"),
                (found.false_done > 0, "FALSE DONE"),
                (self.factor > MOST_CALLS, "too many calls"),
            )
            if broken
        )


def protocols(code: str) -> tuple[str, ...]:
    """Under which protocols a class is run."""
    return ("tools",) if code in TOOLS_ONLY else ("tools", "text")


def run(job: tuple[str, FaultPlan, float, int, bool]) -> tuple[FaultResult, float]:
    """One plan in a folder of its own; runs in a process of the pool."""
    code, plan, probability, seed, git = job
    logging.disable(logging.CRITICAL)
    rates = [] if code == NO_FAULT else [FaultRate(code, probability)]
    if code in COMPANIONS:
        rates = [FaultRate(code), FaultRate(COMPANIONS[code], probability)]
    started = time.perf_counter()
    with scratch() as folder:
        result = run_plan(folder, plan, rates, seed, git={"enabled": git})
    return result, time.perf_counter() - started


def rows(codes: Sequence[str], options: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they come."""
    wanted = [(code, FaultPlan.of(code, options.tasks, name)) for code in codes for name in protocols(code)]
    calm = list(dict.fromkeys(plan for _, plan in wanted))
    jobs = [(NO_FAULT, plan) for plan in calm] + wanted
    with ProcessPoolExecutor(max_workers=options.jobs) as pool:
        found = pool.map(run, [(code, plan, options.probability, options.seed, options.git) for code, plan in jobs])
        base: dict[FaultPlan, int] = {}
        for (code, plan), (result, seconds) in zip(jobs, found, strict=True):
            base.setdefault(plan, result.calls)
            yield Row(replace(result, code=code), base[plan], seconds)


def shown(row: Row) -> str:
    """The row's line, and what went wrong under it."""
    found = row.result
    title = "undisturbed" if found.code == NO_FAULT else CLASSES[found.code].title
    if found.code in COMPANIONS:
        title += f" (after {COMPANIONS[found.code]})"
    verdict = f"{title}{'  <-- ' + ', '.join(row.broken) if row.broken else ''}"
    done = f"{found.completed}/{found.tasks}"
    line = ROW.format(
        found.code, found.protocol, done, found.right, found.false_done, found.struck, found.calls,
        f"{row.factor:.2f}x", verdict,
    )  # fmt: skip
    return "\n".join([line, *(f"      {reason[:200]}" for reason in found.reasons[:3] if row.broken)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("classes", nargs="*", metavar="CLASS", help="F1 to F62; all by default")
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--probability", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="plans at a time")
    parser.add_argument("--git", action="store_true", help="with a repository, as LAO works by default; slower")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    codes = [code.upper() for code in options.classes] or list(CLASSES)
    unknown = [code for code in codes if code not in CLASSES]
    if unknown:
        parser.error(f"no such class: {', '.join(unknown)}")
    started = time.perf_counter()
    if not options.json:
        print(ROW.format("class", "coder", "completed", "right", "false", "strikes", "calls", "factor", "what"))
    all_rows = []
    for row in rows(codes, options):
        all_rows.append(row)
        if not options.json:
            print(shown(row), flush=True)
    broken = sum(bool(row.broken) for row in all_rows)
    facts = {
        "date": date.today().isoformat(), "cores": os.cpu_count(), "python": platform.python_version(),
        "seed": options.seed, "probability": options.probability, "tasks": options.tasks, "git": options.git,
        "seconds": round(time.perf_counter() - started), "rows": len(all_rows), "broken": broken,
    }  # fmt: skip
    if options.json:
        figures = [{**asdict(r.result), "undisturbed": r.undisturbed, "broken": r.broken} for r in all_rows]
        print(json.dumps({**facts, "results": figures}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in facts.items()))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
