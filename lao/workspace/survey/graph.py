"""Which files of a workspace import which, coarsely and within limits. Reads text; resolves nothing outside."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.workspace.symbols import used_by

FILES: Final = 1_500
SECONDS: Final = 5.0
EDGES: Final = 200


@dataclass(frozen=True)
class Graph:
    """Attributes:
    edges: (file, the file that it imports), at most ``EDGES``.
    left_out: edges beyond those.
    most_used: (file, by how many files it is imported), the most used first; at most 40.
    unread: source files that were not looked at for want of time or because there are too many.
    """

    edges: tuple[tuple[str, str], ...] = ()
    left_out: int = 0
    most_used: tuple[tuple[str, int], ...] = ()
    unread: int = 0


def graph_of(
    root: Path,
    sources: Sequence[str],
    known: Collection[str],
    clock: Callable[[], float] = time.monotonic,
) -> Graph:
    """Imports between files (Python, JavaScript, TypeScript, Go).

    Args:
        sources: files to read, the most important first.
        known: files that may be named; others are passed over.
    """
    real, until = Path(os.path.realpath(root)), clock() + SECONDS
    edges: list[tuple[str, str]] = []
    read = 0
    for path in sources[:FILES]:
        if clock() > until:
            break
        read += 1
        edges += ((path, used) for used in dict.fromkeys(used_by(real, path)) if used in known and used != path)
    used = Counter(target for _, target in edges)
    ranked = sorted(used.items(), key=lambda kv: (-kv[1], kv[0]))[:40]
    return Graph(tuple(edges[:EDGES]), max(0, len(edges) - EDGES), tuple(ranked), len(sources) - read)
