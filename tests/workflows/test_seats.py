"""E1 E5: a phase asks its model only while it is resident, under the name that it has now; and when it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lao.core.chat import ChatAnswer, ChatRequest, Usage
from lao.core.errors import Transient
from lao.core.profile import Profile
from lao.core.states import Role
from lao.state import queries
from tests.workflows.conftest import Plant
from workflows.seats import Seat, SeatedModel, prepare
from workflows.work import KEPT_S, Work

Open = Callable[..., Plant]
MESSAGES = ({"role": "user", "content": "hello"},)


class Echo:
    """Answers with the name that it was asked by, and tells what the prompt cost."""

    def __init__(self, usage: Usage | None = None) -> None:
        self.usage = usage or Usage()

    def complete(self, request: ChatRequest) -> ChatAnswer:
        return ChatAnswer(text=request.model, usage=self.usage)


def ask(seat: Seat, name: str = "sim-coder") -> str:
    return SeatedModel(Echo(), seat).complete(ChatRequest(name, MESSAGES, max_tokens=1)).text


def test_a_model_that_went_is_loaded_again_before_it_is_asked(plant: Open) -> None:
    """E1: another phase had its turn in between; the coder's next call brings its model back."""
    factory = plant().factory
    assert prepare(factory, Role.CODER).problem is None
    seat = Seat(factory, Role.CODER, "sim-coder")
    assert ask(seat) == "sim-coder"
    seat.leave()
    factory.slots.end()
    assert prepare(factory, Role.REVIEWER).problem is None
    factory.slots.end()
    assert queries.models_view(factory.store)["resident"] == ["sim-reviewer"]
    assert ask(seat) == "sim-coder"
    assert queries.models_view(factory.store)["resident"] == ["sim-coder"]


def test_the_name_after_a_reload_is_used(plant: Open) -> None:
    """E1: a request that was made for the first instance is sent to the present one."""
    factory = plant().factory
    seat = Seat(factory, Role.CODER, "an-older-instance")
    assert ask(seat, "an-older-instance") == "sim-coder"
    assert ask(seat, "another model") == "another model"


def test_a_refused_load_is_said(plant: Open) -> None:
    """E1: the phase is put off with the gate's reason, and holds no slot."""
    opened = plant()
    seat = Seat(opened.factory, Role.CODER, "")
    opened.server.stop()
    with pytest.raises(Transient, match=r"cannot be reached|no answer|refused"):
        ask(seat)
    assert opened.factory.slots.ready is False


@pytest.mark.parametrize(
    ("expected_s", "back", "reuse", "kept_s"),
    [
        (None, True, None, 1.5),
        (1.0, True, None, 1.5),
        (2.0, True, None, 0.0),
        (None, False, None, 0.0),
        (None, True, False, 0.0),
    ],
)
def test_what_is_soon_over_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    plant: Open,
    expected_s: float | None,
    back: bool,
    reuse: bool | None,
    kept_s: float,
) -> None:
    """E5: 300 tokens of its own that the model reads in 1.5 s: checks that take longer are not waited for, and
    nothing is where the server reuses no prefix or the model is not asked again."""
    factory = plant().factory
    seat = Seat(factory, Role.CODER, "sim-coder")
    for usage in (Usage(500, 10, 400), Usage(700, 10, 500)):
        SeatedModel(Echo(usage), seat).complete(ChatRequest("sim-coder", MESSAGES, max_tokens=1))
    kept: list[float] = []
    monkeypatch.setattr(factory.slots, "leave", lambda keep_s=0.0: kept.append(keep_s))
    profile = cast(Profile, SimpleNamespace(prefill_tokens_s=200.0, cache_reuse=reuse))
    nothing: Any = None
    work = Work(factory, nothing, nothing, nothing, nothing, profile=profile, seat=seat)
    work.off_gpu(expected_s, back=back)
    assert kept == [kept_s]
    kept.clear()
    slow = cast(Profile, SimpleNamespace(prefill_tokens_s=1.0, cache_reuse=reuse))
    replace(work, profile=slow).off_gpu(back=True)
    assert kept == [0.0 if reuse is False else KEPT_S]
    kept.clear()
    replace(work, profile=None).off_gpu(back=True)
    assert kept == [0.0]
