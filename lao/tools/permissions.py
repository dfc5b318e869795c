"""The denials that no mode lifts. A first guard for honest mistakes of a model, not a sandbox.

Reads a shell line the way a shell would cut it, no deeper; rules and a real parser have their place here later.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.tools.paths import resolve

_WRITING: Final = frozenset({"file_write", "file_patch"})
_SEPARATORS: Final = frozenset({";", ";;", "&", "&&", "|", "||", "|&", "(", ")", "{", "}", "!"})
_KEYWORDS: Final = frozenset({"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "time"})
_WRAPPERS: Final = frozenset(
    {"env", "command", "exec", "nohup", "nice", "xargs", "timeout", "stdbuf", "setsid", "builtin"}
)
_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_NEVER: Final = frozenset({"sudo", "su", "doas", "pkexec", "shutdown", "reboot", "halt", "poweroff", "mkfs", "chroot"})
_GIT_READS: Final = frozenset(
    {
        "status", "diff", "log", "show", "ls-files", "ls-tree", "blame", "grep", "rev-parse", "rev-list", "describe",
        "shortlog", "cat-file", "merge-base", "check-ignore", "help", "version", "--version", "--help",
    }
)  # fmt: skip
_GIT_VALUE_OPTIONS: Final = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})
_READERS: Final = frozenset(
    {"cat", "ls", "grep", "rg", "head", "tail", "wc", "stat", "file", "test", "[", "echo", "git"}
)
_DEVICES: Final = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})
_ASSIGNMENT: Final = re.compile(r"^[A-Za-z_]\w*\+?=")
_DEPTH: Final = 4


def built_in(root: Path) -> Callable[[str, dict[str, Json]], str | None]:
    """The permission function of the built-in denials for one workspace."""
    real_root = Path(os.path.realpath(root))

    def decide(tool: str, arguments: dict[str, Json]) -> str | None:
        if tool == "shell_exec":
            return refusal(arguments["command"], real_root)
        if tool.startswith("mcp__"):  # a path there is one of the server's, which has its own rules
            return None
        try:
            if path := arguments.get("path"):
                resolve(root, path, writing=tool in _WRITING, folder=tool == "list_dir")
        except BadInput as exc:
            return str(exc)
        return None

    return decide


def refusal(line: str, root: Path) -> str | None:
    """Why this command line may not run, or None."""
    for command in _commands(line, _DEPTH):
        if reason := _refuse_one(command, root):
            return reason
    return None


def _commands(line: str, depth: int) -> Iterator[list[str]]:
    """The simple commands of a line as words, also those inside ``sh -c``, ``eval``, ``$( )`` and backquotes."""
    flat = line.replace("\\\n", " ")
    for inner in re.findall(r"\$\(([^()]*)\)|`([^`]*)`|[<>]\(([^()]*)\)", flat):
        if depth > 0:
            yield from _commands(" ".join(inner), depth - 1)
    for row in flat.split("\n"):
        words: list[str] = []
        for word in [*_words(row), ";"]:
            if word in _SEPARATORS or (word and set(word) <= set(";&|()")):
                if words:
                    yield from _unwrapped(words, depth)
                words = []
            elif words or word not in _KEYWORDS:
                words.append(word)


def _words(row: str) -> list[str]:
    lexer = shlex.shlex(row, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an open quote, as in a here-document or a string over several lines
        return re.findall(r"[;&|()]+|[^\s;&|()'\"]+", row)


def _unwrapped(words: list[str], depth: int) -> Iterator[list[str]]:
    """The command itself, without assignments and wrappers, and what a shell in it would run."""
    rest = words
    while rest and _ASSIGNMENT.match(rest[0]):
        rest = rest[1:]
    if not rest:
        return
    yield rest
    if depth > 0:
        yield from _inner(_base(rest[0]), rest, depth - 1)


def _inner(program: str, rest: list[str], depth: int) -> Iterator[list[str]]:
    if program in _WRAPPERS:
        # What a wrapper's own options take is unknown: every tail may be the command.
        for at in range(1, min(len(rest), 8)):
            if not rest[at].startswith("-"):
                yield from _unwrapped(rest[at:], depth)
    elif program in _SHELLS:
        for at, word in enumerate(rest[1:-1], 1):
            if re.fullmatch(r"-[a-z]*c", word):
                yield from _commands(rest[at + 1], depth)
    elif program == "eval":
        yield from _commands(" ".join(rest[1:]), depth)
    elif program == "find":
        for at, word in enumerate(rest):
            if word in {"-exec", "-execdir", "-ok"}:
                yield from _unwrapped(rest[at + 1 :], depth)


def _base(word: str) -> str:
    return word.rsplit("/", 1)[-1]


def _refuse_one(words: list[str], root: Path) -> str | None:
    program, arguments = _base(words[0]), words[1:]
    if program in _NEVER or program.startswith("mkfs."):
        return f"{program!r} changes the machine, not the workspace"
    if program == "git":
        return _refuse_git(arguments)
    if program in {"rm", "rmdir", "shred", "unlink"} and (reason := _refuse_rm(arguments, root)):
        return reason
    for at, word in enumerate(words[:-1]):
        if word in {">", ">>", ">|", "&>", ">&"} and _outside(words[at + 1], root) and words[at + 1] not in _DEVICES:
            return f"it writes to {words[at + 1]!r}, outside the workspace"
    if program not in _READERS or ">" in words or ">>" in words:
        for word in arguments:
            if {".git", ".lao"} & set(re.split(r"[/=:]", word)):
                return f"{word!r} belongs to git or LAO itself"
    return None


def _refuse_git(arguments: list[str]) -> str | None:
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] not in _GIT_READS:
        rest = rest[2:] if rest[0] in _GIT_VALUE_OPTIONS else rest[1:]
    verb = rest[0] if rest else "help"
    tail = rest[1:]
    if verb in _GIT_READS and not any(word.startswith("--output") for word in tail):
        return None
    listing = {"branch": {"-a", "-r", "-v", "-vv", "--list", "--show-current", "--all"}, "stash": {"list", "show"}}
    listing |= {"tag": {"-l", "--list"}, "remote": {"-v"}, "config": {"--get", "--list", "-l", "--get-all"}}
    if verb in listing and (tail[:1] and tail[0] in listing[verb]):
        return None
    if verb in {"branch", "tag", "remote"} and not tail:
        return None
    return (
        f"'git {verb}' changes the repository; LAO commits the work itself when the task is done. "
        "To undo an edit, edit the file again; reading (git status, diff, log, show) is free"
    )


def _refuse_rm(arguments: list[str], root: Path) -> str | None:
    for word in arguments:
        if not word.startswith("-") and (_outside(word, root) or os.path.normpath(word) == "."):
            return f"it removes {word!r}, which is not inside the workspace"
    return None


def _outside(word: str, root: Path) -> bool:
    """Whether a word of a command names a place outside, or one that only the shell knows."""
    if word.startswith(("~", "$")):
        return True
    if word.startswith("/"):
        plain = Path(os.path.normpath(word))
        return not plain.is_relative_to(root) or plain == root
    normal = os.path.normpath(word)
    return normal == ".." or normal.startswith("../")
