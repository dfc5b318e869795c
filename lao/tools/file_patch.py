"""Tool file_patch: one place of a file, found by its text."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.errors import BadInput
from lao.core.steps import Effect
from lao.core.words import Json
from lao.tools.context import ToolContext
from lao.tools.editing import Edit, NewText
from lao.tools.patching import apply_patch


def edit(context: ToolContext, arguments: Mapping[str, Json]) -> Effect:
    """``search`` is replaced by ``replace`` where it stands, if that is one place only."""
    path, search, replace = arguments["path"], arguments["search"], arguments["replace"]

    def compute(before: str | None, name: str) -> NewText:
        if before is None:
            raise BadInput(f"there is no file {path!r} to patch", "make it with file_write")
        text, note = apply_patch(before, search, replace, name)
        return NewText(text, note)

    return Edit(context.root, path, compute)
