"""What each sandbox costs: time and processor time from the start of a command that does nothing to its result.

Usage: python scripts/bench_sandbox.py [--rounds 40]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lao.config.hosts import parse_host  # noqa: E402 - the checkout need not be installed
from lao.durable.containment import Containment, works  # noqa: E402
from lao.durable.processes import run_command  # noqa: E402
from lao.durable.sandbox.policy import Limits, Sandbox  # noqa: E402

LIMITS = Limits(memory_mb=8192, file_mb=4096, processes=512, tmp_mb=2048)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    print("| Sandbox | Median | Worst | Processor |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, sandbox in _sandboxes():
            before = _processor()
            taken = sorted(_seconds(sandbox, Path(folder)) for _ in range(rounds))
            used, median = (_processor() - before) / rounds, statistics.median(taken)
            print(f"| {name} | {median * 1000:.0f} ms | {taken[-1] * 1000:.0f} ms | {used * 1000:.0f} ms |")
    return 0


def _sandboxes() -> Iterator[tuple[str, Sandbox]]:
    """Each that works here, and with a list of hosts where it can be kept."""
    for how in filter(works, Containment):
        sandbox = Sandbox(how, limits=LIMITS)
        yield how.value, sandbox
        listed = replace(sandbox, hosts=(parse_host("example.org"),))
        if listed.by_list:
            yield f"{how.value}, a list of hosts", listed


def _processor() -> float:
    """Seconds used by this process and its children so far."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _seconds(sandbox: Sandbox, folder: Path) -> float:
    result = run_command("true", cwd=folder, timeout_s=60, marker=f"bench/{folder}", containment=sandbox)
    if not result.passed:
        raise SystemExit(f"{sandbox.how.value}: {result.output}")
    return result.seconds


if __name__ == "__main__":
    sys.exit(main())
