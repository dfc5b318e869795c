"""One command that a manifest asks for, and what keeps it from running. Reads nothing by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_FETCHING: Final = re.compile(
    r"\b(?:docker|podman|curl|wget|brew|apt-get)\b|\b(?:npm|pnpm|yarn|bun)\s+(?:i|ci|install|add)\b"
    r"|\b(?:pip3?|uv pip|poetry|gem|bundle|composer|playwright|cargo|go)\s+(?:install|get)\b|\bnpx\s+(?:-y|--yes)\b"
)


@dataclass(frozen=True)
class Inferred:
    """One command out of a manifest.

    Attributes:
        kind: build, lint, test or check.
        command: the shell command line.
        manifest: file name that asks for it, or "test files".
        unusable: why it cannot run here, "" when it can.
    """

    kind: str
    command: str
    manifest: str
    unusable: str = ""

    @property
    def line(self) -> str:
        """``npm test (package.json)``, with the reason where it is not run."""
        return f"{self.command} ({self.manifest})" + (f": not run, {self.unusable}" if self.unusable else "")


def kinds_of(found: Iterable[Inferred]) -> set[str]:
    """Kinds for which one can run."""
    return {item.kind for item in found if not item.unusable}


def fetching(script: str) -> str:
    """Why a script that installs or downloads cannot run, "" for one that does not."""
    found = _FETCHING.search(script)
    return f"it runs {found[0]!r}, and checks have no network" if found else ""
