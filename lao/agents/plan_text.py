"""A plan as text: front matter, sections, chunks that fit a window, and the commands that the plan itself names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lao.llm.tokens import clip, estimate

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"^(?:[-*+]|\d+[.)])\s+")
_NUMBERED = re.compile(r"^\d+[.)]\s+")
_LABEL = re.compile(
    r"^(?P<indent>\s*)(?:[-*+]\s+|\d+[.)]\s+)?(?:\[[ xX]\]\s+)?[*_]{0,2}"
    r"(?:tests?|checks?|verify|verification|acceptance|accept|validate|validation)(?:\s+(?:command|with|by|using))?s?"
    r"[*_]{0,2}\s*:\s*[*_]{0,2}\s*(?P<rest>.*?)\s*$",
    re.IGNORECASE,
)
_PROGRAMS = frozenset(
    """python python3 py pytest unittest tox nox uv uvx poetry hatch pdm pip pipx ruff mypy black flake8 pylint node npm
    npx pnpm yarn bun deno tsc jest vitest eslint make cmake ctest ninja cargo rustc go gofmt java javac mvn gradle
    dotnet ruby rake rspec bundle php composer phpunit perl lua swift zig gcc g++ clang cc bash sh zsh env test [ grep
    egrep diff cmp cat ls find git curl sqlite3 jq yamllint shellcheck docker bats awk sed !""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Section:
    """A heading's text up to the next heading; ``level`` 0 is what comes before the first one."""

    level: int
    title: str
    text: str


def body(plan_text: str) -> str:
    """The plan without its YAML front matter."""
    return _FRONT.sub("", plan_text, count=1).replace("\r\n", "\n").strip("\n")


def sections(text: str, deepest: int = 6) -> list[Section]:
    """Split along headings of up to ``deepest`` level; headings inside code fences are none."""
    found = [Section(0, "", "")]
    for line, fenced in _lines(text):
        heading = None if fenced else _HEADING.match(line)
        if heading and len(heading[1]) <= deepest:
            found.append(Section(len(heading[1]), heading[2], line + "\n"))
        else:
            last = found[-1]
            found[-1] = Section(last.level, last.title, last.text + line + "\n")
    return [s for s in found if s.text.strip()]


def units(section_text: str) -> list[str]:
    """The numbered items of a section's text, when there are several of them, else the text itself."""
    parts = _cut_before(section_text, lambda line: bool(_NUMBERED.match(line)))
    items = [part for part in parts if _NUMBERED.match(part)]
    return items if len(items) > 1 else [section_text]


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    marks = ""
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if fence and not marks:
            marks = fence[1]
            yield line, True
        elif fence and fence[1].startswith(marks):
            marks = ""
            yield line, True
        else:
            yield line, bool(marks)


def chunks(text: str, limit: int) -> list[str]:
    """``text`` in pieces of at most ``limit`` tokens, cut at headings, else list items, paragraphs, lines, anywhere."""
    return _split(text, limit, (_by_headings, _by_items, _by_paragraphs, _by_lines))


def _split(text: str, limit: int, ways: Sequence[Callable[[str], list[str]]]) -> list[str]:
    if estimate(text) <= limit:
        return [text]
    if not ways:
        step = max(1, limit)  # one character is at most one token
        return [text[n : n + step] for n in range(0, len(text), step)]
    packed: list[str] = []
    for part in ways[0](text):
        if estimate(part) > limit:
            packed += _split(part, limit, ways[1:])
        elif packed and estimate(packed[-1] + part) <= limit:
            packed[-1] += part
        else:
            packed.append(part)
    return [p for p in packed if p.strip()]


def _by_headings(text: str) -> list[str]:
    return [s.text for s in sections(text, 3)]


def _by_items(text: str) -> list[str]:
    return _cut_before(text, lambda line: bool(_ITEM.match(line)))


def _by_paragraphs(text: str) -> list[str]:
    parts = [""]
    for line, fenced in _lines(text):
        parts[-1] += line + "\n"
        if not line.strip() and not fenced:
            parts.append("")
    return parts


def _by_lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _cut_before(text: str, starts: Callable[[str], bool]) -> list[str]:
    parts = [""]
    for line, fenced in _lines(text):
        if starts(line) and not fenced:
            parts.append("")
        parts[-1] += line + "\n"
    return parts


def excerpt(plan_text: str, keys: Sequence[str], limit: int) -> str:
    """The plan within ``limit`` tokens: whole, else the sections that mention one of ``keys``, else its beginning."""
    text = body(plan_text).strip()
    if limit < 40 or not text:
        return ""
    if estimate(text) <= limit:
        return text
    wanted = [s.text for s in sections(text) if any(k and k.lower() in s.text.lower() for k in keys)]
    chosen = "\n".join(part.strip("\n") + "\n" for part in wanted) or text
    return clip(chosen, limit, tail_share=0.0)


def plan_commands(plan_text: str) -> list[tuple[str, str]]:
    """(section, command) for each line such as ``Test: `cmd` ``, in order; the section includes its parents' text."""
    found: list[tuple[str, str]] = []
    above: list[Section] = []
    every = sections(body(plan_text))
    for section in every:
        above = [s for s in above if s.level < section.level]
        parents = [s.text for s in above if s.level > 1 or sum(o.level == s.level for o in every) > 1]
        lines = section.text.split("\n")
        for n, line in enumerate(lines):
            found += [("".join(parents) + _item_around(lines, n), c) for c in _labelled(lines, n, line)]
        above.append(section)
    return found


def _labelled(lines: list[str], n: int, line: str) -> list[str]:
    label = _LABEL.match(line)
    if not label:
        return []
    rest = label["rest"]
    if not rest:
        return _fenced_commands(lines[n + 1 :])
    ticked = re.findall(r"`([^`]+)`", rest)
    if ticked:
        whole = re.sub(r"`[^`]+`", "", rest).strip(" .,;").lower() in ("", "and")
        return [t.strip() for t in ticked if is_command(t) or (whole and _may_run(t))]
    return [rest] if is_command(rest) else []


def _fenced_commands(lines: list[str]) -> list[str]:
    rest = [line for line in lines if line.strip()]
    if not rest or not _FENCE.match(rest[0]):
        return []
    block = []
    for line in rest[1:]:
        if _FENCE.match(line):
            break
        block.append(line.rstrip().removeprefix("$ "))
    commands = [line.strip() for line in block if not line.lstrip().startswith("#")]
    if all(is_command(command) for command in commands):
        return commands
    return ["set -e\n" + "\n".join(block)]  # a script: its lines belong together


def is_command(text: str) -> bool:
    """Whether ``text`` starts like a shell command: a known program or a path to run, after any VAR=value."""
    words = text.strip().split()
    while words and re.fullmatch(r"[A-Za-z_]\w*=\S*", words[0]):
        words = words[1:]
    return bool(words) and (words[0] in _PROGRAMS or bool(re.match(r"\.{0,2}/[\w./-]+$", words[0])))


def _may_run(text: str) -> bool:
    """Alone in backticks after ``Test:`` it is a command, unless it is the bare name of a file."""
    return bool(text.strip()) and (" " in text.strip() or "." not in text)


def _item_around(lines: list[str], n: int) -> str:
    """The list item that line ``n`` belongs to, or all lines when it belongs to none."""
    indented = lines[n][:1] in (" ", "\t")
    if indented:
        starts = [i for i in range(n) if _ITEM.match(lines[i])]
    elif sum(bool(_NUMBERED.match(line)) for line in lines) > 1:
        starts = [i for i in range(n) if _NUMBERED.match(lines[i])]
    else:
        starts = []
    if not starts:
        return "\n".join(lines)
    return "\n".join(lines[starts[-1] : n + 1]) + "\n"
