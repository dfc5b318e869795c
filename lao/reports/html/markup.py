"""HTML that is escaped by its type: a plain ``str`` is text and is escaped, a ``Markup`` is HTML and is not.

Knows elements and attributes, nothing of reports. Nothing here lets text of a model become an element.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

_VOID: Final = frozenset({"br", "meta", "link", "hr"})
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""What no page should hold: controls, what turns the direction of a line around, half of a character."""

_SEQUENCE: Final = re.compile("\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")
"""Colours and titles as programs send them to terminals."""


class Markup(str):
    """HTML that is safe to put into a page as it is."""

    __slots__ = ()


Child = str | None | Sequence["Child"]
"""Text (escaped), ``Markup``, None (nothing), or several of them."""

Value = str | int | float | bool | None
"""Of an attribute: True stands without a value, None and False leave it out."""


def tag(element: str, *children: Child, **attributes: Value) -> Markup:
    """An element. ``class_`` and ``for_`` lose their underscore, other underscores are hyphens: ``aria_label``."""
    named = "".join(_attribute(name, value) for name, value in attributes.items())
    if element in _VOID:
        return Markup(f"<{element}{named}>")
    return Markup(f"<{element}{named}>{''.join(_escaped(children))}</{element}>")


def joined(children: Iterable[Child], between: str = "") -> Markup:
    """Several as one; ``between`` is escaped."""
    parts = ["".join(_escaped([child])) for child in children]
    return Markup(html.escape(between).join(part for part in parts if part))


def text_of(text: str) -> str:
    """Somebody else's text without what a page should not hold; lines and tabs stay."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def cut(text: str, most: int) -> str:
    """At most ``most`` characters, the last one an ellipsis where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut_middle(text: str, most: int) -> str:
    """At most about ``most`` characters: the beginning and, twice as long, the end, where errors are told."""
    if len(text) <= most:
        return text
    head = most // 3
    return f"{text[:head]}\n[… {len(text) - most} characters …]\n{text[head - most :]}"


def _escaped(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield html.escape(text_of(child), quote=False)
        else:
            yield from _escaped(child)


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    known = name.rstrip("_").replace("_", "-")
    return f" {known}" if value is True else f' {known}="{html.escape(text_of(str(value)))}"'
