"""A model with prepared answers, a toolbox over a dictionary, a journal that can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, ChatRequest, ToolCall
from lao.core.states import Role
from lao.core.steps import DirectSteps, StepKind, Steps


class ScriptedModel:
    """Gives its answers in order (text, whole answer, or error) and keeps the requests."""

    def __init__(self, *answers: str | ChatAnswer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ChatAnswer(answer, finish_reason="stop") if isinstance(answer, str) else answer

    def last_user(self, n: int = -1) -> str:
        return str(self.requests[n].messages[-1]["content"])


def settings(role: Role = Role.CODER, **more: Any) -> ModelSettings:
    values: dict[str, Any] = {
        "key": "m", "context_length": 8192, "max_completion": 1000, "supports_tools": False,
        "supports_json_schema": True, "size_bytes": 0, "description": "", "temperature": None, "top_p": None,
        "seed": None, "repetition_penalty": None, **more,
    }  # fmt: skip
    return ModelSettings(role=role, **values)


def calls(*wanted: tuple[str, dict[str, Any] | None], text: str = "") -> ChatAnswer:
    made = tuple(ToolCall(f"x{n}", name, arguments, "{") for n, (name, arguments) in enumerate(wanted))
    return ChatAnswer(text, tool_calls=made, finish_reason="tool_calls")


def cut(text: str) -> ChatAnswer:
    return ChatAnswer(text, finish_reason="length")


@dataclass(frozen=True)
class FakeResult:
    text: str
    ok: bool
    changed: tuple[str, ...] = ()


class FakeToolbox:
    """file_read, file_write, file_patch and shell_exec over ``files``; every call is a step."""

    def __init__(self, **files: str) -> None:
        self.files = dict(files)
        self.log: list[tuple[str, dict[str, Any], str]] = []

    names = ("file_read", "file_write", "file_patch", "shell_exec")

    def begin(self, whole: Iterable[str] = (), partly: Iterable[str] = ()) -> None:
        """Nothing is refused here."""

    def openai_specs(self) -> tuple[dict[str, Any], ...]:
        return tuple({"type": "function", "function": {"name": n, "parameters": self.schema(n)}} for n in self.names)

    def schema(self, name: str) -> dict[str, Any]:
        keys = {"file_read": ["path"], "file_write": ["path", "content"], "file_patch": ["path", "search", "replace"]}
        return {"type": "object", "properties": {k: {"type": "string"} for k in keys.get(name, ["command"])}}

    def call(self, name: str, arguments: dict[str, Any], steps: Steps, label: str) -> FakeResult:
        result = steps.run(StepKind.READ, label, lambda: self._do(name, arguments, label))
        return FakeResult(result[0], result[1], tuple(result[2]))

    def _do(self, name: str, arguments: dict[str, Any], label: str) -> list[Any]:
        self.log.append((name, arguments, label))
        path = arguments.get("path", "")
        if name == "shell_exec":
            return [f"ran {arguments['command']}", True, []]
        if name == "file_write":
            self.files[path] = arguments["content"]
            return ["written", True, [path]]
        if name not in self.names:
            return [f"Error: there is no tool {name}", False, []]
        if path not in self.files:
            return [f"Error: no file {path}", False, []]
        if name == "file_read":
            return [self.files[path], True, []]
        if arguments["search"] not in self.files[path]:
            return ["Error: the search text is not in the file", False, []]
        self.files[path] = self.files[path].replace(arguments["search"], arguments["replace"], 1)
        return ["patched", True, [path]]


class Tape(DirectSteps):
    """A journal in memory: records what ran; given a recording, replays it and then goes on."""

    def __init__(self, recorded: list[tuple[str, Any]] | None = None) -> None:
        self.recorded = recorded or []
        self.labels: list[str] = []
        self.tape: list[tuple[str, Any]] = []

    def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
        n = len(self.tape)
        if n < len(self.recorded):
            assert self.recorded[n][0] == label, "a replay must take the same steps"
            value = self.recorded[n][1]
        else:
            value = fn()
        self.labels.append(label)
        self.tape.append((label, value))
        return value
