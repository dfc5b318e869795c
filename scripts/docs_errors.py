"""The generated part of docs/troubleshooting.md, and every text that the code can say, both read from the sources.

Imports nothing of LAO, so that each class is found however far down it is defined.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path("docs/troubleshooting.md")
GAP = "…"
"""What stands for a value, in a page and in a text of the code."""

_BASE = "LaoError"
_START, _END = "<!-- errors: scripts/gen_docs.py -->\n", "<!-- /errors -->"

_IN_A_PHASE = {
    "LostClaim": "its result is dropped; who holds the phase now goes on",
    "StateDamaged": "the worker ends with 42 and changes nothing",
    "Transient": "waits and is tried again; no attempt is used",
    "AttemptFailed": "one attempt is used; a fresh one follows while there are any",
    "Terminal": "the task or plan ends as `failed`",
    "NeedsHuman": "parked as `needs_human`",
    "BadInput": "parked as `needs_human`",
    "Interrupted": "goes back to the queue untouched",
    _BASE: "tried again; the third time it is parked as `needs_human`",
}
"""What the frame of a phase does with an error of that class, or of one below it (``workflows/frame.py``)."""


@dataclass(frozen=True)
class ErrorClass:
    """One class of the error tree.

    Attributes:
        family: itself and the classes above it, the nearest first.
        exit_code: of a command that ends with it.
        meaning: the first paragraph of its docstring.
    """

    name: str
    family: tuple[str, ...]
    exit_code: int
    meaning: str

    @property
    def in_a_phase(self) -> str:
        """What becomes of a phase that ends with it."""
        return next(_IN_A_PHASE[name] for name in self.family if name in _IN_A_PHASE)


def page(text: str, root: Path) -> str:
    """The page with its table of classes made new between its marks."""
    rows = ["", "| Class | Exit code | What it means | A phase that ends with it |", "|---|---|---|---|"]
    for one in classes(root):
        code = f"{one.exit_code}"
        rows.append(f"| `{one.name}` | {code} | {one.meaning} | {one.in_a_phase} |")
    head, rest = text.split(_START, 1)
    return head + _START + "\n".join([*rows, "", ""]) + _END + rest.split(_END, 1)[1]


def classes(root: Path) -> list[ErrorClass]:
    """The public classes of the error tree, those of ``lao/core/errors.py`` first and each below the one it is of."""
    found: dict[str, ast.ClassDef] = {}
    for _, tree in _trees(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, node)
    return list(_below(found[_BASE], (), 1, found))


def _below(
    node: ast.ClassDef, above: tuple[str, ...], code: int, found: dict[str, ast.ClassDef]
) -> Iterator[ErrorClass]:
    code = next((value for value in map(_exit_code, node.body) if value is not None), code)
    meaning = (ast.get_docstring(node) or "").split("\n\n", 1)[0].replace("``", "`")
    yield ErrorClass(node.name, (node.name, *above), code, " ".join(meaning.split()).removesuffix("."))
    for other in found.values():
        if any(isinstance(base, ast.Name) and base.id == node.name for base in other.bases):
            yield from _below(other, (node.name, *above), code, found)


def _exit_code(statement: ast.stmt) -> int | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id="exit_code")], value=ast.Constant(value=int(code))):
            return code
    return None


def said_by(root: Path) -> frozenset[str]:
    """Every text in the code, with ``GAP`` in the place of each value; docstrings are none."""
    return frozenset(
        " ".join(text.split()) for _, tree in _trees(root) for node in _spoken(tree) if (text := _text(node))
    )


def is_said(message: str, texts: frozenset[str]) -> bool:
    """Whether one text of the code has the fixed words of ``message``, in their order."""
    parts = [part.strip() for part in message.split(GAP) if part.strip(" .:;,'")]
    return bool(parts) and any(_has(text, parts) for text in texts)


def _has(text: str, parts: list[str]) -> bool:
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _spoken(tree: ast.Module) -> Iterator[ast.expr]:
    """The texts of a module: constants that are no statements of their own (docstrings), and f-strings as a whole."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in inside | alone:
            yield node


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(part) if isinstance(part, ast.Constant) else GAP for part in values)
    return ""


@cache
def _trees(root: Path) -> tuple[tuple[Path, ast.Module], ...]:
    core = root / "lao" / "core" / "errors.py"
    others = sorted(p for name in ("lao", "workflows") for p in (root / name).rglob("*.py") if p != core)
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in (core, *others))
