"""The patch ladder: exact, then whitespace-tolerant with re-indentation, else an error that shows the real lines.

Pure text work. Nothing is applied on likeness: a fuzzy edit in the wrong place costs more than one more turn.
"""

from __future__ import annotations

import difflib
from typing import Final

from lao.core.errors import BadInput

_TELLING: Final = 10
"""Characters below which finding the replacement in the file proves nothing."""


def apply_patch(text: str, search: str, replace: str, name: str) -> tuple[str, str]:
    """The new text and a note.

    Raises:
        BadInput: no place or several; the text shows where or what is nearest.
    """
    if not search.strip():
        raise BadInput("'search' is empty", "copy the lines to replace from the file; a new file is made by file_write")
    if "\r\n" in text:
        search, replace = _crlf(search), _crlf(replace)
    if search == replace:
        raise BadInput("'search' and 'replace' are the same", "'replace' must hold the new text")
    starts = _starts(text, search)
    if search in replace and starts and _covered(text, search, replace, starts):
        return text, f"{name} already has this change (line {_line_of(text, text.find(replace))}); nothing changed"
    if len(starts) == 1:
        at = starts[0]
        return text[:at] + replace + text[at + len(search) :], f"patched {name} at line {_line_of(text, at)}"
    if starts:
        raise _several(name, [_line_of(text, at) for at in starts])
    return _tolerant(text, search, replace, name)


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _starts(text: str, search: str) -> list[int]:
    found, at = [], text.find(search)
    while at >= 0:
        found.append(at)
        at = text.find(search, at + 1)
    return found


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


def _tolerant(text: str, search: str, replace: str, name: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    wanted, new = _trimmed(search.splitlines()), _trimmed(replace.splitlines())
    places = _places(lines, wanted)
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
    if done:
        where = f"lines {done[0] + 1}-{done[0] + len(new)}"
        return text, f"{name} already has the text of 'replace' at {where}, and not 'search'; nothing changed"
    raise BadInput(f"'search' is not in {name!r}; nothing was changed", _nearest(lines, wanted))


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


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _reindented(old: list[str], wanted: list[str], new: list[str]) -> list[str] | None:
    """``new`` with the indentation of the file; None when the two indentations have no one relation."""
    pairs = {(_indent(w), _indent(o)) for w, o in zip(wanted, old, strict=True) if w.strip()}
    table = dict(pairs)
    if len(table) != len(pairs):
        return None
    result = []
    for line in new:
        if not line.strip():
            result.append("")
            continue
        indent = _mapped(_indent(line), table)
        if indent is None:
            return None
        result.append(indent + line.lstrip(" \t") if indent != _indent(line) else line)
    return result


def _mapped(indent: str, table: dict[str, str]) -> str | None:
    if indent in table:
        return table[indent]
    added = {real[: len(real) - len(asked)] if real.endswith(asked) else None for asked, real in table.items()}
    if len(added) == 1 and None not in added:
        return f"{added.pop()}{indent}"
    removed = {asked[: len(asked) - len(real)] if asked.endswith(real) else None for asked, real in table.items()}
    cut = removed.pop() if len(removed) == 1 else None
    if cut is not None:
        return indent[len(cut) :] if indent.startswith(cut) else None
    below = [asked for asked in table if indent.startswith(asked)]
    if not below:
        return None
    base = max(below, key=len)
    return table[base] + _in_unit(indent[len(base) :], table)


def _in_unit(rest: str, table: dict[str, str]) -> str:
    """Deeper indentation in the file's own unit: tabs where the file has tabs and the model wrote spaces, or back."""
    real = "".join(table.values())
    if "\t" in real and set(rest) == {" "}:
        steps = sorted({len(asked) for asked in table if asked.strip("\t") == asked and asked})
        unit = steps[0] if steps else 4
        return "\t" * max(round(len(rest) / unit), 1)
    if real and "\t" not in real and set(rest) == {"\t"}:
        return " " * 4 * len(rest)
    return rest


def _nearest(lines: list[str], wanted: list[str]) -> str:
    """The window of the file that is most like the wanted lines, numbered, or advice to read the file."""
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
