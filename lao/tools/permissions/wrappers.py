"""Commands that run others: env, xargs, timeout, find -exec, sh -c, eval, trap. Finds what they run; judges nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lao.tools.permissions.shell import Part, cut
from lao.tools.permissions.words import Word

DEEPEST: Final = 8
_MOST_PARTS: Final = 400
_TAILS: Final = 24
"""How many beginnings are tried for the command behind a wrapper whose options are not known."""

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=", re.DOTALL)
_INPUT: Final = Word("<input>", known=False)
"""Stands for what ``xargs`` and ``find`` put behind a command."""

SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
_RESERVED: Final = frozenset(
    {"!", "{", "}", "[[", "]]", "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "for", "case",
     "esac", "function", "select", "in"}
)  # fmt: skip
"""Words that no program has for a name: the parser took them for one."""

LOOSE: Final = frozenset(
    {
        "flock", "strace", "ltrace", "watch", "parallel", "script", "unshare", "nsenter", "busybox", "toybox", "gdb",
        "chrt", "taskset", "unbuffer", "xvfb-run", "setarch", "ionice", "prlimit", "systemd-run", "dbus-run-session",
        "uv", "poetry", "pipenv", "pdm", "hatch", "npx", "bunx", "bundle", "expect", "faketime", "fakeroot",
        "proot", "bwrap", "start-stop-daemon", "run-parts", "entr", "caffeinate",
    }
)  # fmt: skip
"""Programs that may run what stands behind them."""


@dataclass(frozen=True)
class _Options:
    """What a wrapper takes before the command: options alone, options with a value, and how many plain words."""

    flags: frozenset[str]
    valued: frozenset[str]
    words: int = 0
    joined: str = ""
    """Letters of short options whose value is written right behind them."""


def _options(flags: str, valued: str = "", words: int = 0, joined: str = "") -> _Options:
    return _Options(frozenset(flags.split()), frozenset(valued.split()), words, joined)


_KNOWN: Final[Mapping[str, _Options]] = {
    "env": _options("-i - --ignore-environment", "-u --unset"),
    "command": _options("-p"),
    "builtin": _options(""),
    "exec": _options("-c -l", "-a"),
    "nohup": _options(""),
    "setsid": _options("-c -f -w --ctty --fork --wait"),
    "nice": _options("", "-n --adjustment", joined="n0123456789"),
    "timeout": _options("--preserve-status --foreground -v --verbose", "-k -s --kill-after --signal", 1, "ks"),
    "stdbuf": _options("", "-i -o -e --input --output --error", joined="ioe"),
    "time": _options("-p -v", "-f -o"),
    "coproc": _options(""),
    "xargs": _options(
        "-0 -r -t -x --null --no-run-if-empty --verbose",
        "-n -P -I -L -d -a -s -E --max-args --max-procs",
        joined="nPILdsEi",
    ),
}  # fmt: skip


def unwrapped(part: Part, depth: int = DEEPEST) -> tuple[list[Part], str]:
    """The command and all that it runs in turn, and what is wrong with that ("" if nothing)."""
    if depth <= 0:
        return [], "commands are nested too deeply to be told"
    program, words = part.program, part.words
    if not words or not words[0].known or words[0].glob:
        return [part], ""
    if words[0].text in _RESERVED:
        return [part], f"the shell syntax of {part.raw[:40]!r} is not understood"
    if program in _KNOWN:
        return _behind(part, _KNOWN[program], depth)
    if program in LOOSE:
        return _tails(part, depth)
    if program in SHELLS:
        return _of_shell(part, depth)
    if program in ("eval", "trap"):
        rest = [word for word in words[1:] if word.text != "--"]
        return _of_text(part, rest if program == "eval" else rest[:1], depth)
    if program == "find":
        return _of_find(part, depth)
    return [part], ""


def _behind(part: Part, options: _Options, depth: int) -> tuple[list[Part], str]:
    """What stands behind a wrapper whose options are known; all tails when one is not."""
    rest, left = list(part.words[1:]), options.words
    assigned = list(part.assigned)
    while rest:
        text = rest[0].text
        if not rest[0].known and text.startswith("$"):
            return _tails(part, depth)
        if text == "--":
            rest = rest[1:]
            break
        if part.program == "env" and text.startswith(("-S", "--split-string")):
            given = text.removeprefix("--split-string").removeprefix("-S").removeprefix("=")
            return _of_text(part, [Word(given, rest[0].known), *rest[1:]], depth)
        if part.program == "env" and _ASSIGNMENT.match(text):
            assigned.append(text)
            rest = rest[1:]
        elif text in options.flags:
            rest = rest[1:]
        elif text in options.valued:
            rest = rest[2:]
        elif (text.startswith("--") and text.split("=")[0] in options.valued) or (
            len(text) > 2 and text[0] == "-" and text[1] in options.joined
        ):
            rest = rest[1:]
        elif text.startswith("-") and len(text) > 1:
            return ([part], "") if part.program == "command" else _tails(part, depth)
        elif left:
            rest, left = rest[1:], left - 1
        else:
            break
    if not rest:
        return [part], ""
    command = (*_with_input(part, rest), _INPUT) if part.program == "xargs" else tuple(rest)
    inner = _made(command, part, tuple(assigned))
    found, trouble = unwrapped(inner, depth - 1)
    return [replace(part, wraps=True), *found], trouble


def _with_input(part: Part, rest: Sequence[Word]) -> list[Word]:
    """The command of ``xargs``; words with the text that ``-I`` replaces are known to nobody."""
    texts = [word.text for word in part.words]
    marks = [texts[at + 1] for at, text in enumerate(texts[:-1]) if text == "-I"]
    marks += [text[2:] or "{}" for text in texts if text[:2] in ("-I", "-i") and text != "-I"]
    found: list[Word] = []
    for word in rest:
        text = word.text
        for mark in filter(None, marks):
            text = text.replace(mark, "${INPUT}")
        found.append(_INPUT if word.text in marks else word if text == word.text else Word(text, known=False))
    return found


def _tails(part: Part, depth: int) -> tuple[list[Part], str]:
    """Every tail may be the command; none of them surely is."""
    found = [part]
    for at in range(1, min(len(part.words), _TAILS)):
        if part.words[at].text.startswith("-"):
            continue
        inner, problem = unwrapped(replace(_made(part.words[at:], part, ()), sure=False), depth - 1)
        found += [replace(p, sure=False) for p in inner]
        if problem or len(found) > _MOST_PARTS:
            return [part], problem or "commands are nested too deeply to be told"
    return found, ""


def _of_shell(part: Part, depth: int) -> tuple[list[Part], str]:
    """The script of ``sh -c``, or what is fed to a shell that gets no script."""
    words = part.words
    given = False
    rest = list(words[1:])
    while rest and (rest[0].text.startswith(("-", "+")) and rest[0].text != "--"):
        given = given or bool(re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", rest[0].text))
        rest = rest[2:] if re.fullmatch(r"[-+][A-Za-z]*[oO]|--(rcfile|init-file)", rest[0].text) else rest[1:]
    rest = rest[1:] if rest and rest[0].text == "--" else rest
    if given:
        return _of_text(part, rest[:1], depth)
    if rest:
        return [part], ""  # a script file
    if part.stdin is not None:
        return _of_text(part, (Word(part.stdin, part.stdin.find("$") < 0),), depth)
    return [part], ""


def _of_text(part: Part, words: Sequence[Word], depth: int) -> tuple[list[Part], str]:
    """The commands of a text that the command takes for a script."""
    text = " ".join(word.text for word in words)
    if part.program == "trap" and (not words or text in ("-", "", "-p", "-l")):
        return [part], ""
    line = cut(text)
    if line.problem:
        return [part], f"in the script of {part.program!r}: {line.problem}"
    found: list[Part] = []
    trouble = ""
    for one in line.parts:
        inner, problem = unwrapped(one, depth - 1) if one.kind == "command" else ([one], "")
        found += inner
        trouble = trouble or problem
    hidden = "" if all(word.known for word in words) else f"what {part.program!r} runs depends on a variable"
    found = [replace(p, sure=p.sure and part.sure) for p in found]
    return [replace(part, wraps=not hidden, hidden=hidden), *found], trouble


def _of_find(part: Part, depth: int) -> tuple[list[Part], str]:
    """The commands of -exec and its like; -delete and -fprint are the judge's affair."""
    found, trouble = [part], ""
    words = part.words
    for at, word in enumerate(words):
        if word.text not in ("-exec", "-execdir", "-ok", "-okdir"):
            continue
        end = next((n for n in range(at + 1, len(words)) if words[n].text in (";", "+")), len(words))
        inner = tuple(_INPUT if "{}" in w.text else w for w in words[at + 1 : end])
        if inner:
            more, problem = unwrapped(_made(inner, part, ()), depth - 1)
            found += more
            trouble = trouble or problem
    return found, trouble


def _made(words: tuple[Word, ...], part: Part, assigned: tuple[str, ...]) -> Part:
    raw = " ".join([*assigned, *(word.text for word in words)])
    return Part("command", words, raw, assigned, sure=part.sure, stdin=part.stdin)
