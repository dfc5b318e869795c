"""The commands of a package.json: its scripts, by the package manager of its lock file. Reads files; runs nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lao.quality.offered import Inferred, fetching

_LOCKS: Final = (
    ("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun"),
    ("package-lock.json", "npm"), ("npm-shrinkwrap.json", "npm"),
)  # fmt: skip
_RUN: Final = {"npm": "npm run --silent", "pnpm": "pnpm --silent run", "yarn": "yarn run", "bun": "bun run --silent"}
_SCRIPTS: Final = (
    ("build", ("build",)), ("lint", ("lint",)), ("check", ("typecheck", "type-check", "check-types")),
    ("test", ("test",)),
)  # fmt: skip
_NO_CHECK: Final = re.compile(r"--watch\b(?!=false)|--watchAll\b(?!=false)|--fix\b|--write\b|no test specified|--ui\b")
"""A watcher never ends, what writes is no check, and ``npm init`` writes a test script that only fails."""

_SHELL: Final = frozenset({"cd", "echo", "exit", "test", "[", "true", "set", "export", ":", "if", "for", "(", "exec"})


def node_commands(root: Path) -> Iterator[Inferred]:
    """One for each script of a known name that judges and ends."""
    manifest = _read(root / "package.json")
    scripts = manifest.get("scripts")
    if not isinstance(scripts, Mapping):
        return
    manager = _manager(root, manifest)
    for kind, names in _SCRIPTS:
        name = next((n for n in names if isinstance(scripts.get(n), str) and scripts[n].strip()), "")
        if name and not _NO_CHECK.search(scripts[name]):
            command = f"{manager} test --silent" if (manager, name) == ("npm", "test") else f"{_RUN[manager]} {name}"
            reason = _unusable(root, manifest, manager, str(scripts[name]))
            yield Inferred(kind, command, "package.json", reason)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # where it does not parse, the verifier says so
    return found if isinstance(found, dict) else {}


def _manager(root: Path, manifest: Mapping[str, Any]) -> str:
    told = str(manifest.get("packageManager") or "").partition("@")[0]
    if told in _RUN:
        return told
    return next((manager for lock, manager in _LOCKS if (root / lock).is_file()), "npm")


def _unusable(root: Path, manifest: Mapping[str, Any], manager: str, script: str) -> str:
    if shutil.which(manager) is None:
        return f"{manager} is not installed"
    needs = any(manifest.get(key) for key in ("dependencies", "devDependencies"))
    if needs and not any((root / name).exists() for name in ("node_modules", ".pnp.cjs")):
        return f"its packages are not installed: {manager} install"
    if (root / ".pnp.cjs").exists():
        return fetching(script)
    missing = [word for word in _programs(script) if not _is_there(root, word)]
    return f"{missing[0]} is not installed" if missing else fetching(script)


def _programs(script: str) -> Iterator[str]:
    """The first word of each command, where that is plainly a program's name."""
    for part in re.split(r"&&|\|\||;|\|", script):
        words = [word for word in part.split() if not re.match(r"\w+=", word)]
        if words and re.fullmatch(r"[\w.-]+", words[0]):
            yield words[0]


def _is_there(root: Path, word: str) -> bool:
    return word in _SHELL or (root / "node_modules/.bin" / word).exists() or shutil.which(word) is not None
