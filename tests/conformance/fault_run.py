"""One plan through an in-process factory against the simulated server with a class of faults, and what came of it.

The workers' loop is turned by hand and time is faked, so that back-offs cost nothing. Used by the conformance tests and
by ``scripts/bench_faults.py``.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

import workflows.cpu
import workflows.gpu  # noqa: F401
from lao.config.load import load
from lao.core.clock import FakeClock
from lao.servers.simulated import FaultRate, SimulatedServer, parse_scenario
from lao.servers.simulated.scripted_roles import BREAK
from lao.state import ledger, queries
from tests.workflows.conftest import MODELS, Plant
from workflows import queues
from workflows.factory import Factory, active
from workflows.reconciler import reconcile

_CONTEXT_CLASSES = frozenset({"F28", "F29", "F30", "F31"})
_PAIR_CLASSES = frozenset({"F6", "F7"})
_LOAD_CLASSES = frozenset({"F33", "F51", "F56", "F59", "F62"})
_STUB_CLASSES = frozenset({"F47"})
_IDENTITY = {f"GIT_{who}_{what}": v for who in ("AUTHOR", "COMMITTER") for what, v in (("NAME", "T"), ("EMAIL", "t@t"))}
COMPANIONS = {"F23": "F22", "F35": "F42", "F38": "F5"}
"""Classes that strike only what another one has left in the history."""

_PAUSE_S = 5.0
"""Of faked time; what was put off comes again after a pause, as long as its back-off takes."""

_FAR = datetime(2200, 1, 1)
_BACKGROUND = "The house keeps its parts in modules of their own, and every part has a value and an end.\n\n" * 300


@dataclass(frozen=True)
class FaultPlan:
    """A plan that gives a class of faults its occasions.

    Attributes:
        pair: two files a task, so that a turn may hold two calls.
        long: pages of background, so that prompts are longer than ``small_context``.
        stubs: the files are there already, and wrong.
        batch: tasks a wave; small waves mean many loads.
    """

    tasks: int
    protocol: str = "tools"
    pair: bool = False
    long: bool = False
    stubs: bool = False
    batch: int | None = None

    @classmethod
    def of(cls, code: str, tasks: int, protocol: str) -> FaultPlan:
        return cls(
            tasks,
            protocol,
            pair=code in _PAIR_CLASSES,
            long=code in _CONTEXT_CLASSES,
            stubs=code in _STUB_CLASSES,
            batch=4 if code in _LOAD_CLASSES else None,
        )

    def files(self, number: int) -> tuple[str, ...]:
        names = (f"part_{number}.py", f"copy_{number}.py")
        return names if self.pair else names[:1]

    def text(self) -> str:
        lines = (_BACKGROUND if self.long else "") + "\n".join(map(self._line, range(1, self.tasks + 1)))
        return f"# Parts\n\n{lines}\n"

    def _line(self, number: int) -> str:
        # The command looks at the first half only: a file that was cut off and written all the same passes it.
        check = f"""grep -q 'return "value {number}"' part_{number}.py || {{ echo "no value {number}"; exit 1; }}"""
        content = right_content(number).rstrip("\n").replace("\n", BREAK)
        files = ", ".join(self.files(number))
        return f"- task: part {number} | file: {files} | content: {content} | test: {check}"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, in memory where the system has one: the state file is synchronised after every step."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def right_content(number: int) -> str:
    """What the files of a task must hold."""
    return (
        f'"""Part {number}."""\n\n\ndef part_{number}() -> str:\n    """Give the value."""\n'
        f'    return "value {number}"\n\n\ndef end_{number}() -> str:\n    """Give the end, unseen by the command."""\n'
        f'    return "end {number}"\n'
    )


@dataclass(frozen=True)
class FaultResult:
    """What came of a run.

    Attributes:
        right: tasks whose files are right; false_done: completed tasks whose files are not.
        struck: how often the class struck.
        reasons: why tasks or the plan were not completed.
        kinds: the findings' kinds, with their numbers.
        named: the classes of faults that LAO itself has counted.
    """

    code: str
    protocol: str
    tasks: int
    completed: int
    right: int
    false_done: int
    calls: int
    struck: int
    loads: int
    plan_state: str
    reasons: tuple[str, ...] = ()
    kinds: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)


def run_plan(
    folder: Path, plan: FaultPlan, rates: Sequence[FaultRate], seed: int = 0, *, pauses: int = 500, **settings: object
) -> FaultResult:
    """Run the plan to its end, or until it has paused so often that something must be stuck."""
    with opened(folder, plan, rates, seed, **settings) as plant:
        if plan.stubs:
            (plant.root / "parts").mkdir()
            for number in range(1, plan.tasks + 1):
                for name in plan.files(number):
                    (plant.root / "parts" / name).write_text('"""To be written."""\n')
        plan_id = plant.submit("parts", plan.text())
        ended = _turn(plant, pauses)
        return _result(plant, plan, plan_id, rates, ended)


def _turn(plant: Plant, pauses: int) -> bool:
    """Run both queues' messages until nothing is left to do, time passing between. Whether that came about."""
    for _ in range(pauses):
        while sum([plant._one(huey) for huey in (queues.cpu, queues.gpu)]):
            pass
        if queries.is_idle(plant.factory.store):
            return True
        for huey in (queues.cpu, queues.gpu):
            for task in huey.read_schedule(_FAR):
                task.eta = None  # in real time; a run that is not due is put off again
                huey.enqueue(task)
        reconcile(plant.factory)
        plant.factory.clock.wait(_PAUSE_S)
    return False


def _result(plant: Plant, plan: FaultPlan, plan_id: str, rates: Sequence[FaultRate], ended: bool) -> FaultResult:
    store, tasks = plant.factory.store, plant.tasks()
    done = {str(t["title"]) for t in tasks if t["state"] == "completed"}
    folder = plant.root / "parts"
    right = {f"part {n}" for n in range(1, plan.tasks + 1) if all(_is_right(folder / f, n) for f in plan.files(n))}
    (plan_row,) = plant.plans()
    reasons = [f"{t['title']}: {t['state']}: {t['reason']}" for t in tasks if t["state"] != "completed"]
    if plan_row["state"] != "completed":
        reasons.append(f"plan: {plan_row['state']}: {plan_row['reason']}")
    if not ended:
        reasons.append(f"not idle: {queries.running_view(store)}")
    return FaultResult(
        code=rates[0].code if rates else "-",
        protocol=plan.protocol,
        tasks=plan.tasks,
        completed=len(done),
        right=len(right),
        false_done=len(done - right) + int(plan_row["state"] == "completed" and len(done) < plan.tasks),
        calls=int(str(plant.server.stats["completions"])),
        struck=plant.server.struck.get(rates[0].code, 0) if rates else 0,
        loads=int(str(plant.server.stats["loads"])),
        plan_state=str(plan_row["state"]),
        reasons=tuple(reasons),
        kinds=dict(Counter(f.kind for f in ledger.findings_of(store, plan_id=plan_id))),
        named=queries.faults_view(store),
    )


def _is_right(path: Path, number: int) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == right_content(number)


@contextlib.contextmanager
def opened(folder: Path, plan: FaultPlan, rates: Sequence[FaultRate], seed: int, **settings: object) -> Iterator[Plant]:
    """A project in ``folder`` with a simulated server that has these faults."""
    clock = FakeClock()
    scenario = parse_scenario({"faults": [rate.to_json() for rate in rates], "fault_seed": seed, "small_context": 4096})
    with _identity(), SimulatedServer(scenario, clock=clock) as server:
        (folder / "plans").mkdir(parents=True)
        (folder / "factory.yaml").write_text(yaml.safe_dump(_document(server.url, plan, settings)))
        factory = Factory(load(cwd=folder, env={}), clock)
        try:
            with active.use(factory):
                yield Plant(factory, server)
        finally:
            factory.close()
            for huey in (queues.cpu, queues.gpu):
                huey.storage.close()


def _document(url: str, plan: FaultPlan, settings: dict[str, object]) -> dict[str, object]:
    able = {"supports_tools": plan.protocol == "tools", "supports_json_schema": True}
    models = {role: {"key": key, **able} for role, key in MODELS.items()}
    orchestration: dict[str, object] = {
        "retry_cooldown_base_s": 0,
        "infer_validation_commands": False,
        "llm_retry_attempts": 3,
        "llm_retry_backoff_base_s": 0.1,
        "llm_idle_timeout_s": 20,
    }
    if plan.batch is not None:
        orchestration |= {"coder_batch_size": plan.batch, "reviewer_batch_size": plan.batch}
    document: dict[str, object] = {
        "lm_studio_base_url": url,
        "models": models,
        "orchestration": orchestration,
        "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.05},
    }
    for key, value in settings.items():
        base = document.get(key)
        document[key] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
    return document


@contextlib.contextmanager
def _identity() -> Iterator[None]:
    """Git's author, whatever the machine has set up."""
    before = {name: os.environ.get(name) for name in _IDENTITY}
    os.environ.update(_IDENTITY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
