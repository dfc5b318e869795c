"""What both coder protocols share: asking within the window, and writing through the toolbox. Decides no turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lao.agents.ask import JournaledModel, request
from lao.agents.coder_brief import CoderBrief
from lao.agents.toolbox import Toolbox
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed
from lao.core.steps import OutcomeUnknown, Steps
from lao.core.words import Json
from lao.llm.conversation import Conversation
from lao.llm.faults import ContextOverflow
from lao.llm.textfiles import TextFiles

_UNKNOWN_OUTCOME = (
    "The command was interrupted, its outcome is unknown, and it was not run again. Look before you repeat it."
)


@dataclass
class Session:
    """One attempt on its way. ``changed``: changed paths in order; ``stale``: how often rejected content came again."""

    brief: CoderBrief
    model: JournaledModel
    settings: ModelSettings
    steps: Steps
    toolbox: Toolbox
    conversation: Conversation
    tools: tuple[dict[str, Json], ...]
    limit: int
    begin: Callable[[CoderBrief], Conversation]
    turns: int = 0
    tool_calls: int = 0
    stale: int = 0
    changed: dict[str, None] = field(default_factory=dict)

    def ask(self) -> ChatAnswer:
        """The next answer, after making room. One overflow in mid-conversation is met by a smaller history."""
        self._make_room(self.limit)
        self.turns += 1
        try:
            return self._complete()
        except ContextOverflow:
            size = self.conversation.size(self.tools)
            if self.turns == 1 or not self.conversation.fit(size // 2, self.tools):
                raise
            self.limit = size // 2
            return self._complete()

    def _complete(self) -> ChatAnswer:
        return self.model.complete(request(self.settings, self.conversation.messages, tools=self.tools))

    def _make_room(self, limit: int) -> None:
        if not self.conversation.fit(limit, self.tools):
            raise AttemptFailed(
                f"the conversation about task {self.brief.task.title!r} does not fit {limit} tokens",
                "Raise context_length of the coder, or split the task.",
                kind="context_overflow",
            )

    def call(self, name: str, arguments: dict[str, Json]) -> tuple[str, bool]:
        """Run a tool; its text for the model and whether it worked."""
        path = arguments.get("path")
        if (
            name in ("file_write", "file_patch")
            and isinstance(path, str)
            and self.brief.protects(path.removeprefix("./"))
        ):
            return f"Error: {path} is a given test file and must not be changed.", False
        self.tool_calls += 1
        try:
            outcome = self.toolbox.call(name, arguments, self.steps, f"tool:{name}-{self.tool_calls}")
        except OutcomeUnknown:
            return _UNKNOWN_OUTCOME, False
        for changed in outcome.changed:
            self.changed.setdefault(changed)
        return outcome.text, outcome.ok

    def apply(self, parsed: TextFiles) -> list[str]:
        """Write the files and edits of an answer; returns what did not work, one line each."""
        problems = list(parsed.problems)
        known = dict(self.brief.context_files)
        for file in parsed.files:
            if self.brief.protects(file.path):
                continue  # models repeat the tests that they were shown
            if self.brief.feedback and known.get(file.path) == file.content:
                self.stale += 1
                problems.append(f"{file.path}: this is the content that failed before. Find the mistake and change it.")
                continue
            text, ok = self.call("file_write", {"path": file.path, "content": file.content})
            problems += [] if ok else [f"{file.path}: {text}"]
            self.note(file.path, ok)
        for patch in parsed.patches:
            if not patch.search.strip():
                if known.get(patch.path, "").strip():
                    problems.append(f"{patch.path}: the SEARCH part is empty. Write the complete file instead.")
                    continue
                arguments: dict[str, Json] = {"path": patch.path, "content": patch.replace + "\n"}
                text, ok = self.call("file_write", arguments)
            else:
                arguments = {"path": patch.path, "search": patch.search, "replace": patch.replace}
                text, ok = self.call("file_patch", arguments)
            problems += [] if ok else [f"{patch.path}: {text}"]
            self.note(patch.path, ok)
        return problems

    def start_over(self) -> None:
        """A new conversation that does not show the rejected content: weak models copy what they see."""
        self.conversation = self.begin(self.brief.without_short_files())

    def note(self, path: str, ok: bool) -> None:
        """Count a write that worked as a change, even when the content was the same."""
        if ok:
            self.changed.setdefault(path)
