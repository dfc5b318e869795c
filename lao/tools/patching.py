"""The patch ladder: exact, whitespace-tolerant with re-indentation, anchored, else an error that shows the real lines.

Pure text work. Likeness alone changes nothing: a fuzzy edit in the wrong place costs more than one more turn.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from lao.core.elisions import elision
from lao.core.errors import BadInput
from lao.tools.indentation import indent as _indent
from lao.tools.indentation import reindented as _reindented
from lao.tools.merging import merge

_TELLING: Final = 10
"""Characters below which finding the replacement in the file proves nothing."""


def apply_patch(
    text: str, search: str, replace: str, name: str, *, anchors: Sequence[str] = (), line: int = 0
) -> tuple[str, str]:
    """The new text and a note.

    Args:
        anchors: lines above the place, outermost first; they decide when ``search`` is found several times.
        line: a line number for the same purpose, from 1; taken only when one place is exactly there.

    Raises:
        BadInput: no place or several; the text shows where or what is nearest.
    """
    _refuse_senseless(text, search, replace, name)
    if "\r\n" in text:
        search, replace = _crlf(search), _crlf(replace)
    starts = _starts(text, search)
    if search in replace and starts and _covered(text, search, replace, starts):
        return text, f"{name} already has this change (line {_line_of(text, text.find(replace))}); nothing changed"
    if len(starts) > 1:
        starts = _chosen(text, starts, anchors, line) or starts
    if len(starts) > 1:
        raise _several(name, [_line_of(text, at) for at in starts])
    if not starts or _needs_indentation(text, search, replace, starts[0]):
        return _tolerant(text, search, replace, name, anchors, line)
    at = starts[0]
    end = at + len(search)
    if at == 0 or text[at - 1] == "\n":
        replace, end = _whole_lines(text, end, search, replace)
    return text[:at] + replace + text[end:], f"patched {name} at line {_line_of(text, at)}"


def _whole_lines(text: str, end: int, search: str, replace: str) -> tuple[str, int]:
    """Replacement and end with the line breaks right: models are careless with the last one."""
    ending = "\r\n" if "\r\n" in text else "\n"
    if not replace and text.startswith(ending, end) and not search.endswith("\n"):
        return replace, end + len(ending)  # whole lines go with their line break
    if replace and search.endswith("\n") and not replace.endswith("\n"):
        return replace + ending, end
    if replace.endswith("\n") and not search.endswith("\n") and text.startswith(ending, end):
        return replace.removesuffix(ending), end
    return replace, end


def _refuse_senseless(text: str, search: str, replace: str, name: str) -> None:
    if not search.strip():
        raise BadInput("'search' is empty", "copy the lines to replace from the file; a new file is made by file_write")
    if search == replace:
        raise BadInput("'search' and 'replace' are the same", "'replace' must hold the new text")
    if left_out := elision(replace, [*text.splitlines(), *search.splitlines()]):
        raise BadInput(
            f"'replace' leaves code out: {left_out[:80]!r}; nothing was changed in {name!r}",
            "write all lines that shall be there; for a smaller change take fewer lines into 'search'",
        )


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _starts(text: str, search: str) -> list[int]:
    """Where ``search`` is: whole lines if there are such places, else parts of lines that cut no word in two."""
    whole, parts, at = [], [], text.find(search)
    while at >= 0:
        end = at + len(search)
        if (at == 0 or text[at - 1] == "\n") and (end == len(text) or text[end - 1] == "\n" or text[end] in "\r\n"):
            whole.append(at)
        elif not (search[0] in "\r\n" or _in_word(text, at) or _in_word(text, end)):
            parts.append(at)
        at = text.find(search, at + 1)
    return whole or parts


def _in_word(text: str, at: int) -> bool:
    around = text[max(at - 1, 0) : at + 1]
    return at > 0 and len(around) == 2 and all(c.isalnum() or c == "_" for c in around)


def _chosen(text: str, starts: list[int], anchors: Sequence[str], line: int) -> list[int]:
    """The one place that the anchors or the line number mean, if they mean one."""
    there = [at for at in starts if line and _line_of(text, at) == line]
    if len(there) == 1:
        return there
    below = anchored_at(text.splitlines(), anchors)
    return [at for at in starts if _line_of(text, at) > below][:1] if below else []


def anchored_at(lines: Sequence[str], anchors: Sequence[str]) -> int:
    """Number of the line (from 1) that the last anchor names; 0 when there is none or it could be several.

    Every anchor is looked for below the one before: first as a whole line, then as the beginning of one.
    """
    at = 0
    for anchor in anchors:
        wanted = anchor.strip().rstrip(":").rstrip()
        bare = [(n, text.strip().rstrip(":").rstrip()) for n, text in enumerate(lines, 1) if n > at]
        found = [n for n, text in bare if text == wanted] or [n for n, text in bare if text.startswith(wanted)]
        if len(found) != 1 or not wanted:
            return 0
        at = found[0]
    return at


def _needs_indentation(text: str, search: str, replace: str, at: int) -> bool:
    """Whether ``search`` begins behind a line's indentation and new lines would stand without it."""
    before = text[:at].rpartition("\n")[2]
    return bool(before) and not before.strip() and "\n" in replace.strip("\r\n") and not _indent(search)


def _covered(text: str, search: str, replace: str, starts: list[int]) -> bool:
    """Whether every place of ``search`` is already part of a place of ``replace`` (an insertion done before)."""
    spans = [(at, at + len(replace)) for at in _starts(text, replace)]
    return all(any(a <= at and at + len(search) <= b for a, b in spans) for at in starts)


def _line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _several(name: str, lines: list[int]) -> BadInput:
    shown = ", ".join(str(n) for n in lines[:10])
    return BadInput(
        f"'search' is found {len(lines)} times in {name!r}, at lines {shown}; nothing was changed",
        "take more lines around it into 'search', so that it is found once",
    )


def _tolerant(text: str, search: str, replace: str, name: str, anchors: Sequence[str], hint: int) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    wanted, new = _trimmed(search.splitlines()), _trimmed(replace.splitlines())
    places = _places(lines, wanted)
    if len(places) > 1:
        below = anchored_at(lines, anchors)
        places = [p for p in places if p + 1 == hint] or [p for p in places if below and p >= below][:1] or places
    if len(places) > 1:
        raise _several(name, [p + 1 for p in places])
    if places:
        at = places[0]
        old = lines[at : at + len(wanted)]
        body = _reindented(old, wanted, new)
        if body is not None:
            ending = "\r\n" if old[0].endswith("\r\n") else "\n"
            last = ending if old[-1].endswith("\n") else ""
            block = ending.join(body) + (last if body else "")
            if block == "".join(old):
                return text, f"{name} already has this change (line {at + 1}); nothing changed"
            note = f"patched {name} at line {at + 1} (matched without regard to indentation; check it)"
            return "".join([*lines[:at], block, *lines[at + len(wanted) :]]), note
    done = _places(lines, new) if len("".join(new).strip()) >= _TELLING else []
    if done and not places:
        where = f"lines {done[0] + 1}-{done[0] + len(new)}"
        return text, f"{name} already has the text of 'replace' at {where}, and not 'search'; nothing changed"
    merged = merge(lines, wanted, new) if not places else None
    if merged is not None:
        start, stop, changed = merged
        note = f"patched {name} at lines {start + 1}-{stop} (found by its first and last line; check it)"
        return "".join([*lines[:start], *changed, *lines[stop:]]), note
    raise BadInput(f"'search' is not in {name!r}; nothing was changed", nearest(text, search))


def _trimmed(lines: list[str]) -> list[str]:
    """Without blank lines at both ends."""
    start, end = 0, len(lines)
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return lines[start:end]


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    bare, target = [line.strip() for line in lines], [line.strip() for line in wanted]
    if not target:
        return []
    size = len(target)
    return [i for i in range(len(bare) - size + 1) if bare[i] == target[0] and bare[i : i + size] == target]


def nearest(text: str, search: str) -> str:
    """The window of the file that is most like the wanted lines, numbered, or advice to read the file."""
    lines, wanted = text.splitlines(), _trimmed(search.splitlines())
    size = max(len(wanted), 1)
    target = "\n".join(line.strip() for line in wanted)[:4_000]
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(target)
    best, best_at = 0.0, -1
    bare = [line.strip() for line in lines]
    for at in range(max(len(bare) - size + 1, 1))[:20_000]:
        matcher.set_seq1("\n".join(bare[at : at + size])[:4_000])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            ratio = matcher.ratio()
            if ratio > best:
                best, best_at = ratio, at
    if best < 0.5:
        return "nothing in the file is like it: read the file again with file_read and copy the lines from there"
    first, last = max(best_at - 1, 0), min(best_at + size + 1, len(lines))
    shown = "".join(f"{n + 1:>5} | {lines[n].rstrip()[:200]}\n" for n in range(first, min(last, first + 40)))
    return f"the nearest lines in the file are (copy 'search' from them, without the numbers):\n{shown.rstrip()}"
