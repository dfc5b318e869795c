"""The survey in words: ``ANALYST.md``, and the lines for the prompts of planner and reviewer. Finds nothing out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lao import __version__
from lao.core.words import Json
from lao.workspace.survey.shape import NO_TESTS

MARK: Final = "<!-- LAO "
"""How every ``ANALYST.md`` of LAO begins; another file of that name is the user's."""

_STANDING: Final = {True: "passed before", False: "failed before", None: "not run yet"}


def report_text(document: Mapping[str, Json]) -> str:
    """``analyst_report.json``."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def is_own_report(text: str) -> bool:
    """Whether a file is a report of LAO's, of whatever version."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    meta = value.get("report_meta") if isinstance(value, dict) else None
    return isinstance(meta, dict) and "schema_version" in meta and "lao_version" in meta


def page(document: Mapping[str, Json]) -> str:
    """``ANALYST.md``."""
    meta = document["report_meta"]
    parts = [
        f"{MARK}{__version__} · survey, schema {meta['schema_version']} -->\n",
        "# What is there\n",
        f"{_plain(document['summary'])}\n",
        _table(document),
        _list("Commands that check it", (_command(c) for c in document["build_system"]["commands"])),
        _list("Manifests", (_manifest(m) for m in document["build_system"]["manifests"])),
        _list("Entry points", (f"`{e}`" for e in document["build_system"]["entry_points"])),
        _list("Tests", _tests(document["test_layout"])),
        _list("Files that the plan names", (f"`{p}`" for p in document["file_inventory"]["named_by_plan"])),
        _list("Most used files", _most_used(document["dependency_graph"])),
        _list("Where it meets the outside", map(_said, document["integration_points"])),
        _list("Take care", map(_said, document["risk_areas"])),
        _list("Conventions", map(_plain, document["conventions"])),
        _list("Advice for the plan", map(_plain, document["advice"])),
        f"## Who says so\n\n{_origin(meta['model_part'])}\n",
    ]
    return "\n".join(part for part in parts if part)


def prompt_lines(document: Mapping[str, Json]) -> Iterator[str]:
    """What planner and reviewer are told, one statement a line, the most useful first."""
    build, tests = document["build_system"], document["test_layout"]
    yield f"- {_plain(document['summary'])}"
    for command in build["commands"]:
        yield f"- Checked by {_command(command)}"
    yield from (f"- Tests: {line}" for line in _tests(tests))
    for risk in document["risk_areas"]:
        if risk["text"] != NO_TESTS:  # the first line says it; as a warning it makes planners ask for tests
            yield f"- Take care: {_said(risk)}"
    yield from (f"- Convention: {_plain(text)}" for text in document["conventions"])
    yield from (f"- {_plain(text)}" for text in document["advice"])
    for point in document["integration_points"]:
        yield f"- Outside: {_said(point)}"
    if build["entry_points"]:
        yield f"- Begins at {', '.join(build['entry_points'][:6])}"
    used = list(_most_used(document["dependency_graph"]))[:8]
    if used:
        yield f"- Most used: {', '.join(used)}"


def fitted(document: Mapping[str, Json], limit: int, count: Callable[[str], int]) -> str:
    """The lines for a prompt within ``limit`` tokens; "" when not even the first fits."""
    lines: list[str] = []
    left = limit
    for line in prompt_lines(document):
        left -= count(line + "\n")
        if left < 0:
            break
        lines.append(line)
    return "\n".join(lines)


def _plain(text: Json) -> str:
    return " ".join(str(text).split())


def _table(document: Mapping[str, Json]) -> str:
    inventory = document["file_inventory"]
    rows = [f"| {e['language']} | {e['files']} | {e['lines']} |" for e in inventory["languages"]]
    return "\n".join(["| Language | Files | Lines |", "|---|---|---|", *rows, ""])


def _list(title: str, items: Iterator[str]) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([f"## {title}\n", *lines, ""]) if lines else ""


def _command(command: Mapping[str, Json]) -> str:
    return f"`{command['command']}` ({command['kind']}, {_STANDING[command['passed_before']]})"


def _manifest(manifest: Mapping[str, Json]) -> str:
    if manifest["problem"]:
        return f"`{manifest['path']}`: {manifest['problem']}"
    name = f" {manifest['name']}" if manifest["name"] else ""
    needs = f"; needs {', '.join(manifest['dependencies'][:12])}" if manifest["dependencies"] else ""
    more = f" and {len(manifest['dependencies']) - 12} more" if len(manifest["dependencies"]) > 12 else ""
    scripts = f"; scripts {', '.join(list(manifest['scripts'])[:12])}" if manifest["scripts"] else ""
    return f"`{manifest['path']}` ({manifest['kind']}){name}{needs}{more}{scripts}"


def _tests(tests: Mapping[str, Json]) -> Iterator[str]:
    if not tests["files"]:
        return
    runners = f", {', '.join(tests['frameworks'])}" if tests["frameworks"] else ""
    folders = ", ".join("the top folder" if f == "." else f"{f}/" for f in tests["folders"][:8])
    yield f"{tests['files']} files in {folders}{runners}"


def _most_used(graph: Mapping[str, Json]) -> Iterator[str]:
    return (f"`{e['path']}` (by {e['by']})" for e in graph["most_used"][:12])


def _said(said: Mapping[str, Json]) -> str:
    return f"`{said['file']}`: {_plain(said['text'])}" if said["file"] else _plain(said["text"])


def _origin(part: Mapping[str, Json]) -> str:
    why = f" ({_plain(part['why'])})" if part["why"] else ""
    told = {
        "answered": f"Counted and read by LAO; conventions and advice by the model {part['model']!r}{why}.",
        "reused": f"Counted and read by LAO; conventions and advice by the model {part['model']!r}, asked before{why}.",
        "failed": f"Counted and read by LAO. The model has added nothing{why}.",
    }
    return told.get(part["status"], f"Counted and read by LAO; no model was asked{why}.")
