"""What manifests say of a project: its name, its dependencies, its scripts. Runs nothing and believes no syntax."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from lao.core.python_source import parsed

_MOST: Final = 60
"""Dependencies and scripts that are kept of one manifest."""

_LONG: Final = 160


@dataclass(frozen=True)
class Manifest:
    """One manifest.

    Attributes:
        kind: the tool that reads it ("npm", "python", "go", "cargo", "swift", "make", "maven", "gradle", "cmake" ...).
        dependencies: names only, in the file's order; at most 60.
        scripts: (name, command line); targets of a Makefile have no command line.
        entries: entry points as they are written there.
        problem: why it could not be read, or "".
    """

    path: str
    kind: str
    name: str = ""
    dependencies: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    entries: tuple[str, ...] = ()
    problem: str = ""


def kind_of(path: str) -> str:
    """The tool that a file is a manifest for, "" for other files."""
    name = PurePosixPath(path).name
    if name.startswith("requirements") and name.endswith(".txt"):
        return "python"
    if name.endswith(".csproj"):
        return "dotnet"
    return _READERS[name][0] if name in _READERS else ""


def read_manifest(path: str, text: str) -> Manifest:
    """What the manifest says; one that cannot be read has a ``problem`` and nothing else."""
    kind, name = kind_of(path), PurePosixPath(path).name
    by_ending = _requirements if name.endswith(".txt") else _project_file
    read = _READERS[name][1] if name in _READERS else by_ending
    try:
        found = read(text)
    except (ValueError, KeyError, TypeError, AttributeError, configparser.Error, RecursionError) as error:
        return Manifest(path, kind, problem=f"cannot be read: {_line(error)}")
    return Manifest(path, kind, **found)


def _found(
    name: Any = "", dependencies: Iterable[Any] = (), scripts: Mapping[str, Any] | None = None, entries: Any = ()
) -> dict[str, Any]:
    """The fields of a ``Manifest``, each text short and on one line."""
    listed = [entries] if isinstance(entries, str) else entries
    return {
        "name": _line(name) if isinstance(name, str) else "",
        "dependencies": tuple(dict.fromkeys(_line(d) for d in dependencies if d))[:_MOST],
        "scripts": tuple((_line(k), _line(v)) for k, v in list((scripts or {}).items())[:_MOST]),
        "entries": tuple(dict.fromkeys(_line(e) for e in listed if isinstance(e, str) and e))[:_MOST],
    }


def _line(value: object) -> str:
    return " ".join(str(value).split())[:_LONG]


def _npm(text: str) -> dict[str, Any]:
    data = json.loads(text)
    needs = [*(data.get("dependencies") or {}), *(data.get("devDependencies") or {})]
    bin_ = data.get("bin") or ()
    entries = [data.get("main"), *(bin_.values() if isinstance(bin_, dict) else [bin_])]
    return _found(data.get("name"), needs, data.get("scripts"), [e for e in entries if isinstance(e, str)])


def _pyproject(text: str) -> dict[str, Any]:
    data = _toml(text)
    project = data.get("project") or (data.get("tool") or {}).get("poetry") or {}
    listed = project.get("dependencies") or ()
    extras = project.get("optional-dependencies") or {}
    more = [d for group in (*extras.values(), *(data.get("dependency-groups") or {}).values()) for d in group]
    needs = [_requirement(d) for d in (*listed, *more) if isinstance(d, str)]
    scripts = {k: v for k, v in (project.get("scripts") or {}).items() if isinstance(v, str)}
    tools = [
        name for name in ("pytest", "ruff", "mypy", "tox", "coverage", "black") if name in (data.get("tool") or {})
    ]
    return _found(project.get("name"), [*needs, *tools], {}, [f"{k} = {v}" for k, v in scripts.items()])


def _cargo(text: str) -> dict[str, Any]:
    data = _toml(text)
    package = data.get("package") or {}
    needs = [*(data.get("dependencies") or {}), *(data.get("dev-dependencies") or {})]
    binaries = [b.get("path") or b.get("name") for b in data.get("bin") or () if isinstance(b, dict)]
    return _found(package.get("name"), needs, {}, binaries)


def _toml(text: str) -> dict[str, Any]:
    """The document; where this Python has no parser for it, tables, texts and lists of texts by their lines."""
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return _toml_by_lines(text)
    try:
        loaded: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error)) from error
    return loaded


_TABLE: Final = re.compile(r"^\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(?:#.*)?$")
_PAIR: Final = re.compile(r"^\s*([\w.-]+|\"[^\"]+\")\s*=\s*(.*)$")
_TEXT: Final = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")


def _toml_by_lines(text: str) -> dict[str, Any]:
    document: dict[str, Any] = {}
    table, open_list = document, None
    for line in text.splitlines():
        texts = [a or b for a, b in _TEXT.findall(line.split("#")[0] if '"' not in line else line)]
        if open_list is not None:
            open_list += texts
            open_list = None if "]" in _TEXT.sub("", line) else open_list
        elif match := _TABLE.match(line):
            table = _table(document, match[2], one_of_many=match[1] == "[[")
        elif match := _PAIR.match(line):
            name, value = match[1].strip('"'), match[2].strip()
            texts = [a or b for a, b in _TEXT.findall(value)]
            if value.startswith("["):
                table[name] = texts
                open_list = None if "]" in _TEXT.sub("", value) else texts
            else:
                table[name] = texts[0] if texts else value
    return document


def _table(document: dict[str, Any], name: str, *, one_of_many: bool) -> dict[str, Any]:
    """The table of that name, made where it is not there; of an array of tables a new one at its end."""
    *outer, last = (part.strip().strip('"') for part in name.split("."))
    table = document
    for part in outer:
        inner = table.setdefault(part, {})
        inner = inner[-1] if isinstance(inner, list) and inner else inner
        table = inner if isinstance(inner, dict) else {}
    found = table.setdefault(last, [] if one_of_many else {})
    if isinstance(found, list) and one_of_many:
        found.append({})
        found = found[-1]
    return found if isinstance(found, dict) else {}


def _requirement(text: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][\w.-]*)", text)
    return match[1] if match else ""


def _requirements(text: str) -> dict[str, Any]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return _found("", (_requirement(line) for line in lines if line and not line.startswith("-")))


def _setup_py(text: str) -> dict[str, Any]:
    tree = parsed(text)
    if tree is None:
        raise ValueError("no valid Python")
    given: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "setup":
            for keyword in node.keywords:
                try:
                    given[keyword.arg or ""] = ast.literal_eval(keyword.value)
                except ValueError:
                    continue  # computed there; nothing of it is run here
    needs = given.get("install_requires") or ()
    entries = given.get("entry_points") or {}
    consoles = entries.get("console_scripts", ()) if isinstance(entries, dict) else ()
    return _found(given.get("name"), (_requirement(d) for d in needs if isinstance(d, str)), {}, consoles)


def _setup_cfg(text: str) -> dict[str, Any]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    needs = parser.get("options", "install_requires", fallback="").splitlines()
    entries = parser.get("options.entry_points", "console_scripts", fallback="").splitlines()
    return _found(parser.get("metadata", "name", fallback=""), map(_requirement, needs), {}, entries)


def _go(text: str) -> dict[str, Any]:
    module = re.search(r"^module\s+(\S+)", text, re.M)
    needs = re.findall(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+)\s+v\S+", text, re.M)
    return _found(module[1] if module else "", needs)


def _swift(text: str) -> dict[str, Any]:
    name = re.search(r"Package\(\s*name:\s*\"([^\"]+)\"", text)
    urls = re.findall(r"\.package\([^)]*?(?:url|path):\s*\"([^\"]+)\"", text)
    binaries = re.findall(r"\.executableTarget\(\s*name:\s*\"([^\"]+)\"", text)
    return _found(
        name[1] if name else "", (u.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") for u in urls), {}, binaries
    )


def _make(text: str) -> dict[str, Any]:
    targets = re.findall(r"^([A-Za-z][\w-]*)(?:[ \t]+[\w -]+)?[ \t]*:(?![=:])", text, re.M)
    return _found("", (), dict.fromkeys(targets, ""))


def _maven(text: str) -> dict[str, Any]:
    """By patterns: an XML parser would follow entities."""
    own = re.sub(r"(?s)<(parent|dependencies|build|profiles)>.*?</\1>", "", text)
    name = re.search(r"<artifactId>\s*([^<\s]+)", own)
    needs = re.findall(r"(?s)<dependency>.{0,2000}?<artifactId>\s*([^<\s]+)", text)
    return _found(name[1] if name else "", needs)


def _gradle(text: str) -> dict[str, Any]:
    kinds = (
        r"(?:api|implementation|compileOnly|runtimeOnly|testImplementation|testRuntimeOnly|kapt|annotationProcessor)"
    )
    needs = re.findall(rf"\b{kinds}[ (]+['\"]([^'\"]+)['\"]", text)
    name = re.search(r"rootProject\.name\s*=\s*['\"]([^'\"]+)", text)
    main = re.findall(r"mainClass(?:\.set\(|Name\s*=|\s*=)\s*['\"]([^'\"]+)", text)
    return _found(name[1] if name else "", needs, {}, main)


def _cmake(text: str) -> dict[str, Any]:
    name = re.search(r"^\s*project\s*\(\s*([\w.-]+)", text, re.M | re.I)
    needs = re.findall(r"^\s*find_package\s*\(\s*(\w+)", text, re.M | re.I)
    binaries = re.findall(r"^\s*add_executable\s*\(\s*([\w.-]+)", text, re.M | re.I)
    return _found(name[1] if name else "", needs, {}, binaries)


def _composer(text: str) -> dict[str, Any]:
    data = json.loads(text)
    needs = [*(data.get("require") or {}), *(data.get("require-dev") or {})]
    scripts = {k: v for k, v in (data.get("scripts") or {}).items() if isinstance(v, str)}
    return _found(data.get("name"), needs, scripts)


def _gems(text: str) -> dict[str, Any]:
    return _found("", re.findall(r"^\s*gem\s+['\"]([^'\"]+)", text, re.M))


def _project_file(text: str) -> dict[str, Any]:
    return _found("", re.findall(r"<PackageReference\s+Include=\"([^\"]+)", text))


_READERS: Final[Mapping[str, tuple[str, Callable[[str], dict[str, Any]]]]] = {
    "package.json": ("npm", _npm), "pyproject.toml": ("python", _pyproject), "setup.py": ("python", _setup_py),
    "setup.cfg": ("python", _setup_cfg), "go.mod": ("go", _go), "Cargo.toml": ("cargo", _cargo),
    "Package.swift": ("swift", _swift), "Makefile": ("make", _make), "makefile": ("make", _make),
    "GNUmakefile": ("make", _make), "pom.xml": ("maven", _maven), "build.gradle": ("gradle", _gradle),
    "build.gradle.kts": ("gradle", _gradle), "settings.gradle": ("gradle", _gradle),
    "settings.gradle.kts": ("gradle", _gradle), "CMakeLists.txt": ("cmake", _cmake),
    "composer.json": ("composer", _composer), "Gemfile": ("bundler", _gems),
}  # fmt: skip
