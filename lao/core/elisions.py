"""Lines that stand for code which a model left out ("# ... rest unchanged"). Pure text; refuses nothing itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARK = r"^\s*(?:#|//|/\*|<!--|--|;|\*)\s*"
_DOTTED = re.compile(
    rf"(?:{_MARK}|^\s*)[(\[]?\s*(?:\.{{3}}|…)\s*[(\[]?\s*(?:\w+\s+){{0,3}}"
    r"(?:rest|remaining|remainder|existing|previous|original|other|same|unchanged|omitted|before|code|implementation)\b",
    re.IGNORECASE,
)
_WORDED = re.compile(
    rf"{_MARK}(?:the\s+)?(?:(?:rest|remainder)\s+of\s+(?:the|your|this)\s+(?:original\s+|existing\s+)?"
    r"(?:code|file|class|function|implementation|module|contents?|tests?|methods?|script)\b"
    r"|(?:existing|previous|original|remaining|other)\s+(?:code|implementation|contents?|methods?|functions?|tests?)"
    r"(?:\s+(?:here|remains?|unchanged|stays?|goes|omitted|as before|is the same)\b.*)?\W*$"
    r"|(?:code|implementation|file)\s+(?:remains|unchanged|omitted)\b)",
    re.IGNORECASE,
)


def elision(text: str, known: Iterable[str] = ()) -> str:
    """The first line of ``text`` that leaves code out, without blanks around, or "".

    Args:
        known: lines that are in the file already; they leave nothing out.
    """
    for line in text.splitlines():
        if (_DOTTED.match(line) or _WORDED.match(line)) and line.strip() not in {k.strip() for k in known}:
            return line.strip()
    return ""
