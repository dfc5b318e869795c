"""Where calls stand in a text and in which dialect, read from left to right. Judges no name and no argument."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from lao.llm.notations import Cut, Written, json_unit, marked_unit, named_unit, pythonic_unit

_WRAPPERS = (
    r"</?(?:tool_calls?|tools|function_calls?|functioncall|toolcall|minimax:tool_call)>"
    r"|<\|/?(?:tool_calls?|tool_call_start|tool_call_end|tool_calls_section_begin|tool_calls_section_end"
    r"|tool_call_begin|python_tag)\|>"
    r"|\[/?(?:END_)?(?:TOOL_REQUEST|TOOL_CALLS?)\]|<｜tool▁(?:calls?▁(?:begin|end)|outputs?▁begin)｜>"
)
_OPENER = re.compile(
    rf"(?P<wrapper>{_WRAPPERS})"
    r"|(?P<mark><function=|<function\s+name=|<invoke\s+name=)"
    r"|(?P<harmony>(?:<\|start\|>)?(?:assistant)?(?:<\|channel\|>)?(?:commentary|analysis)?[ \t]*"
    r"to=(?:functions\.)?(?P<to>[\w.-]+)[^{}\n]{0,80}?(?=\{))"
    r"|^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*(?:\n|\Z)"
    r"|^[ \t]*(?P<json>(?=\{|\[\s*\{))"
    r"|^[ \t]*(?P<python>(?=\[?\s*[A-Za-z_][\w.]*\())",
    re.MULTILINE,
)
_NOISE = re.compile(rf"(?:\s+|[,;]|{_WRAPPERS}|<\|(?:im_end|eot_id|eom_id|call|end|return)\|>|</s>)*")
_INVENTED = re.compile(
    r"\s*(?:<tool_(?:response|result|output)s?>|\[TOOL_RESULTS?\]|<\|tool_(?:response|result)|<｜tool▁out)"
)


@dataclass(frozen=True)
class Found:
    """Calls that end a text.

    Attributes:
        calls: in order; only the last may be incomplete.
        start: where the first begins.
        invented: a result that the model made up itself stood behind them and is ignored.
        talked: there are calls, but the text goes on behind them: they are shown, not asked for.
    """

    calls: tuple[Written, ...] = ()
    start: int = 0
    invented: bool = False
    talked: bool = False


def find_calls(text: str, known: Callable[[str], bool]) -> Found:
    """The calls with which ``text`` ends.

    A call that is cut or broken swallows all behind it: what looks like a call there is part of its arguments.

    Args:
        known: whether a name is an offered tool's, for notations that plain code or data may look like.
    """
    scanner = _Scanner(text, known)
    scanner.run()
    return scanner.found()


class _Scanner:
    def __init__(self, text: str, known: Callable[[str], bool]) -> None:
        self._text = text
        self._known = known
        self._calls: list[Written] = []
        self._at = 0
        self._end = len(text)
        self._other_fences = False
        self._invented = False

    def run(self) -> None:
        while self._at < self._end:
            match = _OPENER.search(self._text, self._at)
            if match is None:
                return
            if match["fence"]:
                self._fence(match)
            elif match["json"] is not None or match["python"] is not None:
                self._bare(match.end())
            elif not self._is_place(match.start()):
                self._at = match.end()
            elif match["harmony"]:
                self._take(json_unit(self._text, match.end(), match["to"]), match.start(), match.end(), "tagged")
            elif match["mark"]:
                self._take(marked_unit(self._text, match.start()), match.start(), match.end(), "tagged")
            else:
                self._wrapped(match.start(), match.end())
            if self._calls and _INVENTED.match(self._text, self._at):
                self._invented, self._end = True, self._at

    def _is_place(self, at: int) -> bool:
        """Whether a call may begin there: on a line of its own, behind another call, or behind a whole sentence."""
        if self._calls and _noise_end(self._text, self._calls[-1].end) >= at:
            return True
        before = self._text[:at].rpartition("\n")[2].rstrip()
        return not before or before[-1] in ".!>"

    def _take(self, unit: list[Written] | Cut | None, start: int, after: int, form: str) -> bool:
        if unit is None:
            self._at = after
            return False
        if isinstance(unit, Cut):
            if unit.name:
                self._calls.append(Written(unit.name, None, start, self._end, form))
            self._at = self._end
            return True
        self._calls += [replace(u, form=form) for u in unit]
        self._at = _noise_end(self._text, unit[-1].end) if unit else after
        return bool(unit)

    def _wrapped(self, start: int, after: int) -> None:
        at = _noise_end(self._text, start)
        self._at = max(at, after)
        while at < self._end:
            unit = self._unit(at)
            if unit is None and self._text.startswith(("{", "["), at):
                after = max(after, _value_end(self._text, at))
            if not self._take(unit, start, max(after, at), "tagged") or self._at >= self._end:
                return
            at = start = self._at
            if not self._text.startswith(("{", "[", "<function", "<invoke"), at):
                return

    def _unit(self, at: int) -> list[Written] | Cut | None:
        """A call in any notation at ``at``, inside a wrapper."""
        text = self._text
        if text.startswith("```", at):
            line = text.find("\n", at)
            unit = json_unit(text, _noise_end(text, line), "") if line >= 0 else None
            return _closed(text, unit)
        if text.startswith("{", at) or re.match(r"\[\s*\{", text[at : at + 40]):
            return json_unit(text, at, "")
        if text.startswith("<", at):
            return marked_unit(text, at)
        python = pythonic_unit(text, at)
        return python if python is not None else named_unit(text, at)

    def _bare(self, at: int) -> None:
        text = self._text
        if text.startswith("{", at) or re.match(r"\[\s*\{", text[at : at + 40]):
            unit = json_unit(text, at, "")
            if isinstance(unit, Cut):
                unit = unit if self._known(unit.name) else None
            elif unit is None:
                self._at = _value_end(text, at)
                return
        else:
            unit = pythonic_unit(text, at)
            names = [unit.name] if isinstance(unit, Cut) else [u.name for u in unit or ()]
            unit = unit if names and all(map(self._known, names)) else None
        self._take(unit, at, at + 1, "bare")

    def _fence(self, match: re.Match[str]) -> None:
        """A fence that holds nothing but calls, or is passed over."""
        marks, at = match["fence"], _noise_end(self._text, match.end())
        close = re.compile(rf"^[ \t]*{re.escape(marks)}[ \t]*(?:\n|\Z)", re.MULTILINE)
        units: list[Written] = []
        while at < self._end and not close.match(self._text, self._line_start(at)):
            unit = self._fenced_unit(at)
            if isinstance(unit, Cut):
                closing = close.search(self._text, match.end())
                last = closing is None or not self._text[closing.end() :].strip()
                cut = Cut(unit.name if last and self._known(unit.name) else "")
                self._calls += [replace(u, form="fenced") for u in units]
                self._take(cut, match.start(), self._end, "fenced")
                return
            if not unit:
                self._other_fences = True
                closing = close.search(self._text, match.end())
                self._at = closing.end() if closing else self._end
                return
            units += unit
            at = _noise_end(self._text, unit[-1].end)
        closing = close.match(self._text, self._line_start(at)) if at < self._end else None
        self._at = closing.end() if closing else self._end if at >= self._end else at
        self._calls += [replace(u, start=match.start(), end=self._at, form="fenced") for u in units]

    def _fenced_unit(self, at: int) -> list[Written] | Cut | None:
        text = self._text
        if text.startswith("<", at):
            return marked_unit(text, at)
        if text.startswith("{", at) or re.match(r"\[\s*\{", text[at : at + 40]):
            return json_unit(text, at, "")
        unit = pythonic_unit(text, at)
        names = [unit.name] if isinstance(unit, Cut) else [u.name for u in unit or ()]
        return unit if names and all(map(self._known, names)) else None

    def _line_start(self, at: int) -> int:
        begin = self._text.rfind("\n", 0, at) + 1
        return at if self._text[begin:at].strip() else begin

    def found(self) -> Found:
        if not self._calls:
            return Found()
        tail = _noise_end(self._text, self._calls[-1].end)
        if self._text[tail : self._end].strip(" \t\r\n`~"):
            return Found(talked=True)
        kept = [self._calls[-1]]
        for call in reversed(self._calls[:-1]):
            joined = _noise_end(self._text, call.end) >= kept[0].start or call.end == kept[0].end
            if not (joined or call.form == "tagged" or (call.form == "fenced" and not self._other_fences)):
                break
            kept.insert(0, call)
        return Found(tuple(kept), kept[0].start, self._invented)


def _noise_end(text: str, at: int) -> int:
    match = _NOISE.match(text, at)
    return match.end() if match else at


def _closed(text: str, unit: list[Written] | Cut | None) -> list[Written] | Cut | None:
    """A unit in a fence inside a wrapper, with the closing marks."""
    if not isinstance(unit, list) or not unit:
        return unit
    closing = re.compile(r"\s*```").match(text, unit[-1].end)
    end = closing.end() if closing else unit[-1].end
    return [*unit[:-1], replace(unit[-1], end=end)]


def _value_end(text: str, at: int) -> int:
    """Behind the JSON value at ``at``, or one character on when there is none."""
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text, at)
    except (ValueError, RecursionError):
        return at + 1
    return end
