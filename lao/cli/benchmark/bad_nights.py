"""Trials in which something happens while LAO works: the server goes, the workers are killed, a plan is cancelled."""

from __future__ import annotations

from typing import Final

from lao.cli.benchmark.good_nights import all_done, committed, parts
from lao.cli.benchmark.trials import Stage, Trial
from lao.cli.benchmark.workshop import ended, kill, until
from lao.core.words import Json

_RUN: Final = ("run", "--single-run", "--plain")
CALLS_BEFORE: Final = 5
"""The planner's, two of the coder and one of the reviewer for the first part, and the one that hangs."""
_HANG: Final[dict[str, Json]] = {
    "responses": [{"match": {"role": "coder", "contains": "- part_2.txt"}, "fault": {"kind": "hang"}, "times": 1}]
}
"""The first request for the second part gets no answer, so that what happens then happens in the middle of a call."""


def _server_dies(stage: Stage) -> None:
    stage.shop.plan("outage", parts(2, check="test -s part_{n}.txt", chained=True))
    with stage.shop.started(*_RUN) as process:
        until(stage.hung, "the coder's call", process)
        stage.server.stop()
        stage.server.restart()
        until(lambda: _waits_for_it(stage), "waiting for the server", process)
        stage.server.start()
        code, said = ended(process)
    stage.checks.true("lao run ends with exit code 0", code == 0, f"{code}: {said}")
    tasks = all_done(stage, "outage", tasks=2)
    stage.checks.equal("the outage uses no attempt", [1, 1], [t["attempts"] for t in tasks])
    committed(stage, "outage", "part_2.txt", "content of part 2")


def _waits_for_it(stage: Stage) -> bool:
    return any(run["reason"] for run in stage.shop.status()["running"])


def _killed(stage: Stage) -> None:
    stage.shop.plan("killed", parts(3, check="test -s part_{n}.txt", chained=True))
    with stage.shop.started(*_RUN) as process:
        until(stage.hung, "the coder's call", process)
        kill(process)
    before = stage.calls()
    stage.ends(0)
    tasks = all_done(stage, "killed", tasks=3)
    stage.checks.equal("the crash uses no attempt", [1, 1, 1], [t["attempts"] for t in tasks])
    recorded = stage.shop.status()["calls"]["model"]
    lost = stage.calls() - recorded
    stage.checks.true("only the call in flight is made again", lost == 1, f"{lost} calls of {stage.calls()} are lost")
    stage.checks.true("it was killed in the middle", before == CALLS_BEFORE, f"{before} calls before")


def _cancelled(stage: Stage) -> None:
    stage.shop.plan("dropped", parts(2, check="test -s part_{n}.txt", chained=True))
    stage.shop.plan("kept", parts(1, check="test -s part_{n}.txt"))
    with stage.shop.started(*_RUN) as process:
        until(stage.hung, "the coder's call", process)
        done = stage.shop.lao("cancel", "dropped")
        stage.checks.equal("lao cancel ends with exit code 0", 0, done.returncode)
        code, said = ended(process)
    stage.checks.true("lao run ends with exit code 3", code == 3, f"{code}: {said}")
    view = stage.shop.status()
    states = {p["name"]: p["state"] for p in view["plans"]}
    stage.checks.equal("one plan is cancelled", {"dropped": "cancelled", "kept": "completed"}, states)
    stage.checks.equal("nothing is at work any more", [], view["running"])
    stage.checks.equal("no half work is left", "", stage.shop.git("dropped", "status", "--porcelain").strip())
    stage.checks.equal("no file of it", "", stage.shop.git("dropped", "ls-files", "part_2.txt").strip())
    committed(stage, "kept", "part_1.txt", "content of part 1")


BAD_NIGHTS: Final = (
    Trial(
        "server-restarts", "A server that dies in a call and comes back empty costs no attempt.", _server_dies, _HANG
    ),
    Trial("workers-killed", "After kill -9 in a call the next run goes on, and repeats no other call.", _killed, _HANG),
    Trial(
        "plan-cancelled", "A cancelled plan ends at once and leaves no half work; the other goes on.", _cancelled, _HANG
    ),
)
