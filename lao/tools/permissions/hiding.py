"""Which files no prompt and no tool may show: those that a deny rule about reading names. Decides no call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lao.config.settings import PermissionSettings
from lao.core.tool_names import BY_PATH
from lao.tools.permissions.matching import names_of, path_matches

_ANY: Final = "\0" * 80
"""A file name that there is not: a pattern that matches it matches whatever is in the folder."""


def hidden_by(settings: PermissionSettings, root: Path) -> Callable[[str], bool]:
    """Tells of a workspace-relative path whether ``deny Read(path)`` holds for it, as written or where links lead.

    A deny rule without a path takes the tool away and hides no file. What does not lie in the workspace is hidden.
    """
    patterns = [rule.specifier for rule in settings.rules if rule.kind == "deny" and _reads(rule.tools, rule.specifier)]
    if not patterns:
        return nothing

    def hides(path: str) -> bool:
        names = names_of(root, path)
        return not names or any(path_matches(pattern, name) for pattern in patterns for name in names)

    return hides


def nothing(_path: str) -> bool:
    """Where no rule hides a file."""
    return False


def names_folder(pattern: str, name: str) -> bool:
    """Whether a pattern is about a folder or a whole folder's content: ``secrets/**`` names ``secrets``."""
    return path_matches(pattern, name) or path_matches(pattern, _ANY if name == "." else f"{name}/{_ANY}")


def _reads(tools: tuple[str, ...], specifier: str) -> bool:
    return "file_read" in tools and bool(specifier) and set(tools) <= BY_PATH
