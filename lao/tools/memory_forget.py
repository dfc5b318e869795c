"""Tool memory_forget: takes facts out of the memory by a part of their text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lao.core.errors import BadInput
from lao.core.steps import Effect
from lao.core.words import Json
from lao.memory.book import PROJECT, MemoryBook
from lao.tools.context import ToolContext, ToolResult
from lao.tools.memory_read import NO_MEMORY


@dataclass(frozen=True)
class _Forget:
    """Effect keyed by the facts that were found when it was asked for."""

    book: MemoryBook | None
    part: str
    scope: str

    def prepare(self) -> Json:
        if self.book is None:
            raise BadInput(NO_MEMORY)
        wanted = " ".join(self.part.split()).casefold()
        found = [fact for fact in self.book.facts(self.scope) if wanted in fact.casefold()]
        if not found:
            raise BadInput(f"no {self.scope} fact contains {self.part!r}", "memory_read shows the facts")
        if len(found) > 1:
            raise BadInput(
                f"{len(found)} {self.scope} facts contain {self.part!r}", "give a longer part of one of them"
            )
        return {"fact": found[0], "scope": self.scope}

    def apply(self, intent: Json) -> Json:
        assert self.book is not None, "prepared"
        self.book.forget(intent["fact"], intent["scope"])
        return ToolResult(f"forgotten ({intent['scope']}): {intent['fact']}").to_json()

    def probe(self, _intent: Json) -> Json | None:
        return None


def edit(context: ToolContext, arguments: Mapping[str, Json]) -> Effect:
    """The one fact that contains the text is out of the memory afterwards."""
    return _Forget(context.memory, arguments["fact_substring"], arguments.get("scope", PROJECT))
