"""Runs against a real llama-server router: LAO_LIVE_ROUTER, with two small models at least. Not in CI.

llama-server --models-dir DIR --models-max 4 --no-models-autoload --port 8095 -c 4096 -np 1 --jinja
LAO_LIVE_ROUTER=http://127.0.0.1:8095 python -m pytest -m live tests/live/test_router.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from lao.core.clock import SystemClock
from lao.core.errors import Terminal
from lao.servers.adapters.llamacpp import LlamaCppServer
from lao.servers.adapters.pace import Pace
from lao.servers.detect import connect, detect_kind
from tests.durability.factory_run import Project
from tests.durability.test_processes import status
from tests.servers.support import make_settings

pytestmark = pytest.mark.live

PLAN = """# Greeting

Write `greeting.py` with `greet(name)`. It returns the text `Hello, ` followed by the name.

Test: `python3 -c "from greeting import greet; assert greet('Ann') == 'Hello, Ann'"`
"""
TERMINAL = {"completed", "failed", "needs_human"}


def url() -> str:
    return os.environ["LAO_LIVE_ROUTER"]


@pytest.fixture
def router() -> Iterator[LlamaCppServer]:
    """The adapter, with nothing loaded before and after."""
    server = LlamaCppServer(url(), "", pace=Pace(SystemClock(), 120.0, 1.0))
    empty(server)
    yield server
    empty(server)
    server.close()


def empty(server: LlamaCppServer) -> None:
    for info in server.models():
        for instance in info.loaded:
            server.unload(instance.instance_id)


def small(server: LlamaCppServer) -> list[str]:
    """The two smallest models, by the names that their sizes are part of."""
    keys = [info.key for info in server.models()]
    return sorted(keys, key=lambda key: ("135m" not in key, "270m" not in key, key))[:2]


def say(key: str) -> httpx.Response:
    body = {"model": key, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    return httpx.post(f"{url()}/v1/chat/completions", json=body, timeout=120)


def resident(server: LlamaCppServer) -> list[str]:
    return [i.key for info in server.models() for i in info.loaded]


def test_it_is_found_by_itself() -> None:
    """auto takes the address for a llama-server, and the adapter for a router."""
    settings = make_settings(url=url())
    assert detect_kind(settings) == "llamacpp"
    assert connect(settings, SystemClock()).manages_memory


def test_load_chat_swap_unload(router: LlamaCppServer) -> None:
    """A load ends when a chat works, also the second one; an unload ends when the chat is refused."""
    first, second = small(router)
    instance = router.load(first, 4096)
    assert (instance.key, instance.context_length) == (first, 4096)
    assert router.load(first, 2048) == instance
    assert say(first).json()["choices"][0]["message"]["role"] == "assistant"
    assert next(m.size_bytes for m in router.models() if m.key == first) > 50_000_000
    router.unload(first)
    assert resident(router) == []
    assert "model is not loaded" in say(first).text
    router.load(second, 4096)
    assert resident(router) == [second]
    assert say(second).status_code == 200
    router.unload(second)
    router.unload(second)
    assert resident(router) == []


def test_what_cannot_be_loaded(router: LlamaCppServer) -> None:
    """Unknown models name the nearest; a context that the presets do not have is refused with both figures."""
    first = small(router)[0]
    with pytest.raises(Terminal) as caught:
        router.load(first + "-instruct-v9", 4096)
    assert first in caught.value.hint
    with pytest.raises(Terminal, match="4096 although 1000000"):
        router.load(first, 1_000_000)
    assert resident(router) == []
    router.unload("no-such-model")


def test_a_whole_run_loads_and_unloads(router: LlamaCppServer, tmp_path: Path) -> None:
    """A plan with two models on the router ends; each was loaded by LAO, never two at once, whatever they wrote."""
    keys = [info.key for info in router.models()]
    coder = next((key for key in keys if "coder" in key), keys[0])
    reviewer, planner = small(router)[0], coder
    role = {"max_completion": 700, "supports_tools": False, "supports_json_schema": True}
    document = {
        "lm_studio_base_url": url(),
        "models": {
            "planner": {"key": planner, **role},
            "coder": {"key": coder, **role},
            "reviewer": {"key": reviewer, **role},
        },
        "attempts": {"repairs": 1, "candidates": 1, "split": False},
        "calibration": {"auto": False},
        "orchestration": {"retry_cooldown_base_s": 0, "max_task_attempts": 1},
    }
    root = tmp_path / "project"
    (root / "plans").mkdir(parents=True)
    (root / "factory.yaml").write_text(yaml.safe_dump(document))
    (root / "plans" / "greeting.md").write_text(PLAN)
    project = Project(root, None)  # type: ignore[arg-type]  # the server is not ours
    done = project.lao("run", "--single-run", timeout=1200)
    assert done.returncode in (0, 3, 4), done.stderr
    assert "unexpected" not in done.stderr
    shown = status(project)
    assert {p["state"] for p in shown["plans"]} <= TERMINAL
    assert shown["models"]["loads"] == shown["models"]["unloads"] + 1
    assert resident(router) in ([coder], [reviewer])
