"""Checks a report file against the state and git: every reference resolves, every figure is counted again from the rows
that it names, and every line is what the state says. Changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput, LaoError
from lao.core.words import Json
from lao.reports import quality
from lao.reports.html_refs import refs_of_page
from lao.reports.markdown import MARK, night_markdown, plan_markdown, refs_in
from lao.reports.measures import Ledger
from lao.reports.model import Claim
from lao.reports.plans import FINDINGS
from lao.reports.read import night_report, plan_report
from lao.reports.refs import long
from lao.reports.versions import require_current
from lao.state.store import Store

MOST: Final = 50
"""Problems that are told of one file."""

_MAX_BYTES: Final = 200_000_000
_PLAN: Final = re.compile(re.escape(MARK) + r" \S+ · plan (\S+) ")
_NIGHT: Final = re.compile(re.escape(MARK) + r" \S+ · night (\S+) (\S+) ")


_CHANGEABLE: Final = re.compile(
    r"[0-9a-f]{10,}|[\d.]+"
    r"|\b(done|failed|completed|cancelled|needs_human|(?:needs|for) a person|proved|checked|unchecked|open)\b"
)


class Missing(LaoError):
    """There is no such report; exit code 1."""


@dataclass(frozen=True)
class Checked:
    """What came of it.

    Attributes:
        statements, references: how many were looked at.
        problems: each with its place (``line 14`` or the path of a key) and what is wrong there.
        note: what cannot be checked, and why.
    """

    file: Path
    statements: int
    references: int
    problems: tuple[tuple[str, str], ...] = ()
    note: str = ""


def check_file(store: Store, file: Path) -> Checked:
    """Check a report by its kind: ``.json``, ``.md`` or ``.html``.

    Raises:
        Missing: there is no such file.
        BadInput: it is no report, of another version, or of a plan that is not in the state.
    """
    text = read_text(file)
    kinds = {".json": _check_json, ".md": _check_markdown, ".html": _check_html}
    if file.suffix.lower() not in kinds:
        raise BadInput(f"{str(file)!r} is no report", "a report ends in .json, .md or .html")
    found = kinds[file.suffix.lower()](store, file, text)
    return replace(found, problems=found.problems[:MOST])


def read_text(file: Path) -> str:
    """The text of a report.

    Raises:
        Missing: there is no such file.
        BadInput: it cannot be read.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise BadInput(f"{str(file)!r} is larger than any report", "give the report's own file")
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(
            f"there is no report {str(file)!r}", "'lao report PLAN' makes it when the plan is over"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"the report {str(file)!r} cannot be read ({error})", "'lao report PLAN' makes it again"
        ) from error


def load_json(file: Path, text: str) -> dict[str, Json]:
    """The document.

    Raises:
        BadInput: it is no JSON object; says the line.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise BadInput(f"{str(file)!r} is damaged: {where}{said}", "'lao report PLAN' makes it again") from error
    if not isinstance(data, dict):
        raise BadInput(f"{str(file)!r} is no quality report: it is not an object", "'lao report PLAN' makes it again")
    return data


def _check_json(store: Store, file: Path, text: str) -> Checked:
    data = load_json(file, text)
    require_current(file, data)
    wrong = quality.problems(data)
    if wrong:
        return Checked(file, 0, 0, tuple((path, said) for path, _, said in (one.partition(": ") for one in wrong)))
    if data["report"] is None:
        return Checked(file, 0, 0, note="migrated from LAO 3.1: its figures rest on no row of this state")
    claims = list(_claims(data["report"], "$.report"))
    refs = [*_single_refs(data["report"], "$.report"), *((where, ref) for where, one in claims for ref in one.refs)]
    ledger = Ledger(store, (ref for _, ref in refs))
    problems = [(where, problem) for where, ref in refs if (problem := ledger.problem(ref))]
    problems += [(where, said) for where, one in claims for said in ledger.wrong(one)]
    listed = max(FINDINGS, len(data["report"]["findings"]))
    real = quality.document(plan_report(store, data["report"]["id"], findings=listed))
    problems += _differences(data, real, "$")
    return Checked(file, len(claims), len(refs), tuple(dict.fromkeys(problems)))


def _check_markdown(store: Store, file: Path, text: str) -> Checked:
    fresh = _fresh_markdown(store, file, text.partition("\n")[0])
    lines, real = text.split("\n"), fresh.split("\n")
    comments = [(f"line {number}", list(long(refs))) for number, refs in refs_in(text)]
    ledger = Ledger(store, (ref for _, refs in comments for ref in refs))
    problems = [(where, said) for where, refs in comments for ref in refs if (said := ledger.problem(ref))]
    known = set(real)
    for number, line in enumerate(lines, 1):
        if line not in known:
            problems.append((f"line {number}", f"the state does not say this: {line.strip()[:200]}"))
    there = set(lines)
    problems += [("the end", f"the state also says: {line.strip()[:200]}") for line in real if line not in there]
    if not problems and lines != real:
        problems.append(("the file", "its lines are in another order"))
    return Checked(file, len(comments), sum(len(refs) for _, refs in comments), tuple(problems))


def _fresh_markdown(store: Store, file: Path, head: str) -> str:
    plan, night = _PLAN.match(head), _NIGHT.match(head)
    if plan is not None:
        return plan_markdown(plan_report(store, plan[1]))
    if night is not None:
        try:
            return night_markdown(night_report(store, float(night[1]), float(night[2])))
        except ValueError as error:
            raise BadInput(
                f"line 1 of {str(file)!r} names no night", "'lao report --markdown' makes it again"
            ) from error
    raise BadInput(f"line 1 of {str(file)!r} is not that of a report by LAO", "'lao report PLAN' makes one")


def _check_html(store: Store, file: Path, text: str) -> Checked:
    """Elements with ``data-refs``: where the state has a statement of just these rows that differs in nothing but its
    numbers and states, it must be that one; with ``data-claim`` it must be one in any case."""
    marked = [(f"line {one.line}", list(long(one.refs)), one) for one in refs_of_page(text)]
    if not marked:
        raise BadInput(f"{str(file)!r} has no statement with references", "'lao report PLAN --html' makes the page")
    ledger = Ledger(store, (ref for _, refs, _ in marked for ref in refs))
    problems = [(where, said) for where, refs, _ in marked for ref in refs if (said := ledger.problem(ref))]
    plans = dict.fromkeys(ref.partition(":")[2] for _, refs, _ in marked for ref in refs if ref.startswith("plan:"))
    known: dict[tuple[str, ...], set[str]] = {}
    for plan in plans:
        if not ledger.problem(f"plan:{plan}"):
            report = plan_report(store, plan, findings=None).to_json()
            for _, claim in _claims(report, "$"):
                known.setdefault(tuple(claim.refs), set()).add(_plain(claim.text))
    for where, refs, one in marked:
        real, text = known.get(tuple(refs), set()), _plain(one.text)
        if text not in real and (one.claim or _shape(text) in {_shape(said) for said in real}):
            problems.append((where, f"the state does not say this: {text[:200]}"))
    return Checked(file, len(marked), sum(len(refs) for _, refs, _ in marked), tuple(problems))


def _shape(text: str) -> str:
    """The statement without what could be changed in it to lie."""
    return _CHANGEABLE.sub("#", text)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _claims(data: Json, where: str) -> Iterator[tuple[str, Claim]]:
    """Every statement in the document with its path."""
    if isinstance(data, dict):
        if {"text", "refs", "figures"} <= data.keys():
            figures = tuple((str(name), float(value)) for name, value in data["figures"])
            yield where, Claim(data["text"], tuple(data["refs"]), figures)
        for key, value in data.items():
            yield from _claims(value, f"{where}.{key}")
    elif isinstance(data, (list, tuple)):
        for number, value in enumerate(data):
            yield from _claims(value, f"{where}[{number}]")


def _single_refs(data: Json, where: str) -> Iterator[tuple[str, str]]:
    """Every ``ref`` in the document with its path."""
    items: Iterable[tuple[str, Json]] = ()
    if isinstance(data, dict):
        items = ((f".{key}", value) for key, value in data.items())
        if isinstance(data.get("ref"), str):
            yield f"{where}.ref", data["ref"]
    elif isinstance(data, list):
        items = ((f"[{number}]", value) for number, value in enumerate(data))
    for step, value in items:
        yield from _single_refs(value, f"{where}{step}")


def _differences(said: Json, real: Json, where: str) -> list[tuple[str, str]]:
    """Where a document says something else than the state."""
    if isinstance(said, dict) and isinstance(real, dict):
        found = []
        for key in (*real, *(key for key in said if key not in real)):
            if key not in said or key not in real:
                found.append((f"{where}.{key}", "is missing" if key in real else "is not in the state"))
            else:
                found += _differences(said[key], real[key], f"{where}.{key}")
        return found
    if isinstance(said, list) and isinstance(real, list):
        found = [] if len(said) == len(real) else [(where, f"has {len(said)} entries; the state has {len(real)}")]
        for number, (one, other) in enumerate(zip(said, real, strict=False)):
            found += _differences(one, other, f"{where}[{number}]")
        return found
    if said != real or isinstance(said, bool) != isinstance(real, bool):
        return [(where, f"says {str(said)[:120]!r}; the state says {str(real)[:120]!r}")]
    return []
