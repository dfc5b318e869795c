"""The ways in which one command can be written, so that a rule against it cannot be got around by another spelling."""

from __future__ import annotations

from typing import Final

from lao.tools.permissions.shell import Part

_GIT_VALUES: Final = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"})


def spellings(part: Part) -> tuple[str, ...]:
    """The command as it is written, without quotes, with the bare name of its program, without git's own options."""
    words = [word.text for word in part.words]
    found = [part.raw, part.text]
    if words:
        found.append(" ".join([part.program, *words[1:]]))
        if part.program == "git":
            rest = words[1:]
            while rest and rest[0].startswith("-"):
                rest = rest[2:] if rest[0] in _GIT_VALUES else rest[1:]
            found.append(" ".join(["git", *rest]))
    return tuple(dict.fromkeys(found))


def may_become(pattern: str, part: Part) -> bool:
    """Whether a word that only the shell knows could make the command one that the pattern means."""
    known: list[str] = []
    for word in part.words:
        if not word.known and word.text != "<input>":
            break
        known.append(word.text)
    else:
        return False
    head = " ".join(pattern.split()).partition("*")[0]
    beginning = " ".join([known[0].rsplit("/", 1)[-1], *known[1:]]) + " " if known else ""
    return head.startswith(beginning) and len(head) > len(beginning)
