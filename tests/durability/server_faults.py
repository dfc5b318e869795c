"""T14: a model server that refuses, fails, hangs, breaks off and talks nonsense. Run: ... server_faults --faults 500

None of that is a task's fault, so no attempt is used; and what is asked again within a call is no turn of the coder.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.servers.simulated.scenario import CHAT_PATH, Fault, FaultRate, Match, Rule
from tests.durability.factory_run import Project, kill_group, project
from tests.durability.invariants import CallsAllowed, check_plans
from tests.durability.plan_stream import PlanStream

CLASSES = ("F49", "F50", "F53", "F54", "F55", "F56", "F59", "F60", "F62")
"""Of the simulated server: loading, crashed, broken off, busy, unloaded by others, memory that is late. Not F51: there
the server itself loads a second large instance, which the checker would hold against LAO."""

KINDS = ("http", "hang", "close", "garbage", "html", "cut", "error_event", "empty")
_MODELS = "/api/v1/models"
PATHS = (CHAT_PATH, CHAT_PATH, _MODELS, f"{_MODELS}/load")
RATE, TURNS, LONGEST_S = 0.03, 4, 300.0
SETTINGS: dict[str, object] = {
    "orchestration": {
        "retry_cooldown_base_s": 0,
        "infer_validation_commands": False,
        "coder_max_turns": TURNS,
        "llm_request_timeout_s": 2,
        "llm_idle_timeout_s": 1,
        "llm_retry_backoff_base_s": 0.05,
        "model_load_timeout_s": 3,
        "model_load_poll_interval_s": 0.1,
        "swap_patience_s": 1,
    },
    "memory_gate": {"settle_timeout_s": 5, "poll_interval_s": 0.05},
}


class Trouble:
    """Keeps the server in trouble, by a seed."""

    def __init__(self, factory: Project, seed: int) -> None:
        self._server, self._chance = factory.server, random.Random(seed)
        self._clock = SystemClock()
        self._away: int = 0
        self._seed = seed

    def begin(self) -> None:
        """Not before a first plan is over: what a project's first contact says is taken for a wrong address."""
        self._server.set_faults([FaultRate(code, RATE) for code in CLASSES], self._seed)

    def struck(self) -> dict[str, int]:
        """By class or kind; those that the server was away for are counted by its stops."""
        return dict(sorted({**self._server.struck, "refused or restarted": self._away}.items()))

    def stir(self) -> None:
        """Order one more fault, or take the server away for a moment."""
        chance = self._chance
        self._clock.wait(chance.uniform(0.05, 0.3))
        if chance.random() < 0.05:
            self._server.restart() if chance.random() < 0.5 else self._refuse(chance.uniform(0.1, 1.0))
            self._away += 1
            return
        kind, path = chance.choice(KINDS), chance.choice(PATHS)
        times = 1 if kind in ("empty", "cut") else chance.randint(1, 2)
        self._server.interpose(Rule(Match(path=path), None, Fault(kind, after=chance.randint(1, 4)), times))

    def over(self) -> None:
        self._server.interpose()
        self._server.set_faults([])

    def _refuse(self, seconds: float) -> None:
        self._server.stop()
        self._clock.wait(seconds)
        while True:
            try:
                return self._server.start()
            except BadInput:  # a client happens to have the port
                self._clock.wait(0.1)


def most_turns(factory: Project) -> int:
    """The most model calls that one attempt of a coder recorded."""
    with closing(sqlite3.connect(factory.root / ".lao" / "state.db")) as connection:
        counts = connection.execute(
            "SELECT count(*) FROM lao_step JOIN lao_run ON lao_run.id = run_id"
            " WHERE phase = 'code' AND kind = 'model' AND lao_step.state = 'done' GROUP BY run_id"
        ).fetchall()
    return max((n for (n,) in counts), default=0)


def server_faults(folder: Path, *, faults: int, seed: int) -> dict[str, object]:
    """Work until so many faults have struck, then to the end. Returns the figures."""
    violations: list[str] = []
    clock = SystemClock()
    with project(folder, settings=SETTINGS, first_token_s=0.02) as factory:
        stream, trouble, log = PlanStream(factory), Trouble(factory, seed), folder / "run.log"
        run = factory.start("run", "--plain", log=log)
        try:
            stream.keep_open(1)
            end = clock.monotonic() + LONGEST_S + faults
            while stream.open() and clock.monotonic() < end and run.poll() is None:
                clock.wait(0.2)
            trouble.begin()
            while sum(trouble.struck().values()) < faults and clock.monotonic() < end and run.poll() is None:
                stream.keep_open(2)
                trouble.stir()
            trouble.over()
            end = clock.monotonic() + LONGEST_S
            while stream.open() and clock.monotonic() < end and run.poll() is None:
                clock.wait(0.2)
            run.terminate()
            code = run.wait(LONGEST_S)
        finally:
            kill_group(run)
        struck = trouble.struck()
        again = sum(struck.values())
        allowed = CallsAllowed(stream.steps, stream.steps + again, stream.steps + 2 * again)
        violations += check_plans(factory, stream.plans, allowed)
        turns = most_turns(factory)
        violations += [f"{turns} turns where {TURNS} are the limit"] if turns > TURNS * 1.05 else []
        violations += [f"lao run ended with {code}"] if code != 130 else []
        tracebacks = log.read_text(errors="replace").count("Traceback")
        violations += [f"{tracebacks} tracebacks in the log"] if tracebacks else []
    return {
        "seed": seed,
        "struck": sum(struck.values()),
        "by_kind": struck,
        "plans": len(stream.plans),
        "tasks": sum(stream.plans.values()),
        "most_turns": turns,
        "violations": violations,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = server_faults(options.keep or Path(folder), faults=options.faults, seed=seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
