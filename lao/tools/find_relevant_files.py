"""Tool find_relevant_files: the files whose names and content fit some words best."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.search.listing import content_of
from lao.search.ranking import Hit
from lao.search.searcher import Searcher
from lao.search.store import IndexFile
from lao.search.words import asked, best_line
from lao.tools.context import ToolContext, ToolResult


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """One line a file, best first: path, line number, the line that fits best."""
    query, limit = arguments["query"], max(1, min(arguments.get("limit", 10), 50))
    searcher = context.search or Searcher(IndexFile(None))
    found = [h for h in searcher.find(context.root, query, context.marker) if not context.hidden(h.path)][:limit]
    if not found:
        return ToolResult(f"no file has any of the words {', '.join(sorted(asked(query))) or query!r}")
    return ToolResult("\n".join(_line(context, hit, query) for hit in found))


def _line(context: ToolContext, hit: Hit, query: str) -> str:
    if not hit.first:
        return hit.path
    text = content_of(context.root, hit.path)[0].decode("utf-8", "replace")
    number, line = best_line(text, query, hit.first, hit.last)
    if not number:
        number, line = best_line(text, query)
    if not number:  # it fits by meaning alone
        number, line = hit.first, (text.splitlines()[hit.first - 1 : hit.first] or [""])[0].strip()
    return f"{hit.path}:{number}: {line[:160]}"
