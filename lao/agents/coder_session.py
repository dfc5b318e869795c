"""What both coder protocols share: asking within the window, and writing through the toolbox. Decides no turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lao.agents.ask import JournaledModel, request
from lao.agents.coder_brief import CoderBrief, fenced
from lao.agents.compaction import Room
from lao.agents.toolbox import Toolbox
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer
from lao.core.diffs import parse_patch, render
from lao.core.errors import BadInput
from lao.core.steps import OutcomeUnknown, Steps
from lao.core.words import Json
from lao.llm.conversation import Conversation
from lao.llm.faults import ContextOverflow
from lao.llm.textfiles import PatchBlock, TextFiles
from lao.tools.editing import NOT_PYTHON
from lao.tools.lost_names import with_lost_names

_UNKNOWN_OUTCOME = (
    "The command was interrupted, its outcome is unknown, and it was not run again. Look before you repeat it."
)

_STOPS = 4
"""The interface's limit."""


@dataclass
class Session:
    """One attempt on its way. ``changed``: changed paths in order; ``stale``: how often rejected content came again;
    ``rung``: the way of asking that worked (``lao.agents.turn_ladder``); ``known_rung``: what is expected to."""

    brief: CoderBrief
    model: JournaledModel
    settings: ModelSettings
    steps: Steps
    toolbox: Toolbox
    conversation: Conversation
    tools: tuple[dict[str, Json], ...]
    limit: int
    begin: Callable[[CoderBrief], Conversation]
    room: Room = field(default_factory=Room)
    turns: int = 0
    tool_calls: int = 0
    stale: int = 0
    rung: str = ""
    known_rung: str = ""
    changed: dict[str, None] = field(default_factory=dict)

    def ask(
        self, *, tools: tuple[dict[str, Json], ...] | None = None, schema: dict[str, Json] | None = None
    ) -> ChatAnswer:
        """The next answer, after making room. One overflow in mid-conversation is met by a smaller history.

        Args:
            tools: sent instead of the session's own.
            schema: that the answer must satisfy.
        """
        tools = self.tools if tools is None else tools
        self.room.make(self, self.model.scale.allowed(self.limit))
        self.turns += 1
        try:
            return self._complete(tools, schema)
        except ContextOverflow:
            size = self.conversation.size(self.tools)
            if self.turns == 1 or not self.conversation.fit(size // 2, self.tools):
                raise
            self.limit = size // 2
            return self._complete(tools, schema)

    def _complete(self, tools: tuple[dict[str, Json], ...], schema: dict[str, Json] | None) -> ChatAnswer:
        stop = () if tools or schema else self._not_wanted()
        messages = self.conversation.messages
        return self.model.complete(request(self.settings, messages, tools=tools, schema=schema, stop=stop))

    def _not_wanted(self) -> tuple[str, ...]:
        """Where an answer may end: models go on with the test files that they were shown, which costs their length."""
        given = [path for path, _ in self.brief.context_files if self.brief.protects(path)]
        return tuple(f"\nFILE: {path}" for path in given[:_STOPS])

    def __post_init__(self) -> None:
        """Tell the tools which files the first message shows, whole or in part."""
        shown = "".join(str(m["content"]) for m in self.conversation.messages if m["role"] == "user")
        known = self.brief.current
        whole = [path for path, content in known.items() if fenced(path, content.rstrip("\n")) in shown]
        partly = [path for path in known if path not in whole and f" {path}" in shown]
        self.toolbox.begin(whole, partly)

    def call(self, name: str, arguments: dict[str, Json]) -> tuple[str, bool]:
        """Run a tool; its text for the model and whether it worked."""
        if name == "file_patch" and isinstance(arguments.get("patch"), str) and arguments["patch"].strip():
            return self._call_patch(arguments)
        return self._call_one(name, arguments)

    def _call_patch(self, arguments: dict[str, Json]) -> tuple[str, bool]:
        """A patch file by file; models put several into one call, and leave the path to the patch."""
        path = arguments.get("path")
        named = path.removeprefix("./") if isinstance(path, str) else ""
        try:
            diffs = parse_patch(arguments["patch"], named)
        except BadInput as exc:
            return f"Error: {exc}", False
        if len(diffs) == 1 and named:
            return self._call_one("file_patch", {"path": named, "patch": arguments["patch"]})
        told = [self._call_one("file_patch", {"path": d.path, "patch": render(d)}) for d in diffs]
        return "\n".join(text for text, _ in told), all(ok for _, ok in told)

    def _call_one(self, name: str, arguments: dict[str, Json]) -> tuple[str, bool]:
        path = arguments.get("path")
        if name in ("file_write", "file_patch") and isinstance(path, str) and self.brief.protects(_plain(path)):
            return f"Error: {path} is a given test file and must not be changed.", False
        added: tuple[str, ...] = ()
        if name == "file_write" and isinstance(path, str) and path.endswith(".py"):
            known = dict(self.brief.context_files).get(_plain(path)) or self.brief.current.get(_plain(path), "")
            content, added = with_lost_names(str(arguments.get("content", "")), known)
            arguments = {**arguments, "content": content} if added else arguments
        self.tool_calls += 1
        try:
            outcome = self.toolbox.call(name, arguments, self.steps, f"tool:{name}-{self.tool_calls}")
        except OutcomeUnknown:
            return _UNKNOWN_OUTCOME, False
        for changed in outcome.changed:
            self.changed.setdefault(changed)
        note = f"\nAdded, because it was missing: {'; '.join(added)}" if added and outcome.ok else ""
        return outcome.text + note, outcome.ok

    def apply(self, parsed: TextFiles) -> list[str]:
        """Write the files and edits of an answer; returns what did not work, one line each.

        What fits is kept; when an edit does not, a line says which ones are applied already.
        """
        problems = list(parsed.problems)
        files = [f for f in parsed.files if not self.brief.protects(f.path)]  # models repeat the tests they were shown
        patches = [p for p in parsed.patches if not self.brief.protects(p.path)]
        again = [f for f in files if self.brief.rejected.get(f.path) == f.content]
        if again and len(again) == len(files) and not patches:
            self.stale += 1
            return [
                *problems,
                *(f"{f.path}: this is the content that failed before. Find the mistake and change it." for f in again),
            ]
        for file in files:
            text, ok = self.call("file_write", {"path": file.path, "content": file.content})
            problems += self._troubles(file.path, text, ok)
            self.note(file.path, ok)
        return problems + self._apply_edits(patches)

    def _apply_edits(self, patches: list[PatchBlock]) -> list[str]:
        problems: list[str] = []
        done: list[str] = []
        counts: dict[str, int] = {}
        for patch in patches:
            counts[patch.path] = counts.get(patch.path, 0) + 1
            label = f"{patch.path}, edit {counts[patch.path]}"
            text, ok = self._apply_edit(patch)
            self.note(patch.path, ok)
            problems += self._troubles(label, text, ok)
            done += [label] if ok else []
        if done and len(done) < len(patches):
            problems.append(f"Applied already, do not send again: {'; '.join(done)}.")
        return problems

    def _apply_edit(self, patch: PatchBlock) -> tuple[str, bool]:
        if patch.patch:
            return self.call("file_patch", {"path": patch.path, "patch": patch.patch})
        if patch.search.strip():
            return self.call("file_patch", {"path": patch.path, "search": patch.search, "replace": patch.replace})
        if self.brief.current.get(patch.path, "").strip():
            return "the SEARCH part is empty. Write the complete file instead.", False
        return self.call("file_write", {"path": patch.path, "content": patch.replace + "\n"})

    def _troubles(self, label: str, text: str, ok: bool) -> list[str]:
        """What the model must hear about a write: that it failed, or that it broke the file."""
        if not ok:
            return [f"{label}: {text}"]
        broken = text.partition("Warning: ")[2] if NOT_PYTHON in text else ""
        return [broken] if broken else []

    def start_over(self) -> None:
        """A new conversation that does not show the rejected content: weak models copy what they see."""
        self.conversation = self.begin(self.brief.without_short_files())

    def note(self, path: str, ok: bool) -> None:
        """Count a write that worked as a change, even when the content was the same."""
        if ok:
            self.changed.setdefault(path)


def _plain(path: str) -> str:
    return path.removeprefix("./")
