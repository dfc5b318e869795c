"""How much of the night the server waits for LAO: wall time against the sum of model time, every call one second."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.durability.factory_run import project

TIMEOUT_S = 1200
CALL_S = 1.0
BAR = 1.10
CHECK = "python3 -c \"import time; time.sleep({s:g}); open('part_{n}.txt')\""


@dataclass(frozen=True)
class IdleRow:
    """``checked`` tasks have a command that failed before and passes now; ``model_s`` is what the calls alone take,
    ``wall_s`` the whole run, from start to end of ``lao run``."""

    tasks: int
    completed: int
    checked: int
    calls: int
    model_s: float
    wall_s: float

    @property
    def ratio(self) -> float:
        return self.wall_s / self.model_s


def measure(tasks: int, check_s: float) -> IdleRow:
    """Work through independent tasks, each with a command that takes ``check_s`` seconds."""
    lines = [
        f"- task: part {n} | file: part_{n}.txt | content: text {n} | test: {CHECK.format(s=check_s, n=n)}"
        for n in range(tasks)
    ]
    settings: dict[str, object] = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False},
        "models": {role: {"key": f"sim-{role}", "supports_tools": False} for role in ("planner", "coder", "reviewer")},
        "calibration": {"auto": False},
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        project(Path(folder), settings=settings, first_token_s=CALL_S) as factory,
    ):
        (factory.root / "plans" / "parts.md").write_text("# Parts\n\n" + "\n".join(lines) + "\n")
        started = time.monotonic()
        done = factory.lao("run", "--single-run", "--plain", timeout=TIMEOUT_S)
        wall = time.monotonic() - started
        if done.returncode:
            raise SystemExit(f"the run failed:\n{done.stdout}{done.stderr}")
        status = json.loads(factory.lao("status", "--json").stdout)
        calls = int(factory.server.stats["completions"])
    completed = sum(task["state"] == "completed" for task in status["tasks"])
    checked = sum(task["evidence"] == "proved" for task in status["tasks"])
    return IdleRow(tasks, completed, checked, calls, calls * CALL_S, round(wall, 1))


def run(tasks: int, *, as_json: bool) -> int:
    """Measure with commands of one second, and with none to speak of; 1 when the bar is broken."""
    rows = {check_s: measure(tasks, check_s) for check_s in (1.0, 0.0)}
    if as_json:
        print(json.dumps([{"check_s": s, **asdict(row), "ratio": round(row.ratio, 2)} for s, row in rows.items()]))
    else:
        print("| command s | tasks | completed | checked | calls | model s | wall s | ratio |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for check_s, row in rows.items():
            print(f"| {check_s:g} | {' | '.join(str(v) for v in asdict(row).values())} | {row.ratio:.2f} |")
    return 0 if all(row.ratio <= BAR for row in rows.values()) else 1
