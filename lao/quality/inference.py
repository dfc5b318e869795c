"""Which commands a project's manifests ask for, and which of them this machine can run. Reads files; runs nothing."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lao.quality.node_scripts import node_commands
from lao.quality.offered import Inferred, fetching, kinds_of

_TEST_FILE: Final = re.compile(r"test_.*\.py|.*_test\.py")
_UNUSED: Final = frozenset(
    {"node_modules", ".venv", "venv", ".git", ".lao", "vendor", "target", "__pycache__", ".build"}
)
_MOST_FILES: Final = 5_000
_TARGET: Final = re.compile(r"^(test|check|lint|build)[ \t]*:(?![=:])(?P<recipe>.*(?:\n\t.*|\n[ \t]*(?=\n\t))*)", re.M)
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")


def inferred(root: Path) -> tuple[Inferred, ...]:
    """All commands that the manifests in ``root`` ask for, those that cannot run here with the reason.

    Languages come first; a Makefile, tox or nox counts only for what no language's own tool does.
    """
    found = [*node_commands(root), *_python(root), *_go(root), *_rust(root), *_swift(root)]
    known = kinds_of(found)
    found += [item for item in _make(root) if item.kind not in known]
    known = kinds_of(found)
    found += [item for item in _environments(root) if item.kind not in known]
    return tuple(found)


def infer(root: Path) -> tuple[tuple[str, str], ...]:
    """(kind, command line) of those that can run here."""
    return tuple((item.kind, item.command) for item in inferred(root) if not item.unusable)


def _tool(kind: str, command: str, manifest: str, tool: str) -> Inferred:
    missing = "" if shutil.which(tool) else f"{tool} is not installed"
    return Inferred(kind, command, manifest, missing)


def _has_file(root: Path, pattern: str) -> bool:
    """Whether a file of that name is there, packages and build results left aside."""
    wanted, seen, folders = re.compile(pattern), 0, [root]
    while folders and seen < _MOST_FILES:
        try:
            entries = sorted(folders.pop().iterdir())
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in _UNUSED and not entry.name.startswith("."):
                    folders.append(entry)
            elif wanted.fullmatch(entry.name):
                return True
    return False


def _python(root: Path) -> Iterator[Inferred]:
    if _has_python_tests(root):
        interpreter, found = _interpreter(root)
        missing = "" if found else "pytest is not installed"
        yield Inferred("test", f"{interpreter} -m pytest -q", _python_manifest(root), missing)
    told = _text(root / "pyproject.toml")  # Python 3.10 has no parser for it
    ruff = next((name for name in ("ruff.toml", ".ruff.toml") if (root / name).is_file()), "")
    if ruff or re.search(r"^\[tool\.ruff\b", told, re.M):
        yield _tool("lint", "ruff check .", ruff or "pyproject.toml", "ruff")
    if re.search(r"^\[tool\.mypy\]\n(?:[^\[\n].*\n|\n)*?files *=", told, re.M):
        yield _tool("check", "mypy", "pyproject.toml", "mypy")


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""


def _has_python_tests(root: Path) -> bool:
    folders = [root, *(f for f in (root / "tests", root / "test") if f.is_dir())]
    names = (p.name for n, folder in enumerate(folders) for p in (folder.rglob("*.py") if n else folder.glob("*.py")))
    return any(_TEST_FILE.fullmatch(name) for name in names)


def _python_manifest(root: Path) -> str:
    names = ("pytest.ini", "pyproject.toml", "setup.cfg", "setup.py", "tox.ini")
    return next((name for name in names if (root / name).is_file()), "test files")


def _interpreter(root: Path) -> tuple[str, bool]:
    """The project's own Python where that has pytest, else the one that LAO runs on; whether it has pytest."""
    for folder in (".venv", "venv"):
        if (root / folder / "bin/python").exists() and next(
            (root / folder).glob("lib/python*/site-packages/pytest"), None
        ):
            return f"{folder}/bin/python", True
    return shlex.quote(sys.executable), importlib.util.find_spec("pytest") is not None


def _go(root: Path) -> Iterator[Inferred]:
    if not (root / "go.mod").is_file():
        return
    yield _tool("build", "go build ./...", "go.mod", "go")
    if _has_file(root, r".*_test\.go"):
        yield _tool("test", "go test ./...", "go.mod", "go")


def _rust(root: Path) -> Iterator[Inferred]:
    if not (root / "Cargo.toml").is_file():
        return
    yield _tool("build", "cargo check", "Cargo.toml", "cargo")
    if (root / "tests").is_dir() or _says_test(root):
        yield _tool("test", "cargo test", "Cargo.toml", "cargo")


def _says_test(root: Path) -> bool:
    sources = sorted((root / "src").rglob("*.rs"))[:200] if (root / "src").is_dir() else []
    return any(b"#[test]" in path.read_bytes() for path in sources if path.is_file())


def _swift(root: Path) -> Iterator[Inferred]:
    if not (root / "Package.swift").is_file():
        return
    yield _tool("build", "swift build", "Package.swift", "swift")
    if (root / "Tests").is_dir():
        yield _tool("test", "swift test", "Package.swift", "swift")
    if (root / ".swiftlint.yml").is_file():
        yield _tool("lint", "swiftlint lint --quiet", ".swiftlint.yml", "swiftlint")


def _make(root: Path) -> Iterator[Inferred]:
    """``check`` stands for ``test`` where there is no such target."""
    manifest = next((name for name in _MAKEFILES if (root / name).is_file()), "")
    if not manifest:
        return
    targets = {match[1]: match["recipe"] for match in _TARGET.finditer(_text(root / manifest))}
    test = "test" if "test" in targets else "check"
    for kind, target in (("build", "build"), ("lint", "lint"), ("test", test)):
        if target in targets:
            found = _tool(kind, f"make {target}", manifest, "make")
            yield found if found.unusable else Inferred(kind, found.command, manifest, fetching(targets[target]))


def _environments(root: Path) -> Iterator[Inferred]:
    """Shown and never run: both install packages into environments of their own."""
    reason = "it installs packages, and checks have no network"
    for manifest, command in (("tox.ini", "tox"), ("noxfile.py", "nox")):
        if (root / manifest).is_file():
            yield Inferred("test", command, manifest, reason)
