"""The useful part of a failing command's output: what fails, with which values, where. Runs and decides nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lao.core.words import CommandResult
from lao.quality.assertions import plain
from lao.quality.other_reports import read_other
from lao.quality.python_reports import read_python
from lao.quality.reports import Failure, Frame, Report, one_line, plain_text
from lao.quality.signatures import code_signature, digest_of, steady

__all__ = ["Evidence", "code_signature", "digest", "failing", "same_failure"]

MOST_SHOWN: Final = 6
_SNAPSHOT: Final = re.compile(r"(?:file://)?(?:/[^\s:'\"()/]+)*/\.lao/snapshots/[^\s/]+/[^\s/]+/")
_SEEN_PATH: Final = re.compile(r"(?<![\w./-])((?:[\w-]+/)*[\w-][\w.-]*\.(?:py|[cm]?[jt]sx?|go|rs))(?=::|:\d+|[:\s])")
_INSTALLED: Final = re.compile(r"site-packages|/lib/python\d|node_modules|/usr/lib/")
_SOURCE_LINES: Final = 14
_MESSAGE_LINES: Final = 12
_NOT_STARTED: Final = (126, 127)


@dataclass(frozen=True)
class Evidence:
    """What a command's result says to whoever has to mend the code.

    Attributes:
        text: for the model: the first failure in detail, the others one line each; "" for a passed command.
        passed: tests that passed; None when the output does not tell. ``failed`` the same, errors included.
        tests: names of the failing tests, in the order of the output, errors at start first.
        signature: equal for two runs that fail in the same way, whatever the figures, places and durations.
        score: 0.0 to 1.0 to rank candidates by: 1.0 passed; 0.0 nothing could run (syntax, import, not found).
        failing: every failing assertion on one line, at most six.
    """

    text: str
    passed: int | None = None
    failed: int | None = None
    tests: tuple[str, ...] = ()
    signature: str = ""
    score: float = 0.0
    failing: tuple[str, ...] = ()


def digest(
    result: CommandResult, *, files: Collection[str] = (), limit: int = 1500, root: Path | str | None = None
) -> Evidence:
    """The evidence in ``result``.

    Args:
        files: the task's files; traceback lines in them are kept first.
        limit: characters of ``text``.
        root: the folder that the command ran in; found in the output when not given.
    """
    if result.passed:
        report = read_python(plain_text(result.output)) or Report(())
        return Evidence("", report.passed, report.failed, (), "", 1.0)
    text = _relative(plain_text(result.output), files, root)
    report = read_python(text) or read_other(text) or Report(())
    lines = tuple(dict.fromkeys(_line(f) for f in report.failures))[:MOST_SHOWN]
    return Evidence(
        text=_clipped(_words(result, report, text, frozenset(files), limit), limit),
        passed=report.passed,
        failed=report.failed,
        tests=tuple(dict.fromkeys(f.test for f in report.failures if f.test)),
        signature=_signature(result, report, text),
        score=_score(result, report),
        failing=lines,
    )


def failing(output: str) -> tuple[str, ...]:
    """Every failing assertion of a command's output on one line, at most six: ``test_x: f(1) == 2 but was 3``."""
    return digest(CommandResult("", 1, output)).failing


def same_failure(a: Evidence, b: Evidence) -> bool:
    """Whether two runs failed in the same way: the same tests with the same errors, figures aside."""
    return bool(a.signature) and a.signature == b.signature


def _relative(text: str, files: Iterable[str], root: Path | str | None) -> str:
    """``text`` without the workspace's own absolute path."""
    text = _SNAPSHOT.sub("", text)
    roots = {f"{str(root).rstrip('/')}/"} if root else set()
    roots |= {f"{match.rstrip('/')}/" for match in re.findall(r"^rootdir: (/\S+)", text, re.M)}
    seen = {*files, *_SEEN_PATH.findall(text)}
    for path in sorted(seen, key=len, reverse=True):
        found = re.findall(rf"(?<![\w.])((?:/[^\s:'\"()<>/]+)*/){re.escape(path)}(?![\w.])", text)
        roots |= {prefix for prefix in found if prefix != "/" and not _INSTALLED.search(prefix)}
    # the shortest is the workspace; what lies deeper in it follows
    for prefix in sorted(roots, key=len):
        text = text.replace(f"file://{prefix}", "").replace(prefix, "")
    return text


def _line(failure: Failure) -> str:
    """A failure in one line."""
    statement = one_line(failure.statement, 160)
    said = plain(failure.statement, failure.message) if not _deep(failure) else ""
    if not said:
        shown = failure.first_line if statement else " ".join(failure.message.splitlines()[:3])
        what = one_line(f"{failure.error}: {shown}" if failure.error else shown, 200)
        what = what.removeprefix("AssertionError: ")
        said = f"{statement} → {what}" if statement else what
        if failure.frames and (_deep(failure) or not (statement or failure.test)):
            said += f" (at {one_line(str(failure.frames[-1]), 120)})"
    return f"{failure.test}: {said}" if failure.test else said


def _deep(failure: Failure) -> bool:
    """Whether the error came from below the test's own statement."""
    return len(failure.frames) > 1


def _words(result: CommandResult, report: Report, text: str, files: frozenset[str], limit: int) -> str:
    parts = [part for part in (_ending(result, report), _counts(report)) if part]
    if not report.failures and result.timed_out and (report.running or report.passed or report.failed):
        return "\n".join(parts)
    if not report.failures:
        rest = _ends(text.strip(), limit - sum(map(len, parts)) - 20) or "it wrote nothing"
        return "\n".join([*parts, rest])
    first, others = report.failures[0], report.failures[1:MOST_SHOWN]
    lines = list(dict.fromkeys(one_line(_line(f), 240) for f in others))
    more = len(report.failures) - 1 - len(others)
    tail = [f"- {line}" for line in lines] + ([f"- and {more} more"] if more > 0 else [])
    room = limit - sum(len(p) + 1 for p in parts) - 30
    reserved = min(sum(len(line) + 1 for line in tail), room * 2 // 5)
    detail = _detail(first, files, room - reserved)
    parts.append(detail)
    if tail:
        parts.append("These fail too:")
        left = limit - sum(len(p) + 1 for p in parts)
        for line in tail:
            if len(line) + 1 > left:
                break
            parts.append(line)
            left -= len(line) + 1
    return "\n".join(parts)


def _ending(result: CommandResult, report: Report) -> str:
    if result.exit_code in _NOT_STARTED and not report.failures:
        return f"The command could not be started (exit status {result.exit_code})."
    if not result.timed_out:
        return ""
    hung = f"It was killed after {result.seconds:.0f} s because it did not end"
    if report.running:
        hung += f"; the test that was running: {report.running}"
    elif report.passed or report.failed:
        hung += f"; {(report.passed or 0) + (report.failed or 0)} tests had ended before, the next one did not"
    return f"{hung}. Look for an endless loop or for code that waits for input."


def _counts(report: Report) -> str:
    if report.broken:
        return "No test could run." if report.failed is not None else ""
    if report.failed is None or (not report.failed and not report.passed):
        return ""
    total = (report.passed or 0) + report.failed
    return f"{report.failed} of {total} tests fail." if report.passed else f"{report.failed} failed."


def _detail(failure: Failure, files: frozenset[str], room: int) -> str:
    """Name, the test's lines, the error with its values, the way to it through the workspace's files."""
    place = failure.frames[0] if failure.frames else None
    head = failure.test or (f"{place.path}:{place.line}" if place else "")
    if failure.test and place and place.inside:
        head += f" ({place.path}:{place.line})"
    shown = failure.source.splitlines() or failure.statement.splitlines()
    if len(shown) > _SOURCE_LINES:
        shown = [*shown[:2], "...", *shown[-(_SOURCE_LINES - 3) :]]
    message = [line for line in failure.message.splitlines() if line.strip()] or [""]
    if len(message) > _MESSAGE_LINES:
        message = [*message[: _MESSAGE_LINES - 3], "...", *message[-2:]]
    if failure.error and not message[0].startswith("assert "):
        message[0] = f"{failure.error}: {message[0]}".rstrip(": ")
    said = plain(failure.statement, failure.message) if not _deep(failure) else ""
    way = [str(f) for f in _way(failure, files)]
    lines = [f"{head}:" if head else "", *(f"    {line}" for line in shown), *message]
    lines += [f"That is: {said}"] if said else []
    lines += [f"at {step}" for step in way]
    return _trimmed([one_line(line, 300) if len(line) > 300 else line for line in lines if line.strip()], room)


def _way(failure: Failure, files: frozenset[str]) -> Sequence[Frame]:
    """Frames below the test in the workspace; those in the task's files before others."""
    single = len(failure.frames) == 1
    below = failure.frames if single and failure.frames[0].source != failure.statement else failure.frames[1:]
    inside = [replace(f, source=one_line(f.source, 160)) for f in below if f.inside]
    mine = [f for f in inside if f.path in files]
    return (mine or inside)[-5:]


def _trimmed(lines: list[str], room: int) -> str:
    """What there is no room for goes: first the test's early lines, then the way, never the error before these."""
    kept, room = list(lines), max(room, 120)
    for droppable, spared in (("    ", 2), ("at ", 1), ("    ", 0)):
        while len("\n".join(kept)) > room:
            found = [n for n, line in enumerate(kept) if line.startswith(droppable)]
            if len(found) <= spared:
                break
            del kept[found[0]]
    return _ends("\n".join(kept), room)


def _ends(text: str, room: int) -> str:
    """Beginning and end of ``text`` within ``room`` characters; the end has the larger part."""
    room = max(room, 80)
    if len(text) <= room:
        return text
    head = room // 3
    tail = room - head - 40
    return f"{text[:head].rstrip()}\n[… {len(text) - head - tail} characters …]\n{text[-tail:].lstrip()}"


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _signature(result: CommandResult, report: Report, text: str) -> str:
    ending = "timeout" if result.timed_out else "ended"
    if not report.failures:
        lines = text.strip().splitlines()
        return digest_of([ending, report.running, str(result.exit_code), *map(steady, [*lines[:5], *lines[-15:]])])
    parts = [part for f in report.failures for part in (f.test, f.error, steady(f.message[:400]))]
    return digest_of([ending, report.running, *parts])


def _score(result: CommandResult, report: Report) -> float:
    """Comparable between runs of the same command only."""
    if report.broken or (result.exit_code in _NOT_STARTED and not report.failures):
        return 0.0
    total = (report.passed or 0) + (report.failed or 0)
    if not total:
        return 0.02 if result.timed_out else 0.05
    share = (report.passed or 0) / total
    return round((0.05 + 0.15 * share) if result.timed_out else (0.1 + 0.85 * share), 4)
