"""What there is to see and to write for a command: the system, tools, the workspace and what belongs to it.

What is read from ``.git`` here can be trusted, since no command can change it (``lao.durable.sandbox.rights``).
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/gnu/store", "/snap",
    "/home/linuxbrew/.linuxbrew", "/var/lib/alternatives", "/run/current-system", "/run/systemd/resolve",
)  # fmt: skip
SECRETS: Final = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh",
    "/etc/ssl/private", "/etc/krb5.keytab", "/etc/docker", "/etc/kubernetes", "/etc/wireguard", "/etc/NetworkManager",
    "/etc/cron.d", "/etc/netrc", "/etc/security/opasswd",
)  # fmt: skip
"""Of /etc, what only root may read: LAO may be root."""

_TOOLS_AT_HOME: Final = (
    ".rustup", ".cargo/bin", ".nvm", ".pyenv", ".sdkman", ".volta", ".asdf", ".rbenv", ".deno/bin", ".bun/bin",
    ".local/share/mise", ".local/share/uv", ".local/share/pipx", ".local/share/fnm", "go/bin",
)  # fmt: skip
_TOOL_VARIABLES: Final = ("VIRTUAL_ENV", "CONDA_PREFIX", "JAVA_HOME", "GOROOT", "RUSTUP_HOME", "NVM_DIR", "PYENV_ROOT")
RIGHTS: Final = (".git", ".lao", ".mcp.json", ".claude", ".agents")
"""At the top of a workspace: what git or LAO itself would follow."""
OF_A_PROJECT: Final = ("factory.yaml", "hooks.py")
"""The same where the workspace is a project's own folder."""
BORROWED: Final = "info/borrowed"
"""In a desk's ``.git``: paths outside, one a line, that links of the desk lead to."""


@dataclass(frozen=True)
class View:
    """Absolute paths that exist.

    Attributes:
        system: read only, as they are.
        tools: read only: interpreters, tools, packages.
        home: the user's, None where it cannot be hidden (it is "/", or holds the system).
        writable: the workspace, what its links borrow, and what the settings name.
        frozen: below the workspace, read only nevertheless.
    """

    system: tuple[Path, ...]
    tools: tuple[Path, ...]
    home: Path | None
    writable: tuple[Path, ...]
    frozen: tuple[Path, ...]


def view_of(cwd: Path, read_only: Iterable[Path], writable: Iterable[Path]) -> View:
    """What a command in ``cwd`` has to do with."""
    real = Path(os.path.realpath(cwd))
    home = hidden_home()
    own = {Path(sys.prefix), Path(sys.base_prefix)}
    places = (real / name for name in rights_of(real))
    frozen = [place for place in places if is_there(place) and not place.is_symlink()]  # a link could lead anywhere
    frozen += [p for p in own if p.is_relative_to(real) and p != real]
    borrowed = _borrowed(real)
    return View(
        system=tuple(p for p in map(Path, SYSTEM) if is_there(p)),
        tools=_unique([*own, *_tools(home, os.environ), *_repositories(real), *read_only]),
        home=home,
        writable=_unique([*writable, *borrowed, real]),
        frozen=_unique(frozen),
    )


def rights_of(cwd: Path) -> tuple[str, ...]:
    """Names at the top of a workspace that no command writes."""
    return (*RIGHTS, *OF_A_PROJECT) if (cwd / "factory.yaml").exists() else RIGHTS


def hidden_home() -> Path | None:
    """The user's home folder, if a command can do without it."""
    given = os.environ.get("HOME", "")
    home = Path(os.path.realpath(given)) if given.startswith("/") else None
    if home is None or home == Path("/") or any(Path(s).is_relative_to(home) for s in ("/usr", "/etc", "/tmp")):  # noqa: S108
        return None
    return home


@functools.cache
def _tools_at(home: Path | None, path: str, named: tuple[str, ...]) -> tuple[Path, ...]:
    found = [home / name for name in _TOOLS_AT_HOME] if home else []
    found += [_prefix(Path(p), home) for p in path.split(os.pathsep) if p.startswith("/")]
    found += [Path(n) for n in named if n.startswith("/") and len(Path(n).parts) > 2]
    system = tuple(map(Path, SYSTEM))
    kept = [p for p in found if p != home and not any(p.is_relative_to(s) for s in system) and is_there(p / ".")]
    return tuple(kept)


def _tools(home: Path | None, environment: Mapping[str, str]) -> tuple[Path, ...]:
    named = tuple(environment.get(name, "") for name in _TOOL_VARIABLES)
    return _tools_at(home, environment.get("PATH", ""), named)


def _prefix(folder: Path, home: Path | None) -> Path:
    """The installation that a folder of programs belongs to, or the folder alone."""
    whole = folder.parent
    if folder.name != "bin" or whole in (home, Path("/")) or whole.name in (".local", ".cargo"):
        return folder
    belongs = is_there(whole / "pyvenv.cfg") or is_there(whole / "lib/.")
    strange = any(is_there(whole / name) for name in (".git", ".lao", "factory.yaml"))
    return whole if belongs and not strange else folder


def _repositories(cwd: Path) -> list[Path]:
    """Where the objects and branches of the workspace's repository are, when they are not below it."""
    folder = cwd / ".git"
    found: list[Path] = []
    if folder.is_file():  # a linked work tree
        folder = Path(os.path.normpath(cwd / _text(folder).removeprefix("gitdir:").strip()))
        common = Path(os.path.normpath(folder / (_text(folder / "commondir").strip() or ".")))
        found += [p for p in (folder, common) if is_there(p / "HEAD")]
        folder = common
    for line in _text(folder / "objects/info/alternates").splitlines():
        place = Path(os.path.normpath(folder / "objects" / line.strip()))
        found += [place] if line.strip() and place.name == "objects" else []
    return found


def _borrowed(cwd: Path) -> list[Path]:
    return [Path(line) for line in _text(cwd / ".git" / BORROWED).splitlines() if line.startswith("/")]


def is_there(path: Path) -> bool:
    """Whether it exists as far as this user can see; ``Path`` raises where a folder on the way is closed."""
    return os.path.exists(path)  # noqa: PTH110


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    real = (Path(os.path.realpath(p)) for p in paths if os.path.lexists(p))
    return tuple(sorted(dict.fromkeys(p for p in real if is_there(p) and p != Path("/")), key=lambda p: len(p.parts)))
