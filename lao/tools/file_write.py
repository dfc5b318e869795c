"""Tool file_write: a whole file, new or replaced."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.elisions import elision
from lao.core.errors import BadInput
from lao.core.steps import Effect
from lao.core.words import Json
from lao.tools.context import ToolContext
from lao.tools.editing import Edit, NewText


def edit(context: ToolContext, arguments: Mapping[str, Json]) -> Effect:
    """The file has exactly this content afterwards."""
    path, content = arguments["path"], arguments["content"]

    def compute(before: str | None, name: str) -> NewText:
        if left_out := elision(content, (before or "").splitlines()):
            raise BadInput(
                f"the content of {name!r} leaves code out: {left_out[:80]!r}; nothing was written",
                "write the complete file, or change a part of it with file_patch",
            )
        lines = len(content.splitlines())
        if before is None:
            return NewText(content, f"created {name} ({lines} lines)")
        if before == content:
            return NewText(content, f"{name} already has exactly this content; nothing changed")
        return NewText(content, f"replaced {name} ({len(before.splitlines())} lines before, {lines} now)")

    return Edit(context, path, compute, whole=True)
