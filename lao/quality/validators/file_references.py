"""Files that a change speaks of and that are not there: imports of scripts, links in Markdown, scripts that are run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from lao.core.words import Finding, Severity
from lao.quality.validators.change import Change, Smell
from lao.quality.validators.masking import SCRIPTS, line_at, masked

ID: Final = "script_imports"
CONFIDENCE: Final = 0.9
LINKS_ID: Final = "links"
LINKS_CONFIDENCE: Final = 0.8
RUN_ID: Final = "run_paths"
RUN_CONFIDENCE: Final = 0.7
_IMPORT: Final = re.compile(
    r"""^[ \t]*(?:import|export)\b[^'"`;()]*?['"](?P<one>\.{1,2}/[^'"\n]*)['"]"""
    r"""|\brequire\(\s*['"](?P<two>\.{1,2}/[^'"\n]*)['"]\s*\)""",
    re.M,
)
_TRIED: Final = ("", *SCRIPTS, ".d.ts", ".json", ".vue", ".svelte", ".css", ".scss", ".node", ".wasm")
_COMPILED: Final = {".js": (".ts", ".tsx", ".jsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_MADE: Final = re.compile(
    r"(?:^|/)(?:dist|build|out|lib|gen|generated|__generated__|target|\.next|\.svelte-kit|node_modules)(?:/|$)"
)
_LINK: Final = re.compile(r"(?<!\\)!?\[[^\]\n]{0,200}\]\(\s*<?(?P<path>[^)\s<>]{1,300})>?(?:\s+\"[^\"\n]*\")?\s*\)")
_CODE: Final = re.compile(r"^(?P<fence>```+|~~~+).*?(?:^(?P=fence)|\Z)|`[^`\n]*`|<!--.*?-->", re.M | re.S)
_ADDRESS: Final = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//|#|/|\{|\$|<|mailto)", re.I)
_RUN: Final = re.compile(
    r"(?:^|[\s;&|(\"'])(?:python3?|bash|sh|node|source|\.)[ \t]+"
    r"(?P<path>(?:\./)?[\w-]+(?:/[\w.-]+)*\.(?:py|sh|js|mjs|cjs|ts))\b"
)  # fmt: skip


def look(change: Change) -> Iterator[Finding]:
    """Major, as the import fails; a note where the plan names the file, or where a build may make it."""
    for path, text in change.changed(*SCRIPTS):
        old = {smell.key for smell in _imports(change, path, change.before.get(path, ""))}
        for smell in _imports(change, path, text):
            if smell.key not in old:
                stem = PurePosixPath(smell.key).name.split(".")[0]
                coming = not smell.grave or (stem != "" and bool(re.search(rf"\b{re.escape(stem)}\b", change.plan)))
                severity = Severity.MINOR if coming else Severity.MAJOR
                message = f"{path!r} line {smell.line}: there is no file for {smell.shown!r}"
                hint = "import what is there, or write what is missing"
                yield Finding(severity, "missing_import", message, path, hint, ID, CONFIDENCE)


def _imports(change: Change, path: str, text: str) -> Iterator[Smell]:
    code = masked(text)
    for match in _IMPORT.finditer(text):
        word = match.end() - len(match[0].lstrip())
        if code[word : word + 6] != text[word : word + 6]:
            continue  # inside a text or a comment
        said = (match["one"] or match["two"]).partition("?")[0]
        target = _normal(PurePosixPath(path).parent / said)
        if target is not None and not _is_there(change, target):
            yield Smell(line_at(text, word), target, said, grave=not _MADE.search(target))


def _normal(path: PurePosixPath) -> str | None:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _is_there(change: Change, target: str) -> bool:
    place = change.root / target
    if any(place.with_name(place.name + suffix).is_file() for suffix in _TRIED if place.name):
        return True
    if place.is_dir() and (
        not place.name
        or any((place / f"index{suffix}").is_file() for suffix in _TRIED)
        or (place / "package.json").is_file()
    ):
        return True
    return any(place.with_suffix(suffix).is_file() for suffix in _COMPILED.get(place.suffix, ()) if place.name)


def look_links(change: Change) -> Iterator[Finding]:
    """A note on each relative link that leads to no file of the folder."""
    for path, smells in change.fresh(_links, ".md", ".markdown"):
        for smell in smells:
            target = _normal(PurePosixPath(path).parent / smell.key)
            if target is None or (change.root / target).exists():
                continue
            message = f"{path!r} line {smell.line} links to {smell.key!r}, which is not there"
            yield Finding(Severity.MINOR, "dead_link", message, path, "correct the path", LINKS_ID, LINKS_CONFIDENCE)


def _links(_path: str, text: str) -> Iterator[Smell]:
    plain = _CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _LINK.finditer(plain):
        said = unquote(match["path"].partition("#")[0].partition("?")[0])
        if said and not _ADDRESS.match(match["path"]) and "." in said and not any(c in said for c in "{}*\0"):
            yield Smell(line_at(text, match.start()), said, said)


def look_run(change: Change) -> Iterator[Finding]:
    """A note on scripts that a shell script, a Makefile or a package.json runs and that are not there."""
    for path, text in change.changed():
        if not _runs(path):
            continue
        old = {smell.key for smell in _run(path, change.before.get(path, ""))}
        for smell in _run(path, text):
            places = (change.root / smell.key, change.root / PurePosixPath(path).parent / smell.key)
            if smell.key in old or any(place.exists() for place in places) or _MADE.search(smell.key):
                continue
            message = f"{path!r} line {smell.line} runs {smell.key!r}, which is not there"
            yield Finding(Severity.MINOR, "missing_script", message, path, "correct the path", RUN_ID, RUN_CONFIDENCE)


def _runs(path: str) -> bool:
    name = PurePosixPath(path).name
    return name in ("Makefile", "makefile", "GNUmakefile", "package.json") or name.endswith(".sh")


def _run(path: str, text: str) -> Iterator[Smell]:
    """Not in a shell script that changes its folder: from where it runs then is not known."""
    if path.endswith("package.json"):
        try:
            scripts = json.loads(text).get("scripts") if text else None
        except (ValueError, AttributeError, RecursionError):
            return
        lines = [str(v) for v in scripts.values()] if isinstance(scripts, dict) else []
    else:
        lines = text.splitlines()
    if any(re.search(r"(?:^|[\s;&|@])(?:cd|pushd)\s", line) for line in lines):
        return
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith(("#", "echo", "@echo", "cat ", "printf")):
            continue
        for match in _RUN.finditer(line):
            shown = 1 if path.endswith(".json") else number
            yield Smell(shown, match["path"].removeprefix("./"), match["path"])
