"""Removes what is not the answer: thinking, in all its broken forms, and stray special tokens around it."""

from __future__ import annotations

import re

_NAMES = r"(?:seed:)?(?:think|thinking|thought|reasoning|reflection|begin_of_thought|START_THINKING)"
_ENDS = r"(?:seed:)?(?:think|thinking|thought|reasoning|reflection|end_of_thought|END_THINKING)"
_OPEN = re.compile(rf"<{_NAMES}>|<\|{_NAMES}\|>|◁think▷|\[THINK\]", re.IGNORECASE)
_CLOSE = re.compile(rf"</\s*{_NAMES}\s*>|<\|/?{_ENDS}\|>|◁/think▷|\[/THINK\]", re.IGNORECASE)
_HARMONY = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>\s*(analysis|final)\b\s*<\|message\|>", re.IGNORECASE)
_HARMONY_END = re.compile(r"<\|(?:end|return)\|>|(?=<\|start\|>)|(?=<\|channel\|>)|\Z")
_LM_STUDIO = re.compile(r"__LM_STUDIO_INTERNAL_\w+?__(?:\{[^}\n]*\})?")
_MARK = (
    r"(?:<\|(?:im_end|im_start|endoftext|eot_id|eom_id|end|end_of_text|fim_\w+|return|call|start|end_of_turn"
    r"|assistant|user|begin_of_text|eos|tool_calls_section_end)\|>|<end_of_turn>|<start_of_turn>|<eos>|<bos>|</s>"
    r"|\[/INST\]|<｜end▁of▁sentence｜>|<｜begin▁of▁sentence｜>)"
)
_TAIL = re.compile(rf"{_MARK}(?:(?:assistant|user|model)(?=\s*\Z))?\s*\Z")
_HEAD = re.compile(rf"\A\s*{_MARK}(?:\s*(?:assistant|model)\s*(?:<\|end_header_id\|>)?\s*\n)?")


def strip_think(text: str) -> str:
    """``text`` without thinking.

    With only a closing tag all before it goes; an unclosed block goes to the end. Tags inside the answer proper (code
    that mentions them, after the first fence or in the middle of a line) are kept.
    """
    text = _without_channels(text)
    while True:
        opened, closed = _OPEN.search(text), _CLOSE.search(text)
        if closed and opened is None:
            return text if _in_code(text, closed.start()) else text[[m.end() for m in _CLOSE.finditer(text)][-1] :]
        if closed and opened and closed.start() < opened.start():
            if _in_code(text, closed.start()):
                return text
            text = text[closed.end() :]
            continue
        if opened is None or not _starts_thinking(text, opened.start()):
            return text
        text = text[: opened.start()] + (text[closed.end() :] if closed else "")


def thinking(text: str) -> str:
    """What an unclosed thinking block swallowed: all behind its opening tag; "" when there is none."""
    opened = _OPEN.search(text)
    if opened is None or _CLOSE.search(text) or not _starts_thinking(text, opened.start()):
        return ""
    return text[opened.end() :]


def _without_channels(text: str) -> str:
    """Harmony's channels: the analysis goes, the mark of the final channel goes."""
    while match := _HARMONY.search(text):
        end = _HARMONY_END.search(text, match.end())
        assert end is not None, "the end of the text matches"
        kept = text[match.end() : end.start()] if match.group(1).lower() == "final" else ""
        text = text[: match.start()] + kept + text[end.end() :]
    return text


def _starts_thinking(text: str, at: int) -> bool:
    before = text[:at]
    return "```" not in before and before.rpartition("\n")[2].strip() == ""


def _in_code(text: str, at: int) -> bool:
    """Whether the place is in a code fence or a string of code: a closing tag there is part of the answer."""
    before = text[:at]
    if before.count("```") % 2 and "```" in text[at:]:
        return True
    line = before.rpartition("\n")[2]
    return "```" in before and (line.count('"') % 2 == 1 or line.count("'") % 2 == 1 or line.count("`") % 2 == 1)


def strip_special(text: str) -> str:
    """``text`` without template tokens at its ends and without markers that servers leak."""
    text = _LM_STUDIO.sub("", text)
    while True:
        shorter = _TAIL.sub("", _HEAD.sub("", text))
        if shorter == text:
            return text
        text = shorter


def clean(text: str) -> str:
    """The answer proper: no thinking, no special tokens, no blank lines around it."""
    return strip_special(strip_think(text)).strip()
