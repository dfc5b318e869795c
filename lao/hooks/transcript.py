"""A run's conversation as JSON lines in the form of Claude Code's transcripts, made out of the journal. Writes nothing.

What LAO puts into a prompt beside the task is not kept, so it is not there. Source of the form: the files that Claude
Code 2.1 keeps under ``~/.claude/projects``.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao import __version__
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.state.journal import Step

TEXT_LIMIT: Final = 8_000
"""Characters of one text; of a longer one both ends are kept."""

_TOOL: Final = re.compile(r"tool:(?:(?P<helper>agent_run-\d+):)?(?P<name>.+?)-\d+(?::(?P<part>\w+))?")


@dataclass
class Transcript:
    """The lines of one run.

    Args:
        session: the plan's id, as hooks are told it (``session_id``).
        run: the run's number.
        cwd: where its tools work.
        task: what it is to do, the first line.
        began: when, in seconds since the epoch.
    """

    session: str
    run: int
    cwd: Path
    task: str
    began: float
    _last: str | None = None
    _count: int = 0
    _waiting: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, steps: Iterable[Step]) -> Iterator[dict[str, Json]]:
        """One object a line, oldest first."""
        yield self._line("user", {"role": "user", "content": cut(self.task)}, self.began)
        for step in steps:
            if not step.done:
                continue
            if step.kind is StepKind.MODEL and isinstance(step.result, dict):
                yield self._line("assistant", self._answer(step), step.at, aside=step.label.startswith("model:tool:"))
            elif (named := _TOOL.fullmatch(step.label)) and isinstance(step.result, dict) and "text" in step.result:
                yield from self._called(step, named["name"] or "", aside=bool(named["helper"]))

    def _answer(self, step: Step) -> dict[str, Json]:
        result = step.result
        content: list[Json] = []
        if text := result.get("text") or (result.get("failed") or {}).get("message"):
            content.append({"type": "text", "text": cut(str(text))})
        self._waiting.clear()
        for number, call in enumerate(result.get("tool_calls") or ()):
            id_, name = f"toolu_{self.run}_{step.seq}_{number}", str(call.get("name") or "")
            self._waiting.append((id_, name))
            given = call.get("arguments")
            content.append({"type": "tool_use", "id": id_, "name": name, "input": given if given is not None else {}})
        usage = result.get("usage") or {}
        told = {"input_tokens": usage.get("prompt", 0), "output_tokens": usage.get("completion", 0)}
        return {
            "id": f"msg_{self.run}_{step.seq}",
            "type": "message",
            "role": "assistant",
            "model": result.get("model") or "",
            "content": content,
            "stop_reason": "tool_use" if self._waiting else "end_turn",
            "usage": told,
        }

    def _called(self, step: Step, name: str, *, aside: bool) -> Iterator[dict[str, Json]]:
        """The result of a call; one that the model wrote as text gets a call of its own before it."""
        at = next((n for n, (_, asked) in enumerate(self._waiting) if asked == name), 0)
        if self._waiting:
            id_ = self._waiting.pop(at)[0]
        else:
            id_ = f"toolu_{self.run}_{step.seq}"
            use: dict[str, Json] = {"type": "tool_use", "id": id_, "name": name, "input": {}}
            yield self._line("assistant", {"role": "assistant", "content": [use]}, step.at, aside=aside)
        block: dict[str, Json] = {
            "type": "tool_result",
            "tool_use_id": id_,
            "content": cut(str(step.result["text"])),
            "is_error": not step.result.get("ok", True),
        }
        yield self._line("user", {"role": "user", "content": [block]}, step.at, aside=aside)

    def _line(self, kind: str, message: dict[str, Json], at: float, *, aside: bool = False) -> dict[str, Json]:
        digest = hashlib.sha256(f"{self.session} {self.run} {self._count}".encode()).hexdigest()
        own = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
        line: dict[str, Json] = {
            "parentUuid": self._last,
            "isSidechain": aside,
            "userType": "external",
            "cwd": str(self.cwd),
            "sessionId": self.session,
            "version": __version__,
            "type": kind,
            "message": message,
            "uuid": own,
            "timestamp": _when(at),
        }
        self._last, self._count = own, self._count + 1
        return line


def cut(text: str) -> str:
    """Its beginning and its end when it is too long."""
    if len(text) <= TEXT_LIMIT:
        return text
    half = TEXT_LIMIT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def _when(at: float) -> str:
    """UTC in the form of JavaScript's ``toISOString``."""
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
