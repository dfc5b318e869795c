"""Which folder a plan works in, and which names it may not have. Creates nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.config.settings import PathSettings
from lao.core.errors import BadInput

RESERVED: Final = frozenset(
    {
        "plans", "lao", "factory", "factory.example", "readme", "changelog", "license", "lao_plan", "lao_tasks",
        "lao_review", "lao_memory", "lao_quality", "node_modules", "venv", "_misc", "__pycache__", "con", "prn", "aux",
        "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10)),
    }
)  # fmt: skip
_MAX_STEM: Final = 120


def workspace_for(plan_file: Path | str | None, paths: PathSettings) -> Path:
    """``<root>/<stem>`` for ``plans/<stem>.md``; the common folder for a plan without a file.

    Args:
        plan_file: the plan's file, or its stem as text; None or "" when it has none.

    Raises:
        BadInput: the stem is reserved or no good as a folder name, or something else lies there.
    """
    if not plan_file:
        return paths.workspace
    stem = plan_file.stem if isinstance(plan_file, Path) else plan_file.removesuffix(".md")
    _check(stem, paths)
    folder = paths.root / stem
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"plan {stem!r} would work in {str(folder)!r}, but that is a file", "rename the plan")
    for ours in (paths.plans, paths.state_dir):
        if ours == folder or ours.is_relative_to(folder):
            raise BadInput(f"plan {stem!r} would work in {str(folder)!r}, which holds {str(ours)!r}", "rename the plan")
    return folder


def _check(stem: str, paths: PathSettings) -> None:
    plain = stem.casefold()
    ours = {p.name.casefold() for p in (paths.plans, paths.workspace, paths.state_dir)}
    if plain in RESERVED | ours or plain.split(".")[0] in {"con", "prn", "aux", "nul"}:
        raise BadInput(f"a plan may not be called {stem!r}: the name is reserved", "rename the plan file")
    bad = sorted({c for c in stem if c in '/\\:*?"<>|' or ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF})
    if bad or stem.startswith((".", "-")) or stem != stem.strip() or stem.endswith("."):
        shown = f" (has {''.join(bad)!r})" if bad else ""
        raise BadInput(
            f"plan name {stem!r} cannot be a folder name{shown}",
            "use letters, digits, blanks, '-', '_' and '.', not at the start",
        )
    if len(stem.encode("utf-8")) > _MAX_STEM:
        raise BadInput(f"plan name {stem[:40]!r}… is too long", f"at most {_MAX_STEM} bytes")
