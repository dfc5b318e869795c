"""Unified diffs as HTML: lines marked as added, removed or as a place; long ones cut. Runs no git."""

from __future__ import annotations

from typing import Final

from lao.reports.html.markup import Markup, cut, joined, tag

LINES: Final = 400
CHARACTERS: Final = 24_000
_LINE: Final = 400

_HEADS: Final = (
    "diff ",
    "index ",
    "--- ",
    "+++ ",
    "new file",
    "deleted file",
    "similarity",
    "rename ",
    "old mode",
    "new mode",
)


def diff(patch: str, command: str) -> Markup:
    """One patch, coloured; the signs at the lines' beginnings stay, so that colour is not all that tells.

    Args:
        command: shows the whole, said where the patch is cut.
    """
    lines = patch[:CHARACTERS].splitlines()
    kept = lines[:LINES]
    whole = len(patch) <= CHARACTERS and len(lines) <= LINES
    body = joined([_line(text) for text in kept], "\n")
    total = patch.count("\n") + (not patch.endswith("\n"))
    more = None if whole else tag("p", f"{total - len(kept)} more lines: ", tag("code", command), class_="quiet")
    return tag("div", tag("pre", body, class_="diff", tabindex=0, role="group", aria_label="diff"), more)


def _line(text: str) -> Markup:
    shown = cut(text, _LINE)
    if text.startswith(_HEADS):
        return tag("span", shown, class_="file")
    if text.startswith("@@"):
        return tag("span", shown, class_="place")
    if text.startswith("+"):
        return tag("ins", shown)
    if text.startswith("-"):
        return tag("del", shown)
    return joined([shown])
