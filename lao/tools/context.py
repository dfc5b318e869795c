"""What a tool gets and gives: its context, its result, the audit line. Knows no single tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lao.core.asking import AskFirst
from lao.core.words import Json
from lao.durable.sandbox.policy import OPEN, Sandbox

if TYPE_CHECKING:
    from lao.memory.book import MemoryBook
    from lao.search.searcher import Searcher
    from lao.skills.shelf import Shelf
    from lao.tools.seen import Seen


class TodoStore(Protocol):
    """Where the open points of the running task are kept."""

    def get(self) -> list[dict[str, Json]]:
        """The items, each with ``id``, ``content``, ``status``."""
        ...

    def set(self, items: list[dict[str, Json]]) -> None:
        """Replace all items."""
        ...


class ToolHooks(Protocol):
    """The user's programs around tool calls (``lao.hooks.tool_calls``)."""

    def before(self, name: str, arguments: Mapping[str, Json]) -> str | dict[str, Json] | AskFirst | None:
        """Asked about a valid call that is permitted: why it is refused, None to go on, other arguments, or that a
        person must say yes first."""
        ...

    def after(self, name: str, arguments: Mapping[str, Json], result: ToolResult) -> str:
        """Told of a call that was run; what the model is to read besides the result."""
        ...


@dataclass(frozen=True)
class ToolAudit:
    """One call that a model asked for.

    Attributes:
        tool: the tool's real name, or the name as asked when there is no such tool.
        granted: whether it was allowed to run; False for a bad name, bad arguments and a refusal.
        reason: why it was refused or did not work, else "".
        ok: whether it did what was asked.
        seconds: time that the tool itself took.
        isolation: what surrounded its command; "" for what ran none.
    """

    tool: str
    arguments: Mapping[str, Json]
    granted: bool
    reason: str
    ok: bool
    seconds: float
    isolation: str = ""


@dataclass(frozen=True)
class ToolContext:
    """What tools work with.

    Attributes:
        root: the plan's folder; no tool reaches beyond it.
        marker: put on every process that a tool starts (``lao.durable.processes``).
        containment: what surrounds the commands of a tool.
        before_command: called before each command, which may take long.
        audit: called once for every call that really ran or was refused; not on replay from the journal.
        result_limit: most characters of a result's text.
        seen: what the model knows of the files; None lets it change any file.
        search: the project's index; None reads all files at each search.
        skills: the skills on offer; None where there are none.
        memory: what is remembered; None where memory is switched off.
        hidden: whether a rule forbids to read a path of the workspace; the dispatcher sets it by its policy.
    """

    root: Path
    marker: str
    todos: TodoStore
    audit: Callable[[ToolAudit], None]
    command_timeout_s: float = 300.0
    containment: Sandbox = OPEN
    stop: Callable[[], bool] | None = None
    before_command: Callable[[], None] | None = None
    result_limit: int = 24_000
    seen: Seen | None = None
    search: Searcher | None = None
    skills: Shelf | None = None
    memory: MemoryBook | None = None
    hidden: Callable[[str], bool] = lambda _path: False


@dataclass(frozen=True)
class ToolResult:
    """What the model is told.

    Attributes:
        ok: False when the text is an error that the model should act on.
        changed: workspace-relative paths whose content is now different.
        isolation: for the audit: what surrounded the command that was run.
    """

    text: str
    ok: bool = True
    changed: tuple[str, ...] = ()
    isolation: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"text": self.text, "ok": self.ok, "changed": list(self.changed)}

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> ToolResult:
        return cls(data["text"], data["ok"], tuple(data["changed"]))


def failure(text: str) -> ToolResult:
    """An error in band."""
    return ToolResult(text, ok=False)
