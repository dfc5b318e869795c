"""``lao doctor``, group Validators: the programs that checks of plans need. Runs none of them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.config.settings import Settings

TOOLS: Final = {
    "pyproject.toml": ("python3", "ruff"),
    "requirements.txt": ("python3", "ruff"),
    "package.json": ("node", "npm"),
    "tsconfig.json": ("node", "tsc"),
    "go.mod": ("go",),
    "Cargo.toml": ("cargo",),
    "Package.swift": ("swift",),
    "pom.xml": ("java", "mvn"),
    "CMakeLists.txt": ("cmake", "cc"),
    "Makefile": ("make",),
}
"""A manifest, and the programs without which such a project cannot be checked."""

_SHELL: Final = frozenset(
    ["cd", "test", "echo", "true", "false", "export", "set", "exit", "[", ".", ":", "if", "for", "while"]
)


def examine(scene: Scene) -> list[Check]:
    """The rows ``commands`` and ``tools``."""
    return [_commands(scene.settings), _tools(scene)]


def _commands(settings: Settings) -> Check:
    configured = list(_configured(settings))
    for place, line in configured:
        program = program_of(line)
        if program and not _there(program, settings.paths.root):
            text = f"{place}: there is no program {program!r} for {line!r}"
            return Check("commands", "fail", text, f"install {program}, or take {place} out of factory.yaml")
    return Check("commands", "ok", f"{len(configured)} commands are configured, their programs are there")


def _configured(settings: Settings) -> Iterator[tuple[str, str]]:
    """(key, command line) of every check that factory.yaml names."""
    limits = settings.orchestration
    for name in ("validation_build_cmd", "validation_lint_cmd"):
        if line := getattr(limits, name):
            yield f"orchestration.{name}", str(line)
    profile = limits.validation_profiles.get(limits.validation_profile) or {}
    for entry in profile.get("commands") or ():
        yield f"orchestration.validation_profiles.{limits.validation_profile}", str(entry["command"])


def program_of(line: str) -> str:
    """The first program of a command line, "" where the shell itself does the work or nothing can be told."""
    try:
        words = shlex.split(line)
    except ValueError:
        return ""
    first = next((word for word in words if "=" not in word), "")
    return "" if first in _SHELL or not first or first.startswith(("$", "(", "{")) else first


def _there(program: str, root: Path) -> bool:
    return shutil.which(program) is not None or ("/" in program and (root / program).exists())


def _tools(scene: Scene) -> Check:
    seen = scene.lookover()
    folders = [scene.settings.paths.root, *(seen.workspaces if seen else ())]
    wanted = [
        (manifest, tool)
        for manifest, tools in TOOLS.items()
        for tool in tools
        if any((folder / manifest).exists() for folder in folders)
    ]
    missing = [(manifest, tool) for manifest, tool in wanted if shutil.which(tool) is None]
    if missing:
        told = ", ".join(f"{tool} (for {manifest})" for manifest, tool in missing)
        return Check("tools", "warn", f"not there: {told}", f"install {' '.join(dict.fromkeys(t for _, t in missing))}")
    found = ", ".join(dict.fromkeys(tool for _, tool in wanted)) or "no manifest names a language yet"
    return Check("tools", "ok", found)
