"""E1 E4: somebody unloads models by hand all the time while several phases are under way."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx
import pytest

from tests.durability.factory_run import plan_text, project

TASKS = 8


class Hand:
    """Unloads whatever is loaded, every now and then, until it is told to stop. ``unloaded`` counts."""

    def __init__(self, url: str, every_s: float) -> None:
        self._url, self._every_s = url, every_s
        self._over = threading.Event()
        self.unloaded = 0
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Hand:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _work(self) -> None:
        with httpx.Client(base_url=self._url) as client:
            while not self._over.wait(self._every_s):
                for model in client.get("/api/v1/models").json()["models"]:
                    for instance in model["loaded_instances"]:
                        client.post("/api/v1/models/unload", json={"instance_id": instance["id"]})
                        self.unloaded += 1


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_plan_is_done_and_no_two_models_are_loaded(tmp_path: Path, parallel: int) -> None:
    """Slow loads that are listed early, memory that comes back late, and a hand that unloads: all tasks are done in one
    attempt each, and never are two large models in memory."""
    scenario: dict[str, object] = {"load_seconds": 0.1, "early_seconds": 0.05, "release_seconds": 0.2}
    settings: dict[str, object] = {"gpu": {"parallel": parallel}}
    with project(tmp_path, settings=settings, first_token_s=0.1, parallel=2, **scenario) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS))
        with Hand(factory.server.url, 0.7) as hand:
            done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stdout + done.stderr
        status = json.loads(factory.lao("status", "--json").stdout)
        assert [(t["state"], t["attempts"]) for t in status["tasks"]] == [("completed", 1)] * TASKS
        assert hand.unloaded >= 3
        assert factory.server.stats["max_large_resident"] == 1
