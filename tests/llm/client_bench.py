"""The chat client under test, with what it reported. The openai library is loaded here: a deadline may be shorter."""

from __future__ import annotations

from typing import Any

import openai  # noqa: F401

from lao.core.chat import ChatRequest
from lao.core.clock import FakeClock
from lao.core.words import Event
from lao.llm.client import OpenAIModel

REQUEST = ChatRequest("m", ({"role": "user", "content": "hello"},), max_tokens=50)


class Bench:
    """A client and what it reported."""

    def __init__(self, url: str, **more: Any) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        options: dict[str, Any] = {
            "connect_timeout_s": 2.0, "first_token_timeout_s": 5.0, "idle_timeout_s": 5.0, "retry_attempts": 3,
            "retry_backoff_base_s": 5.0, **more,
        }  # fmt: skip
        self.model = OpenAIModel(url, "key", clock=self.clock, report=self.events.append, **options)

    @property
    def faults(self) -> list[str]:
        return [e.data["class"] for e in self.events if e.kind == "model.fault"]

    @property
    def retries(self) -> list[Event]:
        return [e for e in self.events if e.kind == "model.retry"]
