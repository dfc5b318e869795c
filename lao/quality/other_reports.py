"""Reads the output of node --test, jest, vitest, mocha, go test, cargo test and of compilers. Knows no Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import dedent
from typing import Final

from lao.quality.reports import Failure, Frame, Report, number

_STACK: Final = re.compile(
    r"^ *(?:at )?(?:[^\n(]*\()?(?:file://)?([^()\s:]+\.[cm]?[jt]sx?):(\d+):\d+\)?(?: \{)?$", re.M
)
_JS_ERROR: Final = re.compile(r"^\s*(?:Uncaught )?(\w*Error)(?: \[\w+\])?: (.*)$", re.M)
_CRASH: Final = re.compile(r"^(?:file://)?(\S+\.[cm]?[jt]sx?):(\d+)\n(.*)\n", re.M)
_COMPILER: Final = re.compile(
    r"^(?P<path>[\w@./\\+-]+\.\w+)[:(](?P<line>\d+)(?:[:,]\d+)?\)?:? *(?:- )?"
    r"(?P<message>(?:fatal )?(?:error|Error)\b.*|[A-Z]{1,4}\d{2,5}\b.*|undefined: .*|.*\b(?:declared and not used"
    r"|cannot use|missing return|syntax error|imported and not used)\b.*)$",
    re.M,
)
_RUST: Final = re.compile(r"^(error(?:\[E\d+\])?: .+)\n\s*--> (\S+?):(\d+):\d+\n((?:\s*\d*\s*\|.*\n|\s*=.*\n)*)", re.M)
_MOST_FRAMES: Final = 6


def read_other(text: str) -> Report | None:
    """The report of the first form that ``text`` has, None when it has none of them."""
    for reader in (_tap, _node_spec, _jest, _vitest, _mocha, _cargo, _go, _compilers, _js_crash):
        report = reader(text)
        if report is not None:
            return report
    return None


def _frames(text: str, source: str = "") -> tuple[Frame, ...]:
    """From the outer call to where it happened; ``source`` is the code there."""
    found = [Frame(m[1], int(m[2])) for m in _STACK.finditer(text) if not m[1].startswith("node:")]
    found = [Frame(f.path, f.line, source) if n == 0 else f for n, f in enumerate(dict.fromkeys(found))]
    own = [f for f in found if f.inside] or found
    return tuple(own[:_MOST_FRAMES][::-1])


def _js_failure(test: str, block: str) -> Failure:
    """A failure of assert, chai or expect: the error, and the values when they are told apart."""
    error = _JS_ERROR.search(block)
    said = error[2].strip() if error else ""
    after = block[error.end() :] if error else block
    lines = [line.strip() for line in after.split("    at ", 1)[0].splitlines()]
    kept = [line for line in lines if line and not re.match(r"^(?:generatedMessage|code|operator|diff)\b|^[{}]", line)]
    values = "; ".join(_values(block))
    message = "\n".join([said, *kept[:12]]).strip()
    if values and values not in message:
        message = f"{values}\n{message}"
    return Failure(test, error[1] if error else "AssertionError", message, frames=_frames(block))


def _values(block: str) -> Iterable[str]:
    for name, pattern in (
        ("expected", r"^\s*(?:Expected(?: value)?|expected): (.+?),?$"),
        ("actual", r"^\s*(?:Received(?: value)?|actual): (.+?),?$"),
    ):
        if match := re.search(pattern, block, re.M):
            yield f"{name} {match[1]}"


def _tap(text: str) -> Report | None:
    if not re.search(r"^TAP version \d+$|^# tests \d+$", text, re.M):
        return None
    failures = []
    for match in re.finditer(r"^( *)not ok \d+ - (.+)\n((?:\1  .*\n|\s*\n)*)", text, re.M):
        block = dedent(match[3])
        if "failureType: 'subtestsFailed'" in block:
            continue
        said = re.search(r"^error: (?:\|-\n((?:  .*\n|\s*\n)*)|'?(.+?)'?$)", block, re.M)
        name = re.search(r"^name: '(\w+)'", block, re.M)
        message = dedent(said[1] or said[2] or "").strip() if said else ""
        values = "; ".join(_values(block))
        shown = f"{values}\n{message}" if values else message
        _, _, stack = block.partition("stack: |-\n")
        failures.append(Failure(match[2], name[1] if name else "", shown.strip('"'), frames=_frames(dedent(stack))))
    passed = number(r"^# pass (\d+)$", text)
    return _or_crash(failures, passed, number(r"^# fail (\d+)$", text), re.sub(r"^# ", "", text, flags=re.M))


def _or_crash(failures: list[Failure], passed: int | None, failed: int | None, text: str) -> Report:
    """Where a test file could not be loaded, node says no more than "test failed" of it, and the reason before."""
    if not passed and all(f.message.strip("'") in ("", "test failed") for f in failures):
        crash = _js_crash(text)
        if crash:
            return Report(crash.failures, passed, failed, True)
    return Report(tuple(failures), passed, failed)


def _node_spec(text: str) -> Report | None:
    if not re.search(r"^ℹ tests \d+$", text, re.M):
        return None
    parts = re.split(r"^✖ failing tests:\n", text, maxsplit=1, flags=re.M)
    blocks = re.split(r"^\s*test at (\S+):(\d+):\d+\n", parts[1], flags=re.M)[1:] if len(parts) > 1 else []
    failures = []
    for path, line, block in zip(blocks[::3], blocks[1::3], blocks[2::3], strict=True):
        heading = re.match(r"\s*✖ (.+?)(?: \([\d.]+ms\))?\n", block)
        failure = _js_failure(heading[1] if heading else "", block[heading.end() :] if heading else block)
        frames = failure.frames or (Frame(path, int(line)),)
        failures.append(Failure(failure.test, failure.error, failure.message, frames=frames))
    passed = number(r"^ℹ pass (\d+)$", text)
    return _or_crash(failures, passed, number(r"^ℹ fail (\d+)$", text), text)


def _jest(text: str) -> Report | None:
    summary = re.search(r"^Tests: +.*\btotal$", text, re.M)
    blocks = re.split(r"^  ● (.+)\n", text, flags=re.M)
    if not (summary or (len(blocks) > 1 and re.search(r"^FAIL ", text, re.M))):
        return None
    failures, seen = [], set[str]()
    for test, block in zip(blocks[1::2], blocks[2::2], strict=True):
        if test in seen:
            continue  # jest repeats them in its summary
        seen.add(test)
        source = re.search(r"^ *> +\d+ \| (.*)$", block, re.M)
        failure = _js_failure(test, block)
        statement = source[1].strip() if source else ""
        frames = _frames(block, statement) or failure.frames
        failures.append(Failure(test, failure.error, failure.message, statement, frames=frames))
    line = summary[0] if summary else ""
    broken = any("Test suite failed to run" in f.test for f in failures) and not number(r"(\d+) passed", line)
    return Report(tuple(failures), number(r"(\d+) passed", line) or 0, number(r"(\d+) failed", line) or 0, broken)


def _vitest(text: str) -> Report | None:
    summary = re.search(r"^ +Tests +(.+)\(\d+\)$", text, re.M)
    if not summary:
        return None
    blocks = re.split(r"^ (?:FAIL|×) +(.+)\n", text, flags=re.M)
    failures = []
    for test, block in zip(blocks[1::2], blocks[2::2], strict=True):
        place = re.search(r"❯ (?:\w.* )?(\S+?):(\d+):\d+", block)
        failure = _js_failure(test, block)
        frames = (Frame(place[1], int(place[2])),) if place else failure.frames
        failures.append(Failure(test, failure.error, failure.message, frames=frames))
    return Report(tuple(failures), number(r"(\d+) passed", summary[1]) or 0, number(r"(\d+) failed", summary[1]) or 0)


def _mocha(text: str) -> Report | None:
    passed = number(r"^\s+(\d+) passing \(", text)
    failed = number(r"^\s+(\d+) failing$", text)
    if passed is None and failed is None:
        return None
    _, _, listed = text.partition(" failing\n")
    blocks = re.split(r"^  \d+\) ((?:.*\n)+?.*:)\n", listed, flags=re.M)
    failures = [
        _js_failure(" ".join(test.rstrip(":").split()), block)
        for test, block in zip(blocks[1::2], blocks[2::2], strict=True)
    ]
    return Report(tuple(failures), passed or 0, failed or 0)


def _cargo(text: str) -> Report | None:
    totals = re.findall(r"^test result: .*? (\d+) passed; (\d+) failed", text, re.M)
    blocks = re.split(r"^---- (.+) stdout ----\n", text, flags=re.M)
    if not totals and len(blocks) == 1:
        return None
    failures = []
    for test, block in zip(blocks[1::2], blocks[2::2], strict=True):
        shown = re.split(r"^(?:note: run with|failures:|stack backtrace:)", block, flags=re.M)[0].strip()
        place = re.search(r"panicked at (?:'(.*)', )?([^\s:]+):(\d+):\d+:?\n?", shown)
        said = (place[1] or shown[place.end() :]) if place else shown
        frames = (Frame(place[2], int(place[3])),) if place else ()
        failures.append(Failure(test, "panic", dedent(said).strip(), frames=frames))
    passed = sum(int(p) for p, _ in totals) if totals else None
    return Report(tuple(failures), passed, sum(int(f) for _, f in totals) if totals else len(failures))


def _go(text: str) -> Report | None:
    if not re.search(r"^(?:FAIL|ok|---|\?)\b.*(?:\s|$)", text, re.M) or not re.search(
        r"^(?:FAIL|ok)\s+\S+\s+(?:\[|\(cached|[\d.]+s)|^--- FAIL: |^FAIL\s+\S+ \[", text, re.M
    ):
        return None
    panic = _go_panic(text)
    failures = [panic] if panic else []
    if "[build failed]" in text or "[setup failed]" in text:
        failures += [f for report in (_compilers(text),) if report for f in report.failures]
    blocks = re.split(r"^\s*--- (?:FAIL: (\S+) \(|PASS).*\n", text, flags=re.M)
    for test, block in zip(blocks[1::2], blocks[2::2], strict=True):
        lines = re.match(r"(?:\s{4,}\S.*\n?)*", block)
        said = dedent(lines[0]).strip() if lines else ""
        if test and said and not (panic and panic.test == test):
            place = re.match(r"(\S+\.go):(\d+): ", said)
            frames = (Frame(place[1], int(place[2])),) if place else ()
            failures.append(Failure(test, "", said[place.end() :] if place else said, frames=frames))
    passed, failed = number(r"^\s*--- (PASS)", text.replace("--- PASS", "--- 1PASS")), None
    passed = len(re.findall(r"^\s*--- PASS: ", text, re.M)) or None
    failed = len(re.findall(r"^\s*--- FAIL: ", text, re.M)) or (None if passed is None else 0)
    running = re.findall(r"^\s+(Test\S+) \(\d+", text[text.find("running tests:") :], re.M) if panic else []
    return Report(tuple(failures), passed, failed, "[build failed]" in text, running[0] if running else "")


def _go_panic(text: str) -> Failure | None:
    match = re.search(r"^panic: (.+?)(?: \[recovered.*\])?$", text, re.M)
    if not match:
        return None
    frames = tuple(Frame(m[1], int(m[2])) for m in re.finditer(r"^\t(\S+\.go):(\d+)", text[match.end() :], re.M))
    own = tuple(f for f in frames if "/src/runtime/" not in f.path and "/src/testing/" not in f.path)
    test = re.search(r"^--- FAIL: (\S+)", text, re.M)
    return Failure(test[1] if test else "", "panic", match[1], frames=tuple(dict.fromkeys(own[::-1]))[-_MOST_FRAMES:])


def _compilers(text: str) -> Report | None:
    failures = [_rust_error(m) for m in _RUST.finditer(f"{text}\n")]
    if not failures:
        failures = [
            Failure("", "", m["message"], frames=(Frame(m["path"].removeprefix("./"), int(m["line"])),))
            for m in _COMPILER.finditer(text)
        ]
    return Report(tuple(dict.fromkeys(failures)), broken=True) if failures else None


def _rust_error(match: re.Match[str]) -> Failure:
    kind, _, said = match[1].partition(": ")
    source = re.search(rf"^\s*{match[3]}\s*\| ?(.*)$", match[4], re.M)
    frame = Frame(match[2], int(match[3]), source[1].strip() if source else "")
    return Failure("", kind, said + _marked(match[4]), frames=(frame,))


def _marked(shown: str) -> str:
    """What rustc writes under the marked code and as notes."""
    marked = re.search(r"^\s*\|\s*[\^-]+ (.+)$", shown, re.M)
    notes = re.findall(r"^\s*= ((?:help|note): .+)$", shown, re.M)
    return "".join(f"\n{t}" for t in [*([marked[1]] if marked else []), *notes[:2]])


def _js_crash(text: str) -> Report | None:
    error = _JS_ERROR.search(text)
    if not error or not (_CRASH.search(text) or _STACK.search(text)):
        return None
    at = _CRASH.search(text)
    source = at[3].strip() if at and not _JS_ERROR.match(at[3]) else ""
    frames = (Frame(at[1], int(at[2]), source),) if at else _frames(text)
    return Report((Failure("", error[1], error[2].strip(), frames=frames),), broken=error[1] == "SyntaxError")
