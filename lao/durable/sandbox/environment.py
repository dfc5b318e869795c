"""The variables that a command gets: a list of names that are known to be harmless, and what the settings name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_NAMES: Final = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "TMPDIR",
        "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "JAVA_HOME", "GOROOT", "GOFLAGS", "GOTOOLCHAIN",
        "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "NVM_DIR", "PYENV_ROOT", "PYENV_VERSION", "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAKEFLAGS",
        "CMAKE_PREFIX_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CI",
        "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "SOURCE_DATE_EPOCH",
        "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "CUDA_VISIBLE_DEVICES",
    }
)  # fmt: skip
_PREFIXES: Final = ("LC_",)
_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"})
_CREDENTIALS: Final = re.compile(r"//[^/@]*@")


def allowed(given: Mapping[str, str], names: Iterable[str], *, network: bool) -> dict[str, str]:
    """Of ``given`` what a command may have.

    Args:
        names: further names, taken whatever they are called.
        network: proxies too, unless an address has a user or password in it.
    """
    wanted = set(names)
    return {name: value for name, value in given.items() if name in wanted or _is_plain(name, value, network)}


def _is_plain(name: str, value: str, network: bool) -> bool:
    if name.lower() in _PROXIES:
        return network and not _CREDENTIALS.search(value)
    return name in _NAMES or name.startswith(_PREFIXES)


def at_home(private: Path) -> dict[str, str]:
    """HOME and TMPDIR in the command's own folder, where the user's cannot be hidden behind it."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    found = {"HOME": str(private / "home"), "TMPDIR": str(private / "tmp")}
    for name, place in (("RUSTUP_HOME", ".rustup"), ("NVM_DIR", ".nvm"), ("PYENV_ROOT", ".pyenv")):
        if name not in os.environ and (home / place).is_dir():
            found[name] = str(home / place)
    return found


def by_proxy(port: int) -> dict[str, str]:
    """What programs read to find a proxy on their own loopback."""
    place, near = f"http://127.0.0.1:{port}", "localhost,127.0.0.1,::1"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PIP_PROXY", "npm_config_proxy", "npm_config_https_proxy")
    found = {**dict.fromkeys(names, place), "NO_PROXY": near, "npm_config_noproxy": near, "NODE_USE_ENV_PROXY": "1"}
    return {**found, **{name.lower(): found[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")}}
