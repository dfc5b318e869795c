"""A project in a temporary folder with the real server code behind it, and the workers' loop turned by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import workflows.cpu
import workflows.gpu  # noqa: F401
from lao.config.load import load
from lao.core.clock import Clock
from lao.servers.simulated.scenario import Scenario, parse_scenario
from lao.servers.simulated.server import SimulatedServer
from lao.state import queries
from workflows import queues
from workflows.factory import Factory, active
from workflows.reconciler import reconcile
from workflows.submission import submit_file

MODELS = {"planner": "sim-planner", "coder": "sim-coder", "reviewer": "sim-reviewer"}


@dataclass
class Plant:
    """An opened project: hand in plans, turn the workers' loop, look at the state."""

    factory: Factory
    server: SimulatedServer

    @property
    def root(self) -> Path:
        return self.factory.settings.paths.root

    def submit(self, name: str, text: str) -> str:
        path = self.factory.settings.paths.plans / f"{name}.md"
        path.write_text(text, encoding="utf-8")
        return submit_file(self.factory, path).plan.id

    def turn(self, limit: int = 2000) -> None:
        """Run messages of both queues until nothing is left to do, as two consumers would."""
        for _ in range(limit):
            worked = sum(self._one(huey) for huey in (queues.cpu, queues.gpu))
            if worked:
                continue
            if queries.is_idle(self.factory.store):
                return
            self._schedule()
            reconcile(self.factory)
            self.factory.clock.wait(0.05)
        raise AssertionError(f"not idle after {limit} turns: {queries.running_view(self.factory.store)}")

    def turn_until_coding(self) -> None:
        """Ingest and plan; the coder's messages wait."""
        for huey in (queues.cpu, queues.gpu):
            assert self._one(huey)

    def _one(self, huey: queues.FactoryHuey) -> bool:
        task = huey.dequeue()
        if task is None:
            return False
        huey.execute(task)
        return True

    def _schedule(self) -> None:
        for huey in (queues.cpu, queues.gpu):
            for task in huey.read_schedule():
                huey.enqueue(task)

    def tasks(self) -> list[dict[str, object]]:
        return queries.tasks_view(self.factory.store)

    def plans(self) -> list[dict[str, object]]:
        return queries.plans_view(self.factory.store)


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")


@pytest.fixture
def plant(tmp_path: Path, identity: None) -> Iterator[Callable[..., Plant]]:
    """Opens a project: ``plant(scenario={...}, **settings)``."""
    opened: list[Plant] = []

    def build(scenario: dict[str, object] | None = None, clock: Clock | None = None, **settings: object) -> Plant:
        server = SimulatedServer(parse_scenario(scenario) if scenario else Scenario())
        server.start()
        document: dict[str, object] = {
            "lm_studio_base_url": server.url,
            "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
            "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "llm_retry_attempts": 1},
            "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.01},
            "sandbox": {"writable": [str(tmp_path)]},  # checks leave traces there, for the test to see
        }
        for key, value in settings.items():
            base = document.get(key)
            document[key] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
        (tmp_path / "plans").mkdir(exist_ok=True)
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
        factory = Factory(load(cwd=tmp_path, env={}), clock)
        context = active.use(factory)
        context.__enter__()
        opened.append(Plant(factory, server))
        closers.append(lambda: context.__exit__(None, None, None))
        return opened[-1]

    closers: list[Callable[[], object]] = []
    yield build
    for item, close in zip(opened, closers, strict=True):
        close()
        item.factory.close()
        for huey in (queues.cpu, queues.gpu):
            huey.storage.close()
        item.server.stop()
