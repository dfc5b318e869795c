"""The seam to the tools: what the coder needs of a toolbox (``lao.tools.toolbox`` is one). Holds no tool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lao.core.steps import Steps
from lao.core.words import Json


class Outcome(Protocol):
    """What a tool did: the text for the model, whether it worked, the paths that it changed."""

    @property
    def text(self) -> str: ...

    @property
    def ok(self) -> bool: ...

    @property
    def changed(self) -> tuple[str, ...]: ...


class Toolbox(Protocol):
    """Tools by name. Every call is a step of the journal, made inside ``call``."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tools on offer."""
        ...

    def begin(self, whole: Iterable[str] = (), partly: Iterable[str] = ()) -> None:
        """A new attempt: an existing file may be changed when it is named here, or was read or written since."""
        ...

    def openai_specs(self) -> tuple[dict[str, Json], ...]:
        """The tools in OpenAI form, in a fixed order."""
        ...

    def schema(self, name: str) -> dict[str, Json]:
        """The JSON Schema of a tool's parameters."""
        ...

    def call(self, name: str, arguments: dict[str, Json], steps: Steps, label: str) -> Outcome:
        """Run a tool. Wrong names and arguments are answered in band (``ok`` false), not raised."""
        ...
