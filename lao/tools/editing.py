"""The journal effect of a tool that changes one file: guard, compute, write, look. What to write is the tool's."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.durable import beneath
from lao.durable.beneath import BeneathWrite
from lao.tools.context import ToolContext, ToolResult
from lao.tools.paths import relative_name, resolve
from lao.tools.reading import read_text


@dataclass(frozen=True)
class NewText:
    """The whole new content and a note about the change for the model; not ``ok`` when a part could not be done."""

    text: str
    note: str
    ok: bool = True


@dataclass(frozen=True)
class Edit:
    """Effect: the file at ``path`` gets the text that ``compute(old text or None, name)`` gives.

    Attributes:
        whole: the old content does not matter, it may even be binary.
    """

    context: ToolContext
    path: str
    compute: Callable[[str | None, str], NewText]
    whole: bool = False

    @property
    def root(self) -> Path:
        return self.context.root

    def prepare(self) -> Json:
        """The intent; the path guard and a refusal of ``compute`` raise BadInput."""
        target = resolve(self.root, self.path, writing=True)
        name = relative_name(self.root, target)
        before = self._old_text(name)
        if self.context.seen is not None:
            self.context.seen.check(name, before, whole=self.whole)
        new = self.compute(before, name)
        try:
            intent = BeneathWrite(self.root, name, new.text).prepare()
        except UnicodeEncodeError as exc:
            raise BadInput(f"the new text of {name!r} is not valid text", "send it again without odd escapes") from exc
        return {**intent, "note": new.note + broken_python(name, before, new.text), "ok": new.ok}

    def _old_text(self, name: str) -> str | None:
        if not self.whole and (self.root / name).exists():
            return read_text(self.root, name, self.path)
        before = beneath.read(self.root, name)
        return None if before is None else before.decode("utf-8", errors="replace")

    def apply(self, intent: Json) -> Json:
        resolve(self.root, intent["path"], writing=True)  # a resumed run may find other links than it left
        return self._result(BeneathWrite(self.root, intent["path"], "").apply(intent), intent)

    def probe(self, intent: Json) -> Json | None:
        try:
            resolve(self.root, intent["path"], writing=True)
        except BadInput:
            return None
        done = BeneathWrite(self.root, intent["path"], "").probe(intent)
        return None if done is None else self._result(done, intent)

    def _result(self, written: Json, intent: Json) -> Json:
        changed = (written["path"],) if written["before"] != written["after"] else ()
        return ToolResult(intent["note"], intent.get("ok", True), changed).to_json()


NOT_PYTHON = "is no longer valid Python"


def broken_python(name: str, before: str | None, after: str) -> str:
    """A sentence for the model when a Python file does not parse any more, with the line; else ""."""
    error = _syntax_error(after) if name.endswith(".py") else None
    if error is None or (before is not None and _syntax_error(before) is not None):
        return ""
    lines = after.splitlines()
    at = min(error.lineno or 1, len(lines)) - 1
    shown = f"\n{at + 1:>5} | {lines[at][:200]}" if lines else ""
    return f"\nWarning: {name} {NOT_PYTHON}: line {at + 1}: {error.msg}. Correct it.{shown}"


def _syntax_error(text: str) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as exc:
        return exc
    except (ValueError, RecursionError, MemoryError) as exc:
        return SyntaxError(str(exc))
    return None
