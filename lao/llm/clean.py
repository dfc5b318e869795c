"""Removes what is not the answer: thinking, in all its broken forms, and stray special tokens at the end."""

from __future__ import annotations

import re

_NAMES = r"(?:think|thinking|thought|reasoning)"
_OPEN = re.compile(rf"<{_NAMES}>", re.IGNORECASE)
_CLOSE = re.compile(rf"</{_NAMES}>", re.IGNORECASE)
_LM_STUDIO = re.compile(r"__LM_STUDIO_INTERNAL_\w+?__(?:\{[^}\n]*\})?")
_SPECIAL = re.compile(
    r"(?:<\|(?:im_end|im_start|endoftext|eot_id|eom_id|end|end_of_text|fim_\w+|return|call)\|>"
    r"|<end_of_turn>|<start_of_turn>|<eos>|</s>|<｜end▁of▁sentence｜>)(?:(?:assistant|user|model)(?=\s*\Z))?\s*\Z"
)


def strip_think(text: str) -> str:
    """``text`` without thinking.

    With only a closing tag all before it goes; an unclosed block goes to the end. Tags inside the answer proper (code
    that mentions them, after the first fence or in the middle of a line) are kept.
    """
    while True:
        opened, closed = _OPEN.search(text), _CLOSE.search(text)
        if closed and opened is None:
            return text[[m.end() for m in _CLOSE.finditer(text)][-1] :]
        if closed and opened and closed.start() < opened.start():
            text = text[closed.end() :]
            continue
        if opened is None or not _starts_thinking(text, opened.start()):
            return text
        text = text[: opened.start()] + (text[closed.end() :] if closed else "")


def _starts_thinking(text: str, at: int) -> bool:
    before = text[:at]
    return "```" not in before and before.rpartition("\n")[2].strip() == ""


def strip_special(text: str) -> str:
    """``text`` without template tokens at its end and without markers that servers leak."""
    text = _LM_STUDIO.sub("", text)
    while True:
        shorter = _SPECIAL.sub("", text)
        if shorter == text:
            return text
        text = shorter


def clean(text: str) -> str:
    """The answer proper: no thinking, no special tokens, no blank lines around it."""
    return strip_special(strip_think(text)).strip()
