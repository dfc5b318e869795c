"""Types given up in a change: any in TypeScript, Any-only signatures in Python, forced casts in Swift. Notes only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lao.core.python_source import Function
from lao.core.words import Finding, Severity
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, Smell, lines_of
from lao.quality.validators.masking import TYPED, line_at, line_text, masked
from lao.quality.validators.trees import nodes_of

ID: Final = "type_smells"
CONFIDENCE: Final = 0.7
_ANY: Final = re.compile(r"(?<![\w?])(?:[\w$\])?]\s*:\s*|\bas\s+|<)any\b(?:\[\])*(?=\s*(?:[,;)=>{|&\]]|$))", re.M)
_SILENCED: Final = re.compile(r"^[ \t]*(?://|/\*|\{/\*)\s*@ts-(?:ignore|nocheck)\b", re.M)
_FORCED: Final = re.compile(r"\bas!\s|\btry!\s")


def look(change: Change) -> Iterator[Finding]:
    """One note for each file."""
    for path, smells in change.fresh(_smells, ".py", ".swift", *TYPED):
        if is_test(path) or path.endswith(".d.ts"):
            continue
        message = f"{path!r} gives up its types at {lines_of(smells)}: {smells[0].shown}"
        yield Finding(Severity.MINOR, "type_smell", message, path, "name the type", ID, CONFIDENCE)


def _smells(path: str, text: str) -> Iterator[Smell]:
    if path.endswith(".py"):
        yield from _python(text)
        return
    code = masked(text)
    patterns = [(code, _FORCED)] if path.endswith(".swift") else [(code, _ANY), (text, _SILENCED)]
    for searched, pattern in patterns:
        for match in pattern.finditer(searched):
            number = line_at(text, match.start())
            shown = line_text(text, number)
            yield Smell(number, shown, shown[:120])


def _python(text: str) -> Iterator[Smell]:
    """Public functions of two annotations or more that all are Any."""
    for node in nodes_of(text) if "Any" in text else ():
        if not isinstance(node, Function) or node.name.startswith("_") or node.decorator_list:
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        notes = [a.annotation for a in arguments if a.annotation is not None]
        notes += [node.returns] if node.returns is not None else []
        if len(notes) > 1 and all(ast.unparse(note) in ("Any", "typing.Any") for note in notes):
            yield Smell(node.lineno, f"{node.name}{ast.dump(node.args)}", f"every type of {node.name} is Any")
