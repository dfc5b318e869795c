"""What is in a workspace, in words for a prompt: a listing, and the text of named files within a budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from lao.durable.files import walk_files

_MAX_WALK: Final = 20_000
_PROTECTED: Final = frozenset({".git", ".lao"})


def listing(
    root: Path,
    limit: int = 300,
    without: Collection[str] = (),
    *,
    hidden: Callable[[str], bool] = lambda _path: False,
) -> str:
    """Paths of the files, one a line, sorted, at most ``limit`` lines and one that says how many are missing.

    Args:
        without: paths that are left out.
        hidden: whether a path is left out.
    """
    if not root.is_dir():
        return "(empty)"
    found = list(walk_files(root, limit=_MAX_WALK))
    names = sorted(name for name in found if name not in without and not hidden(name))
    lines = names[:limit]
    if len(names) > limit:
        lines.append(f"[… {len(names) - limit}{'+' if len(found) == _MAX_WALK else ''} more files]")
    return "\n".join(lines) or "(empty)"


def read_text_files(root: Path, paths: Iterable[str], budget_chars: int) -> tuple[tuple[str, str], ...]:
    """``(path, content)`` of those that exist, are text and lie inside ``root``, in the order given, each once.

    A file that does not fit into what is left of the budget is cut at a line, with a note; the rest is left out.
    """
    found: dict[str, str] = {}
    left = budget_chars
    for path in paths:
        if left <= 0:
            break
        if path in found or (text := _text_inside(root, path)) is None:
            continue
        if len(text) > left:
            found[path] = _cut(text, left)
            break
        found[path] = text
        left -= len(text)
    return tuple(found.items())


def _cut(text: str, budget: int) -> str:
    note = "\n[… cut: {} of {} characters]\n"
    kept = text[: max(budget - len(note) - 12, 0)]
    kept = kept[: kept.rfind("\n") + 1] or kept
    return kept + note.format(len(kept), len(text))


def _text_inside(root: Path, path: str) -> str | None:
    if "\0" in path or _PROTECTED & set(path.split("/")):
        return None
    try:
        target = Path(os.path.realpath(root / path))
        if not target.is_relative_to(os.path.realpath(root)) or not target.is_file():
            return None
        raw = target.read_bytes()
    except (OSError, ValueError):
        return None
    if b"\0" in raw[:8_192]:
        return None
    return raw.decode("utf-8", errors="replace")
