"""Whole plans on servers other than LM Studio: which name is chatted with, what is loaded when, what is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lao.core.states import Role
from lao.state import queries
from tests.durability.factory_run import plan_text
from tests.servers.stand_ins.llamacpp import LlamaCppStandIn
from tests.servers.stand_ins.ollama import OllamaStandIn
from tests.servers.stand_ins.stand_in import Answer, Part, StandIn
from workflows.phases import _prepare

from .conftest import MODELS, Plant

Open = Callable[..., Plant]
CHAT = "/v1/chat/completions"


def talking(kind: type[StandIn], simulated_url: str) -> StandIn:
    """A stand-in whose chats are answered by the simulated server, under the base model's name."""

    class Talking(kind):  # type: ignore[valid-type, misc]
        def answer(self, method: str, path: str, body: Any) -> Answer:
            if path != CHAT:
                return super().answer(method, path, body)
            base = body["model"].split("-lao-")[0]
            assert self.resident == [base], "the chat's model is the one in memory"
            reply = httpx.post(f"{simulated_url}{CHAT}", json={**body, "model": base})
            return Answer(reply.text, reply.status_code)

    return Talking(*(Part(key, size=1000, context=32768) for key in MODELS.values()))


@pytest.mark.parametrize("kind", [OllamaStandIn, LlamaCppStandIn])
def test_a_whole_plan(plant: Open, kind: type[StandIn]) -> None:
    """Found by itself, loaded and unloaded by LAO, chatted with under the name that has the context; nothing is loaded
    a second time by a chat."""
    opened = plant()
    with talking(kind, opened.server.url) as server:
        again = plant(lm_studio_base_url=server.url)
        again.submit("parts", plan_text(2))
        again.turn()
        assert [p["state"] for p in again.plans()] == ["completed"]
        names = {body["model"] for body in server.asked(CHAT)}
        wanted = {"sim-planner-lao-32768", "sim-coder-lao-16384", "sim-reviewer-lao-8192"}
        assert names == (wanted if kind is OllamaStandIn else set(MODELS.values()))
        assert server.loads == queries.models_view(again.factory.store)["loads"] == 3
        assert server.unloads == 2


def test_what_did_not_fit_into_the_gpu_is_reported(plant: Open) -> None:
    """A load that spills to the CPU is an event of the gate, with the bytes; the phase runs all the same."""
    with OllamaStandIn(*(Part(key, size=1000, context=32768) for key in MODELS.values())) as server:
        server.gpu = 600
        factory = plant(lm_studio_base_url=server.url).factory
        prepared = _prepare(factory, Role.CODER, 1)
        assert (prepared.model_name, prepared.context_length) == ("sim-coder-lao-16384", 16384)
        (told,) = [row for row in gate_events(factory.store) if row["event"] == "gate.cpu"]
        assert (told["model"], told["cpu_bytes"]) == ("sim-coder", 400)


def gate_events(store: Any) -> list[dict[str, Any]]:
    from lao.state.tables import ModelEventRow

    return [row.data for row in ModelEventRow.select().where(ModelEventRow.kind == "gate")]
