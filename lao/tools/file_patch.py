"""Tool file_patch: places of one file, found by their text, or a patch of one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from lao.core.diffs import FileDiff, parse_patch
from lao.core.errors import BadInput
from lao.core.steps import Effect
from lao.core.words import Json
from lao.tools.context import ToolContext
from lao.tools.editing import Edit, NewText
from lao.tools.hunks import apply_hunks
from lao.tools.patching import apply_patch


def edit(context: ToolContext, arguments: Mapping[str, Json]) -> Effect:
    """``search`` is replaced by ``replace`` where it stands, if that is one place only; or ``patch`` is applied."""
    path = arguments["path"]

    def compute(before: str | None, name: str) -> NewText:
        if arguments.get("patch"):
            return _patched(before, name, arguments["patch"])
        search, replace = arguments.get("search"), arguments.get("replace")
        if search is None or replace is None:
            raise BadInput("give 'search' and 'replace', or 'patch'", "'replace' may be empty to delete the lines")
        if before is None:
            raise BadInput(f"there is no file {path!r} to patch", "make it with file_write")
        text, note = apply_patch(before, search, replace, name)
        return NewText(text, note)

    return Edit(context, path, compute)


def _patched(before: str | None, name: str, patch: str) -> NewText:
    diff = _only(parse_patch(patch, name), name)
    if diff.content is not None:
        if before is not None and before.strip():
            raise BadInput(f"the patch adds {name!r}, but the file is there already", "change it by its lines instead")
        return NewText(diff.content, f"created {name} ({len(diff.content.splitlines())} lines)")
    if before is None:
        raise BadInput(f"there is no file {name!r} to patch", "make it with file_write")
    applied = apply_hunks(before, diff, name)
    return NewText(applied.text, applied.note, applied.ok)


def _only(diffs: tuple[FileDiff, ...], name: str) -> FileDiff:
    """The one file of the patch, which must be the one that the call names."""
    bare = PurePosixPath(name).name
    if len(diffs) > 1 or PurePosixPath(diffs[0].path).name != bare:
        raise BadInput(
            f"the patch is about {', '.join(d.path for d in diffs)}, the call about {name!r}; nothing was changed",
            "one call changes one file",
        )
    return diffs[0]
