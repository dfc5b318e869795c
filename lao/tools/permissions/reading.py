"""Commands that only read inside the workspace: they need no question in any mode. A list of what is known to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from lao.tools.permissions.built_in import git_reads
from lao.tools.permissions.places import Place, place_of
from lao.tools.permissions.shell import Part
from lao.tools.permissions.words import Word

_SPEAKING: Final = frozenset(
    {"echo", "printf", "true", "false", ":", "pwd", "sleep", "seq", "expr", "basename", "dirname", "exit", "return",
     "break", "continue", "shift", "wait", "whoami", "uname", "nproc", "arch", "which", "type", "date", "local", "read",
     "export", "declare", "readonly", "typeset", "unset", "set"}
)  # fmt: skip
"""Take no path to read; what they are given may be anything."""

_NAMING: Final = frozenset({"read", "export", "declare", "local", "readonly", "typeset", "unset"})
"""Change variables that they name."""

_READING: Final = frozenset(
    {"ls", "cat", "head", "tail", "wc", "grep", "egrep", "fgrep", "rg", "stat", "file", "diff", "cmp", "sort", "uniq",
     "cut", "tr", "nl", "tac", "rev", "fold", "column", "comm", "join", "paste", "od", "xxd", "hexdump", "strings",
     "md5sum", "sha1sum", "sha256sum", "cksum", "du", "df", "tree", "realpath", "readlink", "test", "[", "find", "git",
     "cd", "jq"}
)  # fmt: skip

_WRITES: Final[Mapping[str, re.Pattern[str]]] = {
    "sort": re.compile(r"-[a-zA-Z]*o|--o|--compress|-[a-zA-Z]*T|--temp"),
    "tree": re.compile(r"-[a-zA-Z]*[oR]|--output"),
    "find": re.compile(r"-(delete|exec|execdir|ok|okdir|fls|fprint.*|files0-from)$"),
    "rg": re.compile(r"--pre|--search-zip|-z|--hostname-bin"),
    "date": re.compile(r"-s|--s"),
    "file": re.compile(r"-[a-zA-Z]*C|--compile"),
    "xxd": re.compile(r"-[a-zA-Z]*r"),
    "column": re.compile(r"--output-file"),
    "git": re.compile(
        r"-[a-zA-Z]*[oO]|--ou|--ext-diff|--textconv|--open|--no-index|--exec-path|--git-dir|--work-tree|-c$|-C$"
    ),
    "printf": re.compile(r"-v"),
}
"""Options with which they do more than read; longer beginnings are caught with the shorter ones."""

_SENSITIVE: Final = re.compile(
    r"(PATH|LD_\w*|DYLD_\w*|IFS|ENV|BASH_\w*|SHELLOPTS|PS4|PROMPT_COMMAND|CDPATH|GIT_\w*|PYTHON\w*|NODE_\w*|PERL\w*|"
    r"RUBY\w*|PAGER|EDITOR|VISUAL|LESS\w*|MANPAGER|SHELL|HOME|TMPDIR|CLASSPATH|JAVA_\w*|\w*_OPTIONS|\w*_PROXY|\w*_proxy)"
    r"\+?="
)


def only_reads(part: Part, root: Path, *, astray: bool = False) -> bool:
    """Whether the part surely changes nothing and reads nothing outside.

    Args:
        root: of the workspace, links resolved.
        astray: the line may have left the workspace before.
    """
    if part.kind == "assignment":
        return _SENSITIVE.match(part.text) is None
    if part.kind in ("read", "write"):
        place = place_of(part.words[0], root, astray=astray)
        return place is Place.DEVICE or (part.kind == "read" and place in (Place.INSIDE, Place.PROTECTED))
    if not part.words or part.hidden or "/" in part.words[0].text:
        return False
    if any(part.program != "read" or not text.startswith("IFS=") for text in part.assigned):
        return False
    if part.program in _NAMING and any(_SENSITIVE.match(word.text + "=") for word in part.words[1:]):
        return False
    return _command_reads(part.program, part.words[1:], root, astray=astray)


def _command_reads(program: str, arguments: Sequence[Word], root: Path, *, astray: bool) -> bool:
    writes = _WRITES.get(program)
    options = [w for w in arguments if w.text.startswith(("-", "+")) or not w.known]
    if program in _SPEAKING:
        return writes is None or not any(writes.match(w.text) for w in options)
    if program not in _READING or not all(word.known for word in arguments):
        return False
    if writes is not None and any(writes.match(w.text) for w in options):
        return False
    special = _SPECIAL.get(program)
    if special is not None and not special(arguments):
        return False
    return all(_stays_inside(word, root, astray=astray) for word in arguments)


def _stays_inside(word: Word, root: Path, *, astray: bool) -> bool:
    """Whether a word, if it is a path, lies in the workspace; an option's value counts as well."""
    value = word.text.partition("=")[2] if word.text.startswith("-") else word.text
    if not value.startswith(("/", "~", "..")) and "/../" not in value and not astray:
        return True
    if value == str(root):
        return True
    return place_of(Word(value), root, astray=astray) in (Place.INSIDE, Place.PROTECTED, Place.DEVICE)


def _one_file(arguments: Sequence[Word]) -> bool:
    return sum(not w.text.startswith("-") for w in arguments) < 2


_SPECIAL: Final[Mapping[str, Callable[[Sequence[Word]], bool]]] = {
    "git": git_reads,
    "uniq": _one_file,  # a second one is written
    "xxd": _one_file,
}
