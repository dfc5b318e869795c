"""Whether a rule's specifier matches: a command by words and ``*``, a path in gitignore style. Knows no decision."""

from __future__ import annotations

import functools
import os
import posixpath
import re
from pathlib import Path

from lao.core.errors import BadInput
from lao.tools.paths import relative_name, resolve


def command_matches(pattern: str, *texts: str) -> bool:
    """Whether one of the texts is what the pattern says. ``*`` stands for anything, also blanks; ``\\*`` for itself.

    A blank and ``*`` at the end stand for any further words or none: ``npm test *`` is ``npm test`` and
    ``npm test --watch``, not ``npm tests``.
    """
    compiled = _command_pattern(pattern)
    return any(compiled.fullmatch(" ".join(text.split())) for text in texts)


@functools.lru_cache(maxsize=512)
def _command_pattern(pattern: str) -> re.Pattern[str]:
    plain = " ".join(pattern.split())
    tail = ""
    if plain.endswith(" *"):
        plain, tail = plain[:-2], r"(?: .*)?"
    pieces = re.findall(r"\\\*|\*|[^*\\]+|\\", plain)
    made = "".join(".*" if piece == "*" else re.escape("*" if piece == r"\*" else piece) for piece in pieces)
    return re.compile(made + tail, re.DOTALL)


def exactly(command: str) -> str:
    """The pattern that matches this command alone."""
    return command.replace("*", r"\*")


def path_matches(pattern: str, name: str) -> bool:
    """Whether a workspace-relative POSIX name, or a folder that it lies in, is what the pattern says.

    As in .gitignore: a ``/`` at the beginning or in the middle binds the pattern to the workspace's root, without one
    it holds in every folder; ``*`` and ``?`` do not cross a ``/``, ``**`` does; a ``/`` at the end means folders.
    """
    compiled, folder = _path_pattern(pattern)
    parts = name.split("/")
    whole = not folder and compiled.fullmatch(name) is not None
    return whole or any(compiled.fullmatch("/".join(parts[:n])) for n in range(1, len(parts)))


@functools.lru_cache(maxsize=512)
def _path_pattern(pattern: str) -> tuple[re.Pattern[str], bool]:
    text = pattern.removeprefix("./") if pattern.startswith("./") else pattern
    rooted = text != pattern or "/" in text.rstrip("/")
    folder = text.endswith("/")
    text = text.strip("/")
    made, at = "" if rooted else "(?:.*/)?", 0
    while at < len(text):
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            made, at = made + "(?:.*/)?", at + 3
        elif text.startswith("**", at):
            made, at = made + ".*", at + 2
        elif text[at] == "*":
            made, at = made + "[^/]*", at + 1
        elif text[at] == "?":
            made, at = made + "[^/]", at + 1
        elif text[at] == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            made, at = made + "[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]", end + 1
        elif text[at] == "\\" and at + 1 < len(text):
            made, at = made + re.escape(text[at + 1]), at + 2
        else:
            made, at = made + re.escape(text[at]), at + 1
    try:
        return re.compile(made, re.DOTALL), folder
    except re.error:  # a class such as [z-a]: taken letter by letter
        return re.compile(re.escape(text), re.DOTALL), folder


def exact_path(name: str) -> str:
    """The pattern that matches this path alone."""
    return "/" + re.sub(r"([*?\[\]\\])", r"\\\1", name)


def names_of(root: Path, path: str) -> tuple[str, ...]:
    """The workspace-relative names of a path: as it was written, and where links lead. () when it is not inside."""
    real_root = os.path.realpath(root)
    normal = os.path.normpath(path)
    if normal.startswith("/"):
        for base in (real_root, os.path.normpath(root)):
            if normal == base or normal.startswith(base.rstrip("/") + "/"):
                normal = os.path.relpath(normal, base)
                break
        else:
            return ()
    if normal == ".." or normal.startswith("../"):
        return ()
    try:
        real = os.path.realpath(os.path.join(real_root, normal))  # noqa: PTH118 - Path would follow ".." another way
    except (OSError, ValueError):
        return ()
    if real != real_root and not real.startswith(real_root.rstrip("/") + "/"):
        return ()
    return tuple(dict.fromkeys((posixpath.normpath(normal), posixpath.normpath(os.path.relpath(real, real_root)))))


def why_not(root: Path, path: str, *, writing: bool, folder: bool) -> str | None:
    """Why the path guard would not let a tool have the path, or None."""
    try:
        relative_name(root, resolve(root, path, writing=writing, folder=folder))
    except BadInput as error:
        return str(error)
    return None
