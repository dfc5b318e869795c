"""What a program around a tool call wants asked of a person before the call is made. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass

from lao.core.words import Json


@dataclass(frozen=True)
class AskFirst:
    """A call that may be made when a person says yes.

    Attributes:
        reason: shown to the person, and to the model when it is a no.
        arguments: to use instead of the model's; None leaves them.
    """

    reason: str
    arguments: dict[str, Json] | None = None

    def to_json(self) -> list[Json]:
        """As the journal keeps it: a list, where other arguments are an object and a refusal is a text."""
        return [self.reason, self.arguments]

    @classmethod
    def from_json(cls, data: list[Json]) -> AskFirst:
        return cls(str(data[0]), data[1])
