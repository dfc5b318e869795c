"""The repository map: the definitions that matter most, within a budget of tokens. Ranks what the index has; no parser.

After aider's repomap: files point to those that define what they refer to; PageRank, personalised on the files and
names of a task, finds the definitions that the rest leans on.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path, PurePosixPath
from typing import Final

from lao.search.index import folder_of, refresh_in
from lao.search.ranking import by_words
from lao.search.store import IndexFile
from lao.search.tags import Definition, Tags

READING_S: Final = 20.0

_MENTIONED: Final = 10.0
_LONG_NAME: Final = 10.0
_LONG: Final = 8
_PRIVATE: Final = 0.1
_COMMON: Final = 0.1
_COMMON_FROM: Final = 5
_VAGUE: Final = 0.1
_FROM_TASK: Final = 50.0
_UNUSED: Final = 0.01
"""Of its file's rank, for a definition that no other file refers to."""

_SAID: Final = 0.5
"""The same for one that the task's text names."""

_ASIDE: Final = 0.05
"""What tests define is for tests."""

_BY_WORDS: Final = 5
"""Files that a search for the task's words finds first, where a reader begins too: the first counts as a file of the
task, each further one half as much as the one before."""

_DAMPING: Final = 0.85
_ROUNDS: Final = 40
_CLOSE: Final = 1e-6
_MOST: Final = 2_000
_NAME: Final = re.compile(r"[^\W\d]\w*")
_TEST: Final = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_SPLITS: Final = re.compile(r"[a-z][A-Z]|_")


@dataclass(frozen=True)
class Focus:
    """What a map is for.

    Attributes:
        files: of the task.
        text: its description; names and files in it count.
        without: files that the prompt shows anyway.
    """

    files: tuple[str, ...] = ()
    text: str = ""
    without: Collection[str] = ()


@dataclass(frozen=True)
class _Place:
    path: str
    definition: Definition


def repo_map(
    index: IndexFile,
    root: Path,
    budget: int,
    count: Callable[[str], int],
    focus: Focus = Focus(),
    *,
    marker: str = "",
    hidden: Callable[[str], bool] = lambda _path: False,
) -> str:
    """Files with their most important definitions, at most ``budget`` tokens; "" when nothing is defined or fits.

    The same workspace and focus give the same text. Never fails for want of the index.

    Args:
        count: tokens of a text.
        hidden: files that are treated as if they were not there.
    """
    if budget <= 0:
        return ""

    def look(db: sqlite3.Connection) -> tuple[dict[str, Tags], list[str]]:
        refresh_in(db, root, marker=marker, within_s=READING_S)
        folder = folder_of(db, root)
        rows = db.execute(
            "SELECT p.path, c.tags FROM files f JOIN paths p ON p.id=f.path JOIN contents c ON c.id=f.content "
            "WHERE f.folder=? ORDER BY p.path",
            (folder,),
        )
        fitting = [hit.path for hit in by_words(db, folder, focus.text)] if focus.text else []
        return {path: Tags.from_text(tags) for path, tags in rows if not hidden(path)}, fitting

    ranked = _ranked(*index.use(look), focus)
    return _fitted([place for place in ranked if place.path not in focus.without][:_MOST], budget, count)


def _ranked(files: Mapping[str, Tags], fitting: Sequence[str], focus: Focus) -> list[_Place]:
    """All definitions, the most important first; ``fitting`` are the files that fit the task's words, best first."""
    places: dict[str, dict[str, list[Definition]]] = defaultdict(dict)
    for path, tags in files.items():
        for definition in tags.definitions:
            places[definition.name].setdefault(path, []).append(definition)
    said = _identifiers(focus.text)
    start = _start(files, focus, {path for name in said for path in places.get(name, ())})
    useful = [p for p in fitting if p in files and not _TEST.search(p) and files[p].definitions and p not in start]
    start |= {path: 0.5**place for place, path in enumerate(useful[:_BY_WORDS])}
    edges = _edges(files, places, set(focus.files) & files.keys(), said)
    ranks = pagerank(files, edges, start)
    scores: dict[tuple[str, str], float] = defaultdict(float)
    for source, targets in edges.items():
        total = sum(targets.values())
        for (target, name), weight in targets.items():
            scores[target, name] += ranks[source] * weight / total
    for name, defining in places.items():
        for path in defining:
            share = _SAID if name in said else _UNUSED * min(1.0, _worth(name, len(defining), said))
            scores[path, name] += ranks[path] * share
    ordered = sorted(scores, key=lambda key: (-scores[key], key))
    return [_Place(path, d) for path, name in ordered for d in places[name][path]]


def _identifiers(text: str) -> set[str]:
    """The names in a text that are no everyday words: with two parts or a capital, or in backticks."""
    marked = {name for code in _CODE.findall(text) for name in _NAME.findall(code)}
    return marked | {name for name in _NAME.findall(text) if _SPLITS.search(name) or name[0].isupper()}


def _start(files: Iterable[str], focus: Focus, defining: Collection[str]) -> dict[str, float]:
    """Where a reader of the task begins: its files, those that its text names, those that define what it names."""

    def named(path: str) -> bool:
        return path in focus.files or path in defining or PurePosixPath(path).name in focus.text

    return {path: 1.0 for path in files if named(path)}


def _edges(
    files: Mapping[str, Tags],
    places: Mapping[str, Mapping[str, Sequence[Definition]]],
    task: Collection[str],
    said: Collection[str],
) -> dict[str, dict[tuple[str, str], float]]:
    """From a file to (another file, name defined there): how much the first leans on it."""
    edges: dict[str, dict[tuple[str, str], float]] = {path: {} for path in files}
    aside = {path: _ASIDE for path in files if _TEST.search(path) and path not in task}
    for source, tags in files.items():
        for name, times in tags.references.items():
            targets = places.get(name)
            if not targets or source in targets:
                continue
            weight = _worth(name, len(targets), said) * sqrt(times) * (_FROM_TASK if source in task else 1.0)
            weight *= _VAGUE if _is_vague(name, targets) else 1.0
            for target in targets:
                edges[source][target, name] = weight * aside.get(target, 1.0)
    return edges


def _is_vague(name: str, targets: Mapping[str, Sequence[Definition]]) -> bool:
    """A method with an everyday name: whether ``x.split`` means it is anybody's guess."""
    methods = all(d.text[:1].isspace() for found in targets.values() for d in found)
    return methods and not _SPLITS.search(name)


def _worth(name: str, defined: int, said: Collection[str]) -> float:
    weight = _MENTIONED if name in said else 1.0
    if len(name) >= _LONG and _SPLITS.search(name):
        weight *= _LONG_NAME
    if name.startswith("_"):
        weight *= _PRIVATE
    return weight * (_COMMON if defined > _COMMON_FROM else 1.0)


def pagerank(
    nodes: Collection[str], edges: Mapping[str, Mapping[tuple[str, str], float]], start: Mapping[str, float]
) -> dict[str, float]:
    """The rank of each node; they sum to 1.

    Args:
        edges: node to (node, label) with a weight above 0.
        start: where a reader begins, and goes on from a node without edges; empty: anywhere.
    """
    if not nodes:
        return {}
    begin = {node: start.get(node, 0.0) for node in nodes} if start else dict.fromkeys(nodes, 1.0)
    whole = sum(begin.values())
    begin = {node: weight / whole for node, weight in begin.items()}
    shares: list[tuple[str, list[tuple[str, float]]]] = []
    for node in nodes:
        total = sum(edges[node].values()) if node in edges else 0.0
        merged: dict[str, float] = defaultdict(float)
        for (target, _), weight in edges.get(node, {}).items():
            merged[target] += weight / total
        shares.append((node, list(merged.items())))
    ranks = dict(begin)
    for _ in range(_ROUNDS):
        lost = sum(ranks[node] for node, targets in shares if not targets)
        fresh = {node: (1 - _DAMPING + _DAMPING * lost) * share for node, share in begin.items()}
        for node, targets in shares:
            flow = _DAMPING * ranks[node]
            for target, share in targets:
                fresh[target] += flow * share
        moved = sum(abs(fresh[node] - ranks[node]) for node in nodes)
        ranks = fresh
        if moved < _CLOSE:
            break
    return ranks


def _fitted(places: Sequence[_Place], budget: int, count: Callable[[str], int]) -> str:
    """As many of the best as fit, found by halving."""
    low, high, best = 0, len(places), ""
    while low < high:
        middle = (low + high + 1) // 2
        text = _text(places[:middle])
        if count(text) <= budget:
            low, best = middle, text
        else:
            high = middle - 1
    return best


def _text(places: Sequence[_Place]) -> str:
    files: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for place in places:
        files[place.path].add((place.definition.line, place.definition.text.rstrip(" {")))
    parts = []
    for path in sorted(files):
        parts.append(f"{path}:")
        parts += [f"  {line}" for _, line in sorted(files[path])]
    return "\n".join(parts)
