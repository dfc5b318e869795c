"""The survey without a model: one bounded document about a workspace. Writes no file and asks nobody."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lao import __version__
from lao.core.words import Json
from lao.search.listing import content_of
from lao.workspace.survey.graph import Graph, graph_of
from lao.workspace.survey.inventory import PROSE, Inventory, is_secret, take_inventory
from lao.workspace.survey.manifests import Manifest, kind_of, read_manifest
from lao.workspace.survey.shape import Said, entries_of, is_source, is_test, joints_of, risks_of, tests_of
from lao.workspace.symbols import public_names

SCHEMA_VERSION: Final = "1.0.0"
MANIFESTS: Final = 40
LISTED: Final = 300
FOLDERS: Final = 60
NAMED: Final = 30
SYMBOLS: Final = 60
"""Files whose public names are in the document; of each at most ``NAMES`` of them."""

NAMES: Final = 30

_WORD: Final = re.compile(r"[\w@+-][\w@./+-]*[\w@+-]|\w")


@dataclass(frozen=True)
class Checked:
    """A command that checks the workspace.

    Attributes:
        kind: build, lint, test or check.
        passed: how it stood before anything was changed; None when it was not run.
    """

    kind: str
    command: str
    passed: bool | None = None


def survey(
    root: Path,
    plan_text: str,
    *,
    commands: Sequence[Checked] = (),
    dirty: Collection[str] = (),
    without: Collection[str] = (),
    hidden: Callable[[str], bool] = lambda _path: False,
    marker: str = "",
) -> dict[str, Json] | None:
    """The document of ``analyst_report.json`` without a model's part; None where the workspace has no file of its own.

    Args:
        plan_text: for the files that it names.
        dirty: paths that the user had changed and not committed.
        without: LAO's own files.
        hidden: whether a path is treated as if it were not there.
        marker: put on the git that lists the files.

    Raises:
        OSError: the system refuses to list the folder.
    """
    inventory = take_inventory(root, without=without, hidden=hidden, marker=marker)
    if not inventory.files:
        return None
    manifests = _manifests(root, inventory)
    named = named_files(plan_text, inventory.paths)
    sources = _sources(inventory, named)
    graph = graph_of(root, sources, inventory.paths)
    return _document(root, inventory, manifests, graph, named, commands, dirty)


def named_files(text: str, paths: Collection[str]) -> tuple[str, ...]:
    """Files of the workspace that a text names, by path or by a name that only one of them has, in its order."""
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(PurePosixPath(path).name, []).append(path)
    found: dict[str, None] = {}
    for word in _WORD.findall(text):
        path = word.removeprefix("./")
        if path in paths:
            found[path] = None
        elif "." in path and len(by_name.get(path, ())) == 1:
            found[by_name[path][0]] = None
    return tuple(found)[:NAMED]


def reuse_key(tree: str, named: Iterable[str]) -> str:
    """What a model's part depends on beside the model: the files, and those that the plan names; "" without a tree."""
    if not tree:
        return ""
    return hashlib.sha256("\0".join((SCHEMA_VERSION, tree, *sorted(named))).encode()).hexdigest()


def _manifests(root: Path, inventory: Inventory) -> tuple[Manifest, ...]:
    paths = [f.path for f in inventory.files if not f.note and kind_of(f.path)]
    paths.sort(key=lambda p: (p.count("/"), p))
    found = []
    for path in paths[:MANIFESTS]:
        raw, note = content_of(root, path)
        if not note:
            found.append(read_manifest(path, raw.decode("utf-8", "replace")))
    return tuple(found)


def _sources(inventory: Inventory, named: Collection[str]) -> list[str]:
    """Source files: those that the plan names, then the others from the top down, tests last."""
    paths = [f.path for f in inventory.files if is_source(f)]
    return sorted(paths, key=lambda p: (p not in named, is_test(p), p.count("/"), p))


def _document(
    root: Path,
    inventory: Inventory,
    manifests: tuple[Manifest, ...],
    graph: Graph,
    named: tuple[str, ...],
    commands: Sequence[Checked],
    dirty: Collection[str],
) -> dict[str, Json]:
    tests = tests_of(inventory, manifests)
    failing = [c.command for c in commands if c.passed is False]
    risks = risks_of(inventory, manifests, tests, dirty=dirty, failing=failing)
    document: dict[str, Json] = {
        "report_meta": {
            "schema_version": SCHEMA_VERSION,
            "lao_version": __version__,
            "key": reuse_key(inventory.tree, named),
            "tree": inventory.tree,
            "model_part": {"status": "not_asked", "model": "", "why": ""},
        },
        "summary": "",
        "file_inventory": _inventory(inventory, named, graph),
        "dependency_graph": {
            "edges": [list(edge) for edge in graph.edges],
            "most_used": [{"path": path, "by": count} for path, count in graph.most_used],
            "left_out": graph.left_out,
            "files_not_read": graph.unread,
            "packages": list(dict.fromkeys(d for m in manifests for d in m.dependencies))[:100],
        },
        "build_system": {
            "manifests": [_manifest(m) for m in manifests],
            "commands": [{"kind": c.kind, "command": c.command, "passed_before": c.passed} for c in commands],
            "entry_points": list(entries_of(inventory, manifests)),
        },
        "test_layout": {"files": tests.files, "folders": list(tests.folders), "frameworks": list(tests.frameworks)},
        "public_symbols": _symbols(root, inventory, named, graph),
        "integration_points": [_said(s) for s in joints_of(inventory, manifests)],
        "risk_areas": [_said(s) for s in risks],
        "conventions": [],
        "advice": [],
    }
    return {**document, "summary": _summary(document)}


def _said(said: Said) -> dict[str, Json]:
    return {"file": said.file, "text": said.text, "by": "survey"}


def _manifest(manifest: Manifest) -> dict[str, Json]:
    return {
        "path": manifest.path,
        "kind": manifest.kind,
        "name": manifest.name,
        "dependencies": list(manifest.dependencies),
        "scripts": dict(manifest.scripts),
        "problem": manifest.problem,
    }


def _inventory(inventory: Inventory, named: tuple[str, ...], graph: Graph) -> dict[str, Json]:
    files, lines, folders = Counter[str](), Counter[str](), Counter[str]()
    for file in inventory.files:
        files[file.language] += 1
        lines[file.language] += file.lines or 0
        folders[str(PurePosixPath(file.path).parent)] += 1
    used = dict(graph.most_used)
    ranked = sorted(
        inventory.files,
        key=lambda f: (f.path not in named, -used.get(f.path, 0), is_test(f.path), f.path.count("/"), f.path),
    )
    shown = sorted(ranked[:LISTED], key=lambda f: f.path)
    return {
        "files": len(inventory.files) + inventory.beyond,
        "lines": sum(lines.values()),
        "languages": [
            {"language": name or "other", "files": count, "lines": lines[name]}
            for name, count in sorted(files.items(), key=lambda kv: (kv[0] in PROSE, -lines[kv[0]], kv[0]))
        ],
        "folders": [
            {"path": path, "files": count}
            for path, count in sorted(folders.items(), key=lambda kv: (kv[0].count("/"), kv[0]))[:FOLDERS]
        ],
        "listed": [{"path": f.path, "lines": f.lines, "language": f.language, "note": f.note} for f in shown],
        "left_out": len(inventory.files) - len(shown) + inventory.beyond,
        "named_by_plan": list(named),
    }


def _symbols(root: Path, inventory: Inventory, named: tuple[str, ...], graph: Graph) -> list[Json]:
    """Public names of the files that the plan names, then of those that others use most, then of the others."""
    used = dict(graph.most_used)
    sources = [f.path for f in inventory.files if is_source(f) and not is_test(f.path) and not is_secret(f.path)]
    sources.sort(key=lambda p: (p not in named, -used.get(p, 0), p.count("/"), p))
    found: list[Json] = []
    for path in sources[: SYMBOLS * 3]:
        if len(found) >= SYMBOLS:
            break
        raw, note = content_of(root, path)
        names = public_names(path, raw.decode("utf-8", "replace")) if not note else ()
        if names:
            more = max(0, len(names) - NAMES)
            found.append({"path": path, "names": [n[:120] for n in names[:NAMES]], "left_out": more})
    return found


def _summary(document: dict[str, Json]) -> str:
    inventory, tests = document["file_inventory"], document["test_layout"]
    code = [e for e in inventory["languages"] if e["language"] not in PROSE and e["language"] != "other"]
    spoken = ", ".join(f"{e['language']} ({_files(e['files'])}, {e['lines']} lines)" for e in code[:4])
    parts = [_files(inventory["files"]) + (f": {spoken}" if spoken else ", no source code")]
    kinds = list(dict.fromkeys(m["kind"] for m in document["build_system"]["manifests"]))
    parts += [f"built with {', '.join(kinds)}"] if kinds else []
    runner = f" ({', '.join(tests['frameworks'])})" if tests["frameworks"] else ""
    parts.append(f"{_files(tests['files'], 'test file')}{runner}" if tests["files"] else "no tests")
    return "; ".join(parts) + "."


def _files(count: int, word: str = "file") -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
