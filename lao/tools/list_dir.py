"""Tool list_dir: what is in one folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.durable import beneath
from lao.durable.files import TEMPORARY
from lao.tools.context import ToolContext, ToolResult
from lao.tools.paths import PROTECTED, relative_name, resolve

_MAX_ENTRIES: Final = 200


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """Folders first, each with a trailing slash; files with their size in bytes."""
    shown = arguments.get("path") or "."
    target = resolve(context.root, shown, folder=True)
    if not target.is_dir():
        raise BadInput(f"there is no folder {shown!r}", "list_dir without a path shows the workspace itself")
    name = relative_name(context.root, target)
    with beneath.folder(context.root, name) as opened, os.scandir(opened) as found:
        entries = [e for e in found if e.name not in PROTECTED and not TEMPORARY.match(e.name)]
        entries.sort(key=lambda e: (not e.is_dir(follow_symlinks=False), e.name))
        lines = [_line(e) for e in entries[:_MAX_ENTRIES]]
    if len(entries) > _MAX_ENTRIES:
        lines.append(f"[… {len(entries) - _MAX_ENTRIES} more entries]")
    return ToolResult("\n".join([f"{name} ({len(entries)} entries)", *lines]))


def _line(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return f"{entry.name} (link)"
    if entry.is_dir():
        return f"{entry.name}/"
    return f"{entry.name} ({entry.stat(follow_symlinks=False).st_size} bytes)"
