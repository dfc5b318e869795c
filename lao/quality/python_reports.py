"""Reads the output of pytest and unittest, and Python's own tracebacks. Knows no other language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Final

from lao.quality.reports import Failure, Frame, Report, number

_TOTALS: Final = re.compile(
    r"^=* ?((?:\d+ [a-z ]+(?:, )?)+|no tests ran|no tests collected[^=]*) in [\d.:]+\s?s.*$", re.M
)
_SECTION: Final = re.compile(r"^={3,} (.+?) ={3,}$")
_HEADING: Final = re.compile(r"^_+ (?!_)(.+?) _+$")
_SUMMARY: Final = re.compile(r"^(?:SUB)?(?:FAILED|ERROR)(?:[(\[][^ ]*[)\]])? (\S.*?)(?: - (.*))?$", re.M)
_PLACE: Final = re.compile(r"^(\S[^:]*\.pyi?|<[^>]+>):(\d+):(?: (.*))?$")
_FILE: Final = re.compile(r'^\s*File "(.+?)", line (\d+)(?:, in (.+))?$')
_CARETS: Final = re.compile(r"^\s*[\^~]+[\^~ ]*$")
_ERROR: Final = re.compile(
    r"^((?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt|Iteration)|Failed|Exit|[A-Z]\w*))"
    r"(?:: (.*))?$",
    re.S,
)
_PROGRESS: Final = re.compile(r"^(?:[\w./\\-]+\.py )?([.FEsxXuU,-]+)(?:\s+\[\s*\d+%\])?(?:Terminated|Killed)?$", re.M)
_NO_START: Final = ("SyntaxError", "IndentationError", "TabError", "ImportError", "ModuleNotFoundError")
_LEFT_OUT: Final = ("The above exception was", "During handling of the above")


def read_python(text: str) -> Report | None:
    """The report of whichever of the three forms ``text`` has, None when it has none."""
    return _pytest(text) or _unittest(text) or _pytest_begun(text) or _traceback(text)


@dataclass
class _Block:
    """Lines of one failure of pytest while they are read."""

    frames: list[Frame] = field(default_factory=list)
    errors: list[list[str]] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    open: bool = False


def _pytest(text: str) -> Report | None:
    totals = _TOTALS.findall(text)
    if not totals and not re.search(r"^=+ (?:FAILURES|ERRORS|test session starts) =+$", text, re.M):
        return None
    failures = [_block_failure(heading, lines) for heading, lines in _blocks(text)]
    failures += _from_summary(text, failures)
    failures.sort(key=lambda f: not f.test.startswith("ERROR collecting"))
    last = totals[-1] if totals else ""
    passed, failed = number(r"(\d+) passed", last), number(r"(\d+) (?:failed|errors?)\b", last)
    if not totals:
        passed, failed = _progress(text)
    if last.startswith("no tests") and not failures:
        failures = [Failure("", "pytest", m) for m in re.findall(r"^ERROR: (.+)$", text, re.M)]
    broken = any(f.test.startswith("ERROR collecting") for f in failures) and not passed
    broken = broken or last.startswith("no tests")
    return Report(tuple(failures), passed or 0, failed or 0, broken, "" if totals else _running(text))


def _pytest_begun(text: str) -> Report | None:
    """A quiet run of pytest that was ended before it could report."""
    if not _PROGRESS.match(text.lstrip("\n")):
        return None
    passed, failed = _progress(text)
    return Report((), passed, failed)


def _progress(text: str) -> tuple[int, int]:
    """Passed and failed so far, from the marks or the verbose lines."""
    verbose = re.findall(r"^\S+\.py::\S.* (PASSED|FAILED|ERROR)\b", text, re.M)
    marks = "".join(_PROGRESS.findall(text))
    passed = verbose.count("PASSED") + marks.count(".")
    return passed, len(verbose) - verbose.count("PASSED") + marks.count("F") + marks.count("E")


def _running(text: str) -> str:
    """The test that had begun and not ended, where the output names it."""
    begun = re.findall(r"^(\S+\.py::\S+)\s*(?:Terminated|Killed)?$", text, re.M)
    return begun[-1] if begun else ""


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines) of every failure and error, captured output left out."""
    inside, heading, lines = False, "", list[str]()
    for line in text.splitlines():
        section, head = _SECTION.match(line), _HEADING.match(line)
        if section or (inside and head):
            if heading:
                yield heading, lines
            heading, lines = "", []
        if section:
            inside = section[1] in ("FAILURES", "ERRORS")
        elif inside and head:
            heading = head[1]
        elif heading:
            lines.append(line)
    if heading:
        yield heading, lines


def _block_failure(heading: str, lines: list[str]) -> Failure:
    cut = next((n for n, line in enumerate(lines) if re.match(r"^-{3,} Captured .* -{3,}$", line)), len(lines))
    lines = lines[:cut]
    if "Traceback (most recent call last):" in lines and not any(line.startswith("E ") for line in lines):
        return replace(_failure_of_traceback("\n".join(lines)), test=heading)
    block = _Block()
    for line in lines:
        _take(block, line)
    shown = dedent("\n".join(block.errors[-1])) if block.errors else ""
    error, message, frame = _split_error(shown)
    frames = (*block.frames, *([frame] if frame else []))
    source = dedent("\n".join(line[:1].replace(">", " ") + line[1:] for line in block.body)).strip("\n")
    frames = tuple(f for f in frames if f.inside) or frames
    statement = frames[0].source if frames else ""
    return Failure(heading, error, message, statement, source, _unrepeated(frames))


def _take(block: _Block, line: str) -> None:
    """One line of the long, short or mixed form."""
    place = _PLACE.match(line)
    if line.startswith("E") and (line == "E" or line.startswith("E ")):
        if not block.errors:
            block.errors.append([])
        block.errors[-1].append(line[1:])
    elif line.startswith(_LEFT_OUT):
        block.errors.append([])  # the last exception of a chain is the one that failed the test
    elif place:
        source = "" if (place[3] or "").startswith("in ") else _flat(block.marked)
        block.frames.append(Frame(place[1], int(place[2]), source))
        block.marked, block.open = [], not source
    elif _CARETS.match(line) or line.startswith("_ _"):
        block.open = block.open and not line.startswith("_ _")
    elif line.startswith(">"):
        block.marked = [line[1:]]
        block.body += [line] if not block.frames else []
    elif block.marked:
        block.marked.append(line)
        block.body += [line] if not block.frames else []
    elif block.open and line.startswith("    "):
        last = block.frames[-1]
        block.frames[-1] = replace(last, source=f"{last.source} {line.strip()}".strip())
    elif not block.frames and line.startswith(" "):
        block.body.append(line)


def _flat(lines: Sequence[str]) -> str:
    return "\n".join(line.strip() for line in lines if line.strip())


def _split_error(shown: str) -> tuple[str, str, Frame | None]:
    """Type, message and, for a syntax error, the place that the message names."""
    lines = [line for line in shown.splitlines() if not _CARETS.match(line)]
    if lines and (where := _FILE.match(lines[0])):
        source = lines[1].strip() if len(lines) > 2 else ""
        error, message, _ = _split_error(lines[-1].strip())
        return error, message, Frame(where[1], int(where[2]), source)
    if match := _ERROR.match(shown.strip()):
        return match[1].rsplit(".", 1)[-1], (match[2] or "").strip(), None
    return ("AssertionError" if shown.lstrip().startswith("assert") else ""), shown.strip(), None


def _unrepeated(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """A recursion shows one frame hundreds of times."""
    return tuple(dict.fromkeys(frames))


def _from_summary(text: str, known: Sequence[Failure]) -> list[Failure]:
    """Failures of the short summary that no block shows (``--tb=no``, ``--tb=line``, output cut in the middle)."""
    listed = [(m[1], m[2] or "") for m in _SUMMARY.finditer(text) if "::" in m[1] or m[1].endswith(".py")]
    if len(listed) <= len(known):
        return []
    names = {f.test.split(" (")[0].replace("ERROR at setup of ", "") for f in known}
    found = []
    for test, said in dict.fromkeys(listed):
        name = test.split("::", 1)[-1].replace("::", ".")
        if name not in names and f"ERROR collecting {name}" not in names:
            error, message, _ = _split_error(said)
            found.append(Failure(name, error, message))
    return found


def _unittest(text: str) -> Report | None:
    ran = re.findall(r"^Ran (\d+) tests? in ", text, re.M)
    blocks = re.split(r"^={60,}\n(?=(?:FAIL|ERROR): )", text, flags=re.M)
    running = re.findall(r"^(test\w*) \([\w.]+\).* \.\.\. ?(?:Terminated|Killed)?$", text, re.M)
    if not ran and len(blocks) == 1 and not running:
        return None
    failures = []
    for block in blocks[1:]:
        heading, _, rest = block.partition("\n")
        rest = re.split(r"^(?:-{60,}\nRan \d+|={60,})", rest, flags=re.M)[0]
        failures.append(replace(_failure_of_traceback(rest), test=_case(heading.split(": ", 1)[1])))
    failures.sort(key=lambda f: not f.test.startswith("ERROR importing"))
    failed = number(r"^FAILED \(.*?failures=(\d+)", text) or 0
    failed += number(r"^FAILED \(.*?errors=(\d+)", text) or 0
    total = int(ran[-1]) if ran else None
    cases = {re.sub(r" [(\[].*", "", f.test) for f in failures}
    passed = max(0, total - len(cases)) if total is not None else len(re.findall(r" \.\.\. ok$", text, re.M))
    broken = total == 0 or (not passed and any(f.test.startswith("ERROR importing") for f in failures))
    return Report(tuple(failures), passed, failed, broken, running[-1] if running and not ran else "")


def _case(heading: str) -> str:
    """``test_x (module.Case.test_x) (i=1)`` as ``Case.test_x (i=1)``; before Python 3.11 the name came once only."""
    match = re.match(r"(\w+) \(([\w.]+)\)(.*)", heading)
    if not match:
        return heading
    name, where, rest = match[1], match[2].split("."), match[3]
    if "_FailedTest" in where:
        return f"ERROR importing {name}"
    owner = [part for part in where if part != name][-1:]
    return ".".join([*owner, name]) + rest


def _traceback(text: str) -> Report | None:
    start = max(text.rfind("Traceback (most recent call last):"), 0)
    if not start and not re.search(r'^\s*File ".+", line \d+.*\n(?:.*\n){1,3}?\w*Error: ', text, re.M):
        return None
    failure = _failure_of_traceback(text[start:])
    if not failure.error:
        return None
    return Report((failure,), broken=failure.error in _NO_START)


def _failure_of_traceback(text: str) -> Failure:
    """The last traceback in ``text``."""
    start = text.rfind("Traceback (most recent call last):")
    lines = text[max(start, 0) :].splitlines()
    frames: list[Frame] = []
    said: list[str] = []
    for line in lines:
        where = _FILE.match(line)
        if where and not said:
            frames.append(Frame(where[1], int(where[2])))
        elif said or (frames and line and not line[0].isspace() and _ERROR.match(line)):
            said.append(line)
        elif frames and line.startswith("    ") and not _CARETS.match(line):
            last = frames[-1]
            frames[-1] = replace(last, source=f"{last.source}\n{line.strip()}".strip())
    error, message, _ = _split_error("\n".join(said).strip())
    tests = [f for f in frames if "/unittest/" not in f.path and "/_pytest/" not in f.path]
    kept = [f for f in tests if f.inside] or tests or frames
    if error not in _NO_START[:3] and "/unittest/" in (frames[-1].path if frames else ""):
        kept = [f for f in tests if f.source] or kept
    statement = kept[0].source if kept else ""
    return Failure("", error, message, statement, "", _unrepeated(kept))
