"""Tool find_relevant_files: the files whose names and content fit some words best."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lao.core.words import Json
from lao.durable.files import walk_files
from lao.durable.processes import child_environment
from lao.tools.context import ToolContext, ToolResult
from lao.tools.paths import PROTECTED
from lao.tools.ranking import Document, best_line, rank, words

_MAX_FILES: Final = 4_000
_MAX_FILE_BYTES: Final = 200_000
_MAX_ALL_BYTES: Final = 20_000_000


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """One line a file, best first: path, line number, the line that fits best."""
    query, limit = arguments["query"], max(1, min(arguments.get("limit", 10), 50))
    documents = _documents(context.root, _names(context.root, context.marker))
    found = rank(documents, query)[:limit]
    if not found:
        return ToolResult(f"no file has any of the words {', '.join(sorted(words(query))) or query!r}")
    lines = []
    for document in found:
        number, line = best_line(document.text, query)
        lines.append(f"{document.path}:{number}: {line[:160]}" if number else document.path)
    return ToolResult("\n".join(lines))


def _names(root: Path, marker: str) -> list[str]:
    """Files that git would see, or all of them where the workspace is no repository."""
    if (root / ".git").exists():
        argv = ["git", "-c", "core.fsmonitor=false", "ls-files", "-co", "--exclude-standard", "-z"]
        try:
            done = subprocess.run(
                argv, cwd=root, env=child_environment(marker), capture_output=True, timeout=20, check=False
            )
        except (FileNotFoundError, subprocess.TimeoutExpired):
            done = None
        if done is not None and done.returncode == 0:
            names = sorted({n.decode("utf-8", "replace") for n in done.stdout.split(b"\0") if n})
            return [n for n in names if not PROTECTED.intersection(n.split("/"))][:_MAX_FILES]
    return list(walk_files(root, limit=_MAX_FILES))


def _documents(root: Path, names: list[str]) -> list[Document]:
    documents, used = [], 0
    for name in names:
        path = root / name
        text = ""
        # A link may lead out of the workspace; only its name is looked at, as of files that are too big or binary.
        if used < _MAX_ALL_BYTES and path.is_file() and not path.is_symlink():
            text = _text(path)
            used += len(text)
        documents.append(Document(name, text))
    return documents


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return ""
        raw = path.read_bytes()
    except OSError:
        return ""
    return "" if b"\0" in raw[:4_096] else raw.decode("utf-8", errors="replace")
