"""Tool memory_append: remembers one fact, once however often it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lao.core.errors import BadInput
from lao.core.steps import Effect
from lao.core.words import Json
from lao.memory.book import PROJECT, MemoryBook
from lao.memory.facts import checked
from lao.tools.context import ToolContext, ToolResult
from lao.tools.memory_read import NO_MEMORY


@dataclass(frozen=True)
class _Append:
    """Effect keyed by the fact itself: doing it again changes nothing."""

    book: MemoryBook | None
    fact: str
    scope: str

    def prepare(self) -> Json:
        if self.book is None:
            raise BadInput(NO_MEMORY)
        return {"fact": checked(self.fact), "scope": self.scope}

    def apply(self, intent: Json) -> Json:
        assert self.book is not None, "prepared"
        self.book.append(intent["fact"], intent["scope"])
        return ToolResult(f"remembered ({intent['scope']}): {intent['fact']}").to_json()

    def probe(self, _intent: Json) -> Json | None:
        return None


def edit(context: ToolContext, arguments: Mapping[str, Json]) -> Effect:
    """The fact is in the memory of its scope afterwards."""
    return _Append(context.memory, arguments["fact"], arguments.get("scope", PROJECT))
