"""Text of models, tools and files made harmless for a terminal: nothing in it can move the cursor or hide a word."""

from __future__ import annotations

import re
from typing import Final

_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDDEN: Final = "\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_HARMFUL: Final = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_HIDDEN}\ud800-\udfff]")
_PICTURES: Final = 0x2400
_DELETE: Final = 0x7F


def clean(text: str) -> str:
    """The text with line ends as ``\\n`` and every other control character, marks of writing direction, invisible ones
    and lone surrogates shown instead of sent: an escape is ``␛``, a carriage return ``␍``, others ``<202e>``.

    Tabs and line feeds stay.
    """
    return _HARMFUL.sub(_shown, text.replace("\r\n", "\n"))


def one_line(text: str, width: int = 200) -> str:
    """The text on one line of at most ``width`` characters, harmless."""
    joined = " ".join(clean(text[: 4 * width]).split())
    return joined if len(joined) <= width else joined[: max(width - 1, 0)] + "…"


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < ord(" "):
        return chr(_PICTURES + code)
    return "␡" if code == _DELETE else f"<{code:x}>"
