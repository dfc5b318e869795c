"""The anchored match: a change put into lines that the model remembers only in part. Pure text; may refuse."""

from __future__ import annotations

import difflib
from typing import Final

from lao.tools.indentation import reindented

_LEAST_LINES: Final = 3
_LEAST_KNOWN: Final = 0.6
_TELLING: Final = 4

Change = tuple[int, int, list[str]]


def merge(lines: list[str], wanted: list[str], new: list[str]) -> tuple[int, int, list[str]] | None:
    """The change from ``wanted`` to ``new``, made to the one block of ``lines`` that ``wanted`` means.

    The first and the last wanted line must each be in the file exactly once, most of the others between them, and every
    line that the change touches or stands between must be there as it was remembered. Untouched lines stay as they are
    in the file, also those that were remembered wrongly.

    Args:
        lines: of the file, with their ends.

    Returns:
        First and last (excluded) index of the block and its new lines; None when any of that is not so.
    """
    bare, target = [line.strip() for line in lines], [line.strip() for line in wanted]
    span = _span(bare, target)
    if span is None:
        return None
    first, last = span
    known = _known(target, bare[first:last])
    if sum(1 for n in known if target[n]) < _LEAST_KNOWN * sum(1 for line in target if line):
        return None
    changes = _changes(wanted, new, known, bare[first:last], target)
    if not changes:
        return None
    return _applied(lines, first, last, wanted, known, changes)


def _span(bare: list[str], target: list[str]) -> tuple[int, int] | None:
    if sum(1 for line in target if line) < _LEAST_LINES:
        return None
    ends = (target[0], target[-1])
    if any(bare.count(end) != 1 or sum(c.isalnum() for c in end) < _TELLING for end in ends):
        return None
    first, last = bare.index(ends[0]), bare.index(ends[1]) + 1
    return (first, last) if 1 < last - first <= 2 * len(target) + 5 else None


def _known(target: list[str], real: list[str]) -> dict[int, int]:
    """Index of a wanted line → index of the same line in the block."""
    blocks = difflib.SequenceMatcher(None, target, real, autojunk=False).get_matching_blocks()
    return {b.a + n: b.b + n for b in blocks for n in range(b.size)}


def _changes(
    wanted: list[str], new: list[str], known: dict[int, int], real: list[str], target: list[str]
) -> list[Change] | None:
    """(first, last excluded, new lines) in indexes of the block; None when the place of one is not certain."""
    before, after = [line.rstrip() for line in wanted], [line.rstrip() for line in new]
    found: list[Change] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        touched = list(range(i1, i2)) or [n for n in (i1 - 1, i1) if 0 <= n < len(wanted)]
        places = [known[n] for n in touched if n in known and real.count(target[n]) == target.count(target[n])]
        if len(places) != len(touched) or places != list(range(places[0], places[0] + len(places))):
            return None
        if i1 < i2:
            found.append((places[0], places[-1] + 1, new[j1:j2]))
        else:
            at = places[0] if i1 == 0 else places[0] + 1
            found.append((at, at, new[j1:j2]))
    return found


def _applied(
    lines: list[str], first: int, last: int, wanted: list[str], known: dict[int, int], changes: list[Change]
) -> tuple[int, int, list[str]] | None:
    block = lines[first:last]
    pairs = [(block[real], wanted[n]) for n, real in known.items() if wanted[n].strip()]
    ending = "\r\n" if block[0].endswith("\r\n") else "\n"
    for start, end, new in reversed(changes):
        body = reindented([real for real, _ in pairs], [asked for _, asked in pairs], new)
        if body is None:
            return None
        inserted = [line + ending for line in body]
        if inserted and first + end == len(lines) and not block[-1].endswith("\n"):
            if start == end:
                block[-1] += ending
            inserted[-1] = inserted[-1].removesuffix(ending)
        block[start:end] = inserted
    return first, last, block
