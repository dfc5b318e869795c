"""Which files the model has seen in this attempt: nothing is changed unseen. Reads no file itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.tools.context import ToolResult
from lao.tools.paths import relative_name, resolve

UNSEEN: Final = "was not read in this attempt, and nothing was changed"
_CUT_SHORT: Final = "was read only in part in this attempt, and nothing was changed"
_WHOLE: Final = re.compile(r"\((?:\d+ lines|empty file)\)$")
_SHOWS: Final = re.compile(r">|\b(?:cat|head|tail|less|more|nl|sed|awk|grep|tee|bat|type)\b")
_SHOWN_CHARACTERS: Final = 6_000


class Seen:
    """The paths that were shown to the model or written by it, and which of them it knows whole.

    Everything is derived from calls and their recorded results, so a resumed attempt knows the same.
    """

    def __init__(self, root: Path, whole: Iterable[str] = (), partly: Iterable[str] = ()) -> None:
        self._root = root
        self._known: dict[str, bool] = {}
        for path in partly:
            self._mark(path, whole=False)
        for path in whole:
            self._mark(path, whole=True)

    def note(self, tool: str, arguments: Mapping[str, Json], result: ToolResult) -> None:
        """Learn from a call."""
        if tool == "shell_exec":
            self._note_command(str(arguments.get("command", "")))
            return
        path = arguments.get("path")
        if tool not in ("file_read", "file_write", "file_patch") or not isinstance(path, str):
            return
        if not result.ok:  # a refusal that showed the file, or a patch that was applied in part
            if UNSEEN in result.text or _CUT_SHORT in result.text or result.changed:
                self._mark(path, whole=True)
        elif tool == "file_read":
            head, _, rest = result.text.partition("\n")
            self._mark(path, whole=bool(_WHOLE.search(head)) and "left out …]" not in rest)
        else:
            self._mark(path, whole=tool == "file_write")

    def _note_command(self, command: str) -> None:
        if _SHOWS.search(command):
            for word in re.findall(r"[\w./@+-]+", command):
                self._mark(word, whole=True)

    def _mark(self, path: str, *, whole: bool) -> None:
        try:
            name = relative_name(self._root, resolve(self._root, path))
        except BadInput:
            return
        self._known[name] = self._known.get(name, False) or whole

    def check(self, name: str, before: str | None, *, whole: bool) -> None:
        """Refuse a change of an existing file that the model does not know.

        Args:
            whole: the file is to be replaced, so all of it must have been seen.

        Raises:
            BadInput: with the file's content, so that the model can go on; the next try is not refused.
        """
        known = self._known.get(name)
        if before is None or not before.strip() or known or (known is not None and not whole):
            return
        what = UNSEEN if known is None else _CUT_SHORT
        shown = before.rstrip("\n")
        if len(shown) > _SHOWN_CHARACTERS:
            half = _SHOWN_CHARACTERS // 2
            gap = f"\n[… {len(shown) - 2 * half} characters left out; file_read with start_line shows them …]\n"
            shown = shown[:half] + gap + shown[-half:]
        way = "change what must change with file_patch, or write it complete" if whole else "send the change again"
        raise BadInput(f"{name!r} {what}", f"look at it now, then {way}. Its content is:\n{shown}")
