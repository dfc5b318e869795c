"""Does a file parse: Python, JSON, YAML, TOML, and no merge conflict left in. Imports and runs nothing of it."""

from __future__ import annotations

import importlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity

_CONFLICT: Final = re.compile(r"^(<{7}|>{7})( |$)", re.MULTILINE)
_PROSE: Final = frozenset({".md", ".rst", ".txt", ".adoc", ".patch", ".diff"})
_WITH_COMMENTS: Final = re.compile(
    r"(^|/)(tsconfig[^/]*|jsconfig[^/]*|\.eslintrc|devcontainer|\.swcrc)\.json$|(^|/)\.vscode/"
)


def parse_findings(name: str, raw: bytes, text: str) -> list[Finding]:
    """At most one finding on syntax and one on conflict markers.

    Args:
        raw: the bytes as they are; ``text`` is the same decoded, bad bytes replaced.
    """
    suffix = PurePosixPath(name).suffix.lower()
    found = []
    if suffix not in _PROSE and len({m.group(1) for m in _CONFLICT.finditer(text)}) == 2:
        hint = "keep one side and remove the lines with <<<<<<<, ======= and >>>>>>>"
        message = f"{name!r} has merge-conflict markers"
        found.append(Finding(Severity.MAJOR, "conflict_markers", message, name, hint, "conflict_markers"))
    parser = _PARSERS.get(suffix)
    if parser is None or (suffix == ".json" and _WITH_COMMENTS.search(name)):
        return found
    analyzer, parse = parser
    problem = parse(raw, text)
    if problem:
        message = f"{name!r} is not valid {analyzer.removesuffix('_parse')}: {problem}"
        found.append(Finding(Severity.MAJOR, "syntax", message, name, "correct the syntax", analyzer))
    return found


def _python(raw: bytes, text: str) -> str:  # noqa: ARG001 - one form for all parsers
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(raw, "<file>", "exec", dont_inherit=True)
    except SyntaxError as exc:
        line = f"line {exc.lineno}: " if exc.lineno else ""
        shown = f" in {exc.text.strip()[:120]!r}" if exc.text else ""
        return f"{line}{exc.msg}{shown} (Python {sys.version_info.major}.{sys.version_info.minor})"
    except (ValueError, RecursionError, MemoryError, OverflowError) as exc:
        return str(exc) or type(exc).__name__
    return ""


def _json(raw: bytes, text: str) -> str:
    if not text.strip():
        return "the file has no content"
    try:
        json.loads(raw)
    except (ValueError, RecursionError) as exc:
        return str(exc)
    return ""


def _yaml(raw: bytes, text: str) -> str:
    if "{{" in text or "{%" in text:
        return ""  # a template, YAML only after rendering
    import yaml

    try:
        for _ in yaml.compose_all(raw, Loader=yaml.SafeLoader):
            pass  # composing checks syntax and anchors, and leaves unknown tags alone
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        return " ".join(str(exc).split())[:300]
    return ""


def _toml(raw: bytes, text: str) -> str:  # noqa: ARG001 - one form for all parsers
    try:
        tomllib = importlib.import_module("tomllib")
    except ImportError:  # Python 3.10
        return ""
    try:
        tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        return str(exc)
    return ""


_PARSERS: Final[Mapping[str, tuple[str, Callable[[bytes, str], str]]]] = {
    ".py": ("python_parse", _python),
    ".pyi": ("python_parse", _python),
    ".json": ("json_parse", _json),
    ".yaml": ("yaml_parse", _yaml),
    ".yml": ("yaml_parse", _yaml),
    ".toml": ("toml_parse", _toml),
}
