"""The GPU benchmarks run on the real workers, and their figures come from where they say."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from lao.llm.tokens import estimate
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from scripts.gpu import parallel
from scripts.gpu.minimum import least_loads, steps_of
from scripts.gpu.record import steps_of_record
from scripts.gpu.scale import measure as measure_scale
from scripts.gpu.swaps import SwapRow, measure
from scripts.gpu.workloads import Workload, chain, with_rework
from tests.durability.factory_run import project

ROOT = Path(__file__).resolve().parents[2]


def test_loads_of_a_real_run_are_the_least() -> None:
    """E6: two plans, one with a rejection: the server counts what the search says, in both kinds of release."""
    plans = (chain(2, 0), with_rework(chain(2, 1), 0.5, random.Random(3)))
    for release, loads in (("reviewed", 7), ("verified", 5)):
        row = measure(Workload("two", plans), release)
        assert row == SwapRow("two", 4, 4, loads, loads, 1)
        assert row.holds


def test_a_row_above_the_least_does_not_hold() -> None:
    """One load too many, two large models at once or a task that is not completed breaks the bar."""
    assert not SwapRow("w", 4, 4, 4, 3, 1).holds
    assert not SwapRow("w", 4, 3, 3, 3, 1).holds
    assert not SwapRow("w", 4, 4, 3, 3, 2).holds


@pytest.mark.parametrize("release", ["reviewed", "verified"])
def test_what_happened_is_read_from_the_record(tmp_path: Path, release: str) -> None:
    """The least for the recorded phases of a chain with a rejection is what its plan says beforehand."""
    workload = Workload("one", (with_rework(chain(3), 0.3, random.Random(1)),))
    keys = {role: f"sim-{role}" for role in ("planner", "coder", "reviewer")}
    settings: dict[str, object] = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "release": release},
        "models": {role: {"key": key, "supports_tools": False} for role, key in keys.items()},
    }
    rules = parse_scenario({"responses": workload.rules()}).responses
    with project(tmp_path, settings=settings, responses=rules) as factory:
        (factory.root / "plans" / "one.md").write_text(workload.text(0))
        assert factory.lao("run", "--single-run", "--plain").returncode == 0
        steps = steps_of_record(factory.root / ".lao" / "state.db", keys, release)
        assert least_loads(steps) == least_loads(steps_of(workload, release)) == factory.server.stats["loads"]
    assert len(steps) == len(steps_of(workload, release))


def test_scale_measures_workers_at_work(tmp_path: Path) -> None:
    """A small size goes through, and its figures are those of live processes."""
    row = measure_scale(5, tmp_path, idle_s=0.5)
    assert (row.tasks, row.plans, row.completed) == (5, 1, 5)
    assert row.ms_per_task > 0
    assert 10 < row.late_mib <= row.peak_mib < 1000


def test_the_prompts_share_their_first_half() -> None:
    """Some 600 tokens each, no two the same, and about half of each is the beginning of every other one."""
    first, *others = [parallel.prompt(number) for number in range(1, 9)]
    assert len({first, *others}) == 8
    assert 500 < estimate(first) < 750
    for other in others:
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, other, strict=False)))
        assert 0.4 < shared / len(first) < 0.6


def test_requests_at_once_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """1, 2 and 4 requests on a server with two slots: it really had two at once, those beyond waited and are told; the
    context is the server's figure."""
    scenario = {
        "models": [{"key": "one"}],
        "parallel": 2,
        "jit_context_length": 3000,
        "tokens_per_second": 1000,
        "responses": [{"answer": {"text": "word ", "repeat": 400}}],
    }
    with SimulatedServer(parse_scenario(scenario)) as server:
        assert parallel.run(server.url, "one", as_json=True) == 0
        stats = server.stats
    rows = json.loads(capsys.readouterr().out)
    assert [(r["at_once"], r["slots"], r["context"], r["crowded"]) for r in rows] == [
        (1, 2, 3000, False),
        (2, 2, 3000, False),
        (4, 2, 3000, True),
    ]
    assert [r["generated"] for r in rows] == [128, 256, 512]
    assert (stats["most_at_once"], stats["completions"]) == (2, 8)
    assert stats["most_waiting"] >= 1
    assert rows[1]["whole_rate"] > 1.2 * rows[0]["whole_rate"]
    assert rows[2]["worst_first_s"] > rows[2]["first_s"] > 0
    shown = parallel.table([parallel.ParallelRow(**{k: v for k, v in r.items() if k != "crowded"}) for r in rows])
    assert "\n4 requests were sent at once and the server answers 2 at once: the others waited." in shown
    assert "\n2 requests" not in shown


def test_a_server_that_does_not_tell_its_slots(capsys: pytest.CaptureFixture[str]) -> None:
    """A chat-only server: slots and context are unknown, and the table says so."""
    with SimulatedServer(parse_scenario({"models": [{"key": "one"}], "api": "openai"})) as server:
        assert parallel.run(server.url, "one", as_json=False) == 0
    shown = capsys.readouterr().out
    assert "| 4 | unknown | unknown |" in shown
    assert "does not tell how many requests it answers at once" in shown


def test_requests_that_are_refused(capsys: pytest.CaptureFixture[str], free_port: int) -> None:
    """A context that is too small for the prompt, and a server that is away: a message, no table, not 0."""
    with SimulatedServer(parse_scenario({"models": [{"key": "one"}], "jit_context_length": 256})) as server:
        assert parallel.run(server.url, "one", as_json=False) != 0
    assert parallel.run(f"http://127.0.0.1:{free_port}", "one", as_json=False) != 0
    said = capsys.readouterr()
    assert "the server refused a request (HTTP 400)" in said.err
    assert "no model server answers" in said.err
    assert said.out == ""


def test_the_command_line_knows_its_benchmarks() -> None:
    """An unknown name is refused with those that there are."""
    script = str(ROOT / "scripts" / "bench_gpu.py")
    done = subprocess.run([sys.executable, script, "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("swaps", "scale", "parallel"))
    wrong = [sys.executable, script, "parallel", "--url", "http://127.0.0.1:9"]
    done = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert (done.returncode, "needs --model" in done.stderr) == (2, True)
