"""Source of languages with C's comments, texts and comments blanked out, so that patterns meet code alone."""

from __future__ import annotations

import re
from typing import Final

SCRIPTS: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
TYPED: Final = (".ts", ".tsx", ".mts", ".cts")

_TOKEN: Final = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`"""
    r"""|(?<=[=(,:;!&|?{}\n])[ \t]*/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[dgimsuvy]*""",
    re.S,
)


def masked(text: str, *, comment: str = " ") -> str:
    """``text`` of the same length and lines with the insides of texts as spaces.

    Args:
        comment: one character that stands for each of a comment.
    """
    return _TOKEN.sub(lambda match: _blank(match[0], comment), text)


def _blank(token: str, comment: str) -> str:
    if token.startswith(("//", "/*")):
        return re.sub(r"[^\n]", comment, token)
    if len(token) < 2:
        return token
    return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]


def line_at(text: str, position: int) -> int:
    """The 1-based line of a position."""
    return text.count("\n", 0, position) + 1


def line_text(text: str, number: int) -> str:
    """That line without its margin, its blanks made single."""
    lines = text.split("\n")
    return " ".join(lines[number - 1].split()) if number <= len(lines) else ""
