"""Who commits inside a sandbox: the user's name and address, and nothing else of the user's git settings."""

from __future__ import annotations

import functools
import os
import subprocess
from typing import Final

GIT_FILE: Final = ".gitconfig"
_PROGRAM_S: Final = 5.0
_NOBODY: Final = {"name": "LAO", "email": "lao@localhost"}


def git_identity() -> str:
    """A settings file of git with a name and an address: no aliases, no credential helpers, no files included.

    It lies in the command's own home folder, so that the settings of a repository go before it, and a command may
    change it for itself.
    """
    return _file(os.environ.get("HOME", ""), os.environ.get("GIT_CONFIG_GLOBAL", ""), os.environ.get("PATH", ""))


@functools.cache
def _file(*_where: str) -> str:
    lines = ["[user]"]
    for key, otherwise in _NOBODY.items():
        given = _of_the_user(f"user.{key}") or otherwise
        quoted = given.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'\t{key} = "{quoted}"')
    return "\n".join(lines) + "\n"


def _of_the_user(key: str) -> str:
    """The first line of a global setting; "" where git is not there, or has none."""
    argv = ["git", "config", "--global", "--get", key]
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROGRAM_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return "".join(c for c in lines[0] if c.isprintable())[:200] if done.returncode == 0 and lines else ""
