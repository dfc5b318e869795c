"""The denials that no rule and no mode but bypass lifts: git's history, other places, more rights, hidden commands."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from lao.tools.permissions.places import DEVICES, Place, is_protected, place_of
from lao.tools.permissions.shell import Line, Part, read_line
from lao.tools.permissions.words import Word

_NEVER: Final = frozenset({"sudo", "su", "doas", "pkexec", "shutdown", "reboot", "halt", "poweroff", "mkfs", "chroot"})
_GIT_READS: Final = frozenset(
    {
        "status", "diff", "log", "show", "ls-files", "ls-tree", "blame", "grep", "rev-parse", "rev-list", "describe",
        "shortlog", "cat-file", "merge-base", "check-ignore", "help", "version", "--version", "--help",
    }
)  # fmt: skip
_GIT_LISTINGS: Final = {
    "branch": frozenset({"-a", "-r", "-v", "-vv", "--list", "--show-current", "--all"}),
    "stash": frozenset({"list", "show"}),
    "tag": frozenset({"-l", "--list"}),
    "remote": frozenset({"-v"}),
    "config": frozenset({"--get", "--list", "-l", "--get-all"}),
}
_GIT_VALUE_OPTIONS: Final = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})
_READERS: Final = frozenset(
    {"cat", "ls", "grep", "rg", "head", "tail", "wc", "stat", "file", "test", "[", "echo", "git", "printf"}
)
_FIND_ACTS: Final = frozenset(
    {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf"}
)
_REMOVING: Final = frozenset({"rm", "rmdir", "shred", "unlink"})
_ALL_TARGETS: Final = frozenset({"tee", "touch", "mkdir", "truncate", "chmod", "chown", "chgrp", "mkfifo", "mknod"})
_LAST_TARGET: Final = frozenset({"cp", "mv", "ln", "install", "rsync"})


def refusal(line: str, root: Path) -> str | None:
    """Why this command line may not run in ``root``, or None."""
    return refusal_of(read_line(line), root)


def refusal_of(line: Line, root: Path) -> str | None:
    """As ``refusal``, of a line that is cut already."""
    if line.problem:
        return unreadable(line.problem)
    astray = leaves(line, root)
    for part in line.parts:
        if reason := refuse_part(part, root, astray=astray):
            return reason
    return None


def unreadable(problem: str) -> str:
    """The reason that the model is told of a line that cannot be cut."""
    return f"it cannot be told what this line would do: {problem}. Write it more plainly, or put it into a script file"


def leaves(line: Line, root: Path) -> bool:
    """Whether a ``cd`` of the line may leave the workspace."""
    real_root = Path(os.path.realpath(root))
    return any(
        p.kind == "command" and p.program in ("cd", "pushd") and _place_of_cd(p, real_root) is not Place.INSIDE
        for p in line.parts
    )


def _place_of_cd(part: Part, root: Path) -> Place:
    targets = [word for word in part.words[1:] if word.text not in ("-P", "-L", "--")]
    if not targets or targets[0].text == "-":
        return Place.OUTSIDE
    if targets[0].known and os.path.normpath(root / targets[0].text) == str(root):
        return Place.INSIDE
    return place_of(targets[0], root)


def refuse_part(part: Part, root: Path, *, astray: bool = False) -> str | None:
    """Why one part may not run, or None.

    Args:
        astray: the line may have left the workspace, so relative paths are not inside.
    """
    real_root = Path(os.path.realpath(root))
    if part.kind == "write":
        return _refuse_write(part.words[0], real_root, "writes to", astray=astray)
    if part.kind != "command" or not part.words:
        return None
    first, program = part.words[0], part.program
    if not first.known or first.glob:
        if not part.sure:
            return None
        return (
            f"which program {first.text[:60]!r} is only the shell knows, so it cannot be checked; "
            "write the program's name itself"
        )
    if program in _NEVER or program.startswith("mkfs."):
        return f"{program!r} changes the machine, not the workspace"
    if program == "git":
        return _refuse_git(part.words[1:])
    if program == "alias" and any("=" in word.text for word in part.words[1:]):
        return "an alias hides which command is run; write the command itself"
    return _refuse_targets(program, part.words[1:], real_root, astray=astray) or _refuse_protected(part)


def _refuse_targets(program: str, arguments: Sequence[Word], root: Path, *, astray: bool) -> str | None:
    """Files that a command removes or writes."""
    if program in _REMOVING:
        for word in _plain(arguments):
            if _is_not_inside(word, root, astray=astray) or os.path.normpath(word.text) == ".":
                return f"it removes {word.text!r}, which is not inside the workspace"
        return None
    targets: list[Word] = []
    if program in _ALL_TARGETS:
        targets = _plain(arguments)[1:] if program in ("chmod", "chown", "chgrp") else _plain(arguments)
    elif program in _LAST_TARGET:
        into = [b for a, b in pairwise(arguments) if a.text in ("-t", "--target-directory")]
        targets = into or _plain(arguments)[-1:]
        targets += _plain(arguments)[:-1] if program == "mv" else []
    elif program == "dd":
        targets = [Word(w.text[3:], w.known) for w in arguments if w.text.startswith("of=")]
    elif program == "sed" and any(re.match(r"-[a-zA-Z]*i|--in-place", w.text) for w in arguments):
        targets = _files_of_sed(arguments)
    for word in targets:
        if reason := _refuse_write(word, root, "changes", astray=astray):
            return reason
    return None


def _files_of_sed(arguments: Sequence[Word]) -> list[Word]:
    """What ``sed -i`` changes: all but options, and the script where no -e or -f brings one."""
    scripts = {n + 1 for n, w in enumerate(arguments) if re.fullmatch(r"-[a-zA-Z]*[ef]|--expression|--file", w.text)}
    rest = _plain([w for n, w in enumerate(arguments) if n not in scripts])
    given = bool(scripts) or any(w.text.startswith(("--expression=", "--file=")) for w in arguments)
    return rest if given else rest[1:]


def _refuse_write(word: Word, root: Path, verb: str, *, astray: bool) -> str | None:
    if word.text in DEVICES:
        return None
    if place_of(word, root, astray=astray) is Place.PROTECTED:
        return f"{word.text!r} belongs to git or LAO itself"
    if _is_not_inside(word, root, astray=astray):
        return f"it {verb} {word.text!r}, outside the workspace"
    return None


def _is_not_inside(word: Word, root: Path, *, astray: bool) -> bool:
    """Outside, or a path whose very beginning only the shell knows. What xargs and find hand over is not judged."""
    place = place_of(word, root, astray=astray)
    return place is Place.OUTSIDE or (place is Place.UNKNOWN and word.text.startswith(("$", "`")))


def _refuse_protected(part: Part) -> str | None:
    if part.program in _READERS or (part.program == "find" and not _FIND_ACTS & {word.text for word in part.words}):
        return None
    for word in part.words[1:]:
        if is_protected(word.text):
            return f"{word.text!r} belongs to git or LAO itself"
    return None


def _plain(arguments: Sequence[Word]) -> list[Word]:
    """The arguments that are no options."""
    ended, found = False, []
    for word in arguments:
        if word.text == "--" and not ended:
            ended = True
        elif ended or not word.text.startswith("-") or word.text == "-":
            found.append(word)
    return found


def git_reads(arguments: Sequence[Word]) -> bool:
    """Whether a git command (its words behind ``git``) changes nothing in the repository."""
    rest = list(arguments)
    while rest and rest[0].text.startswith("-") and rest[0].text not in _GIT_READS:
        rest = rest[2:] if rest[0].text in _GIT_VALUE_OPTIONS else rest[1:]
    if not rest:
        return True
    verb, tail = rest[0], rest[1:]
    if not verb.known:
        return False
    if verb.text in _GIT_READS:
        return not any(word.text.startswith("--ou") for word in tail)
    if verb.text in _GIT_LISTINGS and tail and tail[0].text in _GIT_LISTINGS[verb.text]:
        return True
    return verb.text in {"branch", "tag", "remote"} and not tail


def _refuse_git(arguments: Sequence[Word]) -> str | None:
    if git_reads(arguments):
        return None
    rest = list(arguments)
    while rest and rest[0].text.startswith("-"):
        rest = rest[2:] if rest[0].text in _GIT_VALUE_OPTIONS else rest[1:]
    verb = rest[0].text if rest else ""
    return (
        f"'git {verb}' changes the repository; LAO commits the work itself when the task is done. "
        "To undo an edit, edit the file again; reading (git status, diff, log, show) is free"
    )
