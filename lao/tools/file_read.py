"""Tool file_read: a text file, or some of its lines, below one header line."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult
from lao.tools.paths import relative_name, resolve
from lao.tools.reading import read_text


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """The lines from ``start_line`` to ``end_line``, both counted from 1 and included, as far as the limit allows."""
    target = resolve(context.root, arguments["path"])
    name = relative_name(context.root, target)
    lines = read_text(context.root, name, arguments["path"]).splitlines(keepends=True)
    first = max(arguments.get("start_line", 1), 1)
    last = min(arguments.get("end_line", len(lines)), len(lines))
    if not lines:
        return ToolResult(f"{name} (empty file)")
    if first > len(lines):
        raise BadInput(f"{name!r} has only {len(lines)} lines", f"start_line must be 1 to {len(lines)}")
    if last < first:
        raise BadInput(f"end_line {last} lies before start_line {first}", "give start_line ≤ end_line")
    shown, budget = _bounded(lines[first - 1 : last], context.result_limit - 300)
    end = first + shown - 1
    text = "".join(lines[first - 1 : end])
    if shown == 0:
        return ToolResult(f"{name} (line {first} of {len(lines)}, cut)\n{lines[first - 1][:budget]}")
    note = "" if end == last else f"\n[cut here: read on with start_line={end + 1}]"
    which = f"{len(lines)} lines" if (first, end) == (1, len(lines)) else f"lines {first}-{end} of {len(lines)}"
    return ToolResult(f"{name} ({which})\n{text}{note}")


def _bounded(lines: list[str], budget: int) -> tuple[int, int]:
    """How many whole lines fit into ``budget`` characters."""
    used = 0
    for count, line in enumerate(lines):
        used += len(line)
        if used > budget:
            return count, budget
    return len(lines), budget
