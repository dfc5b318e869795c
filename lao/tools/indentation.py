"""Indentation of new lines after the example of lines that were found. Pure text; finds nothing itself."""

from __future__ import annotations


def indent(line: str) -> str:
    """The blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip())]


def reindented(old: list[str], wanted: list[str], new: list[str]) -> list[str] | None:
    """``new`` with the indentation of the file; None when the two indentations have no one relation."""
    pairs = {(indent(w), indent(o)) for w, o in zip(wanted, old, strict=True) if w.strip()}
    table = dict(pairs)
    if len(table) != len(pairs):
        return None
    result = []
    for line in new:
        if not line.strip():
            result.append("")
            continue
        real = _mapped(indent(line), table)
        if real is None:
            return None
        result.append(real + line.lstrip(" \t") if real != indent(line) else line)
    return result


def _mapped(blanks: str, table: dict[str, str]) -> str | None:
    if blanks in table:
        return table[blanks]
    added = {real[: len(real) - len(asked)] if real.endswith(asked) else None for asked, real in table.items()}
    if len(added) == 1 and None not in added:
        return f"{added.pop()}{blanks}"
    removed = {asked[: len(asked) - len(real)] if asked.endswith(real) else None for asked, real in table.items()}
    cut = removed.pop() if len(removed) == 1 else None
    if cut is not None:
        return blanks[len(cut) :] if blanks.startswith(cut) else None
    below = [asked for asked in table if blanks.startswith(asked)]
    if not below:
        return None
    base = max(below, key=len)
    return table[base] + _in_unit(blanks[len(base) :], table)


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
