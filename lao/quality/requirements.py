"""What a plan demands, read out of its text without a model: front matter, checklists, numbered requirements, ids.

Which tasks answer a demand is decided elsewhere (``lao.agents.plan_answers``); the commands of ``acceptance`` in the
front matter run with the plan's other commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lao.core.errors import BadInput
from lao.state.requirements import Requirement

_FRONT: Final = re.compile(r"\A\ufeff?---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FENCE: Final = re.compile(r"^\s*(`{3,}|~{3,})")
_HEADING: Final = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_DEMANDING: Final = re.compile(
    r"\b(?:requirements?|acceptance|criteria|criterion|must(?:[ -]haves?)?|deliverables?|definition of done"
    r"|done when)\b",
    re.IGNORECASE,
)
_CHECKBOX: Final = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+\[[ xX]\]\s+(\S.*)$")
_NUMBERED: Final = re.compile(r"^( {0,3})(?:[-*+]\s+)?(?:\*\*)?\d{1,3}[.)](?:\*\*)?\s+(\S.*)$")
_ITEM: Final = re.compile(r"^(\s*)(?:[-*+]|\d+[.)])\s+")
_ID: Final = re.compile(r"(?<![\w/.-])([A-Z][A-Z0-9]{1,9}-\d{1,6})(?![\w-])")
_OWN_ID: Final = re.compile(r"^\W{0,4}([A-Z][A-Z0-9]{1,9}-\d{1,6}|(?:R|AC|REQ)\d{1,4})\b\W{0,4}")
_STANDARDS: Final = frozenset(
    {"UTF", "ISO", "SHA", "RFC", "AES", "RSA", "MD", "HTTP", "HTTPS", "TLS", "SSL", "IEEE", "IEC", "ECMA", "ANSI",
     "CVE", "CWE", "GPT", "BASE", "CP", "KOI", "LATIN", "UTC", "GMT", "IPV", "ASCII", "PEP", "BLAKE", "CRC", "FIPS",
     "PKCS", "EAN", "ISBN", "ISSN", "DIN", "EN", "USB", "WCAG", "OAUTH", "COVID", "RS", "LZ", "MPEG", "MP", "H"}
)  # fmt: skip
"""What stands before a dash and a number without being somebody's deliverable."""

_LABEL: Final = re.compile(
    r"^\s*(?:[-*+]\s+)?[*_]{0,2}(?:tests?|checks?|verify|accept(?:ance)?|validate)[*_]{0,2}\s*:", re.IGNORECASE
)
_MARKS: Final = re.compile(r"^[\s#>*+-]*(?:\d+[.)])?[\s*_`]*")
"""What may stand before the words of a line."""

_LONGEST: Final = 500
"""Characters of a demand's text that are kept."""


@dataclass(frozen=True)
class Demand:
    """A demand as it stands in the plan. ``block`` is its whole text with the lines that belong to it."""

    requirement: Requirement
    block: str


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    demanding: bool
    """Whether it is under a heading such as "Requirements"."""


def requirements_of(text: str, options: Mapping[str, Any]) -> tuple[Demand, ...]:
    """The demands of a plan, each once: its front matter's, then the text's in its order.

    Args:
        text: of the plan, front matter included, so that lines are those of the file.
        options: the front matter.

    Raises:
        BadInput: ``acceptance`` has a form that is not known.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    found = [*_of_front_matter(options, plain), *_of_text(plain)]
    return _keyed(found)


def acceptance_commands(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands of the front matter's ``acceptance``, each once.

    Raises:
        BadInput: as ``requirements_of``.
    """
    commands = [command for _, _, given in _accepted(options) for command in given]
    return tuple(dict.fromkeys(commands))


def _accepted(options: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(id or "", text, commands) of each entry."""
    given = options.get("acceptance")
    if given is None:
        return
    for entry in given if isinstance(given, list) else [given]:
        if isinstance(entry, str) and entry.strip():
            yield "", " ".join(entry.split()), ()
        elif isinstance(entry, Mapping):
            yield _entry(entry)
        else:
            raise _unknown(f"not {entry!r}")


def _entry(entry: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    unknown = sorted(str(key) for key in entry if key not in ("id", "text", "command", "commands"))
    if unknown:
        raise _unknown(f"it has the unknown key {unknown[0]!r}")
    commands = [c for name in ("command", "commands") for c in _texts(entry.get(name))]
    text = " ".join(str(entry.get("text") or "").split())
    if not text and not commands:
        raise _unknown("an entry has neither a text nor a command")
    return str(entry.get("id") or "").strip(), text or f"`{commands[0]}` passes", tuple(commands)


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(one, str) and one.strip() for one in listed):
        raise _unknown(f"a command must be text, not {value!r}")
    return [one.strip() for one in listed]


def _unknown(what: str) -> BadInput:
    return BadInput(
        f"the plan's acceptance must be a list of texts or of {{id, text, command}}; {what}",
        "for example 'acceptance: [{id: SHOP-1, text: prices are rounded, command: pytest -q test_price.py}]'",
    )


def _of_front_matter(options: Mapping[str, Any], text: str) -> list[Demand]:
    front = _FRONT.match(text)
    lines = front[0].split("\n") if front else []
    found = []
    for ident, said, commands in _accepted(options):
        marks = [mark for mark in (ident, " ".join(said.split()[:4]), *(c.split("\n")[0] for c in commands)) if mark]
        line = next((n for n, shown in enumerate(lines, 1) if any(mark in shown for mark in marks)), 0)
        found.append(Demand(Requirement(ident, said[:_LONGEST], line, "front_matter", (), commands), said))
    return found


def _of_text(text: str) -> list[Demand]:
    lines = _lines(text)
    found: list[Demand] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        box, numbered = _CHECKBOX.match(line.text), _NUMBERED.match(line.text) if line.demanding else None
        item = box or numbered
        if item is None or _LABEL.match(item[2]):
            at += 1
            continue
        end = _end(lines, at, len(item[1]))
        said = [item[2], *(more.text for more in lines[at + 1 : end])]
        source = "checklist" if box else "numbered"
        found.append(_demand(said, line.number, source))
        at = at + 1 if box else end
    return sorted([*found, *_of_ids(lines, found)], key=lambda demand: demand.requirement.line)


def _lines(text: str) -> list[_Line]:
    """The lines that say something, without front matter and code."""
    front = _FRONT.match(text)
    skipped = front[0].count("\n") if front else 0
    found, marks, level = [], "", 0
    for number, line in enumerate(text.split("\n"), 1):
        fence = _FENCE.match(line)
        if fence and (not marks or fence[1].startswith(marks)):
            marks = "" if marks else fence[1]
        elif number > skipped and not marks:
            heading = _HEADING.match(line)
            if heading and (not level or len(heading[1]) <= level):
                level = len(heading[1]) if _DEMANDING.search(heading[2]) else 0
            found.append(_Line(number, line, bool(level) and not heading))
    return found


def _end(lines: list[_Line], at: int, indent: int) -> int:
    """Index after the lines that belong to the item at ``at``."""
    for n in range(at + 1, len(lines)):
        text = lines[n].text
        item = _ITEM.match(text)
        if _HEADING.match(text) or _CHECKBOX.match(text) or (item and len(item[1]) <= indent):
            return n
        if not text.strip() and not (n + 1 < len(lines) and lines[n + 1].text.startswith((" ", "\t"))):
            return n
    return len(lines)


def _demand(said: list[str], line: int, source: str, key: str = "") -> Demand:
    shown = " ".join(" ".join(text.strip() for text in said if not _LABEL.match(text)).split())
    return Demand(Requirement(key, shown[:_LONGEST], line, source), "\n".join(said))


def _of_ids(lines: list[_Line], found: list[Demand]) -> list[Demand]:
    """Ids such as ABC-12 that stand in no item: the line that begins with one says what it is, else the first."""
    known = {ident for demand in found for ident in _ID.findall(demand.block)}
    first: dict[str, _Line] = {}
    for line in lines:
        for ident in _ID.findall(line.text):
            if ident in known or ident.rpartition("-")[0] in _STANDARDS:
                continue
            if ident not in first or (_begins(line, ident) and not _begins(first[ident], ident)):
                first[ident] = line
    return [_demand([_MARKS.sub("", line.text)], line.number, "id", ident) for ident, line in first.items()]


def _begins(line: _Line, ident: str) -> bool:
    return _MARKS.sub("", line.text).startswith(ident)


def _keyed(found: list[Demand]) -> tuple[Demand, ...]:
    """Each with a key of its own: the id that it begins with, else its place."""
    taken: set[str] = set()
    done, count = [], 0
    for demand in found:
        own = _OWN_ID.match(demand.requirement.text)
        named = own[1] if own and own[1].rpartition("-")[0] not in _STANDARDS else ""
        key = demand.requirement.key or named
        count += not key
        key = key or f"R{count}"
        number, unique = 2, key
        while unique in taken:
            unique, number = f"{key}.{number}", number + 1
        taken.add(unique)
        done.append(replace(demand, requirement=replace(demand.requirement, key=unique)))
    return tuple(done)
