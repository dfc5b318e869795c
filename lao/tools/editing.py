"""The journal effect of a tool that changes one file: guard, compute, write. What to write is the tool's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.durable.files import FileWrite
from lao.tools.context import ToolResult
from lao.tools.paths import relative_name, resolve
from lao.tools.reading import read_text


@dataclass(frozen=True)
class NewText:
    """The whole new content and one line about the change for the model."""

    text: str
    note: str


@dataclass(frozen=True)
class Edit:
    """Effect: the file at ``path`` gets the text that ``compute(old text or None, name)`` gives.

    Attributes:
        whole: the old content does not matter, it may even be binary.
    """

    root: Path
    path: str
    compute: Callable[[str | None, str], NewText]
    whole: bool = False

    def prepare(self) -> Json:
        """The intent; the path guard and a refusal of ``compute`` raise BadInput."""
        target = resolve(self.root, self.path, writing=True)
        name = relative_name(self.root, target)
        new = self.compute(self._old_text(target), name)
        try:
            intent = FileWrite(self.root, name, new.text).prepare()
        except UnicodeEncodeError as exc:
            raise BadInput(f"the new text of {name!r} is not valid text", "send it again without odd escapes") from exc
        return {**intent, "note": new.note}

    def _old_text(self, target: Path) -> str | None:
        if not target.exists():
            return None
        if self.whole:
            return target.read_bytes().decode("utf-8", errors="replace")
        return read_text(target, self.path)

    def apply(self, intent: Json) -> Json:
        resolve(self.root, intent["path"], writing=True)  # a resumed run may find other links than it left
        return self._result(FileWrite(self.root, intent["path"], "").apply(intent), intent)

    def probe(self, intent: Json) -> Json | None:
        try:
            resolve(self.root, intent["path"], writing=True)
        except BadInput:
            return None
        done = FileWrite(self.root, intent["path"], "").probe(intent)
        return None if done is None else self._result(done, intent)

    def _result(self, written: Json, intent: Json) -> Json:
        changed = (written["path"],) if written["before"] != written["after"] else ()
        return ToolResult(intent["note"], True, changed).to_json()
