"""Programs from npm for tests: installed once into ``.node-tools`` of the checkout, as the package.json here pins."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".node-tools"
BINARIES = FOLDER / "node_modules" / ".bin"
INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--omit=dev", "--no-package-lock", "--loglevel=error")


def program(name: str) -> list[str]:
    """The command line that starts this program. Without npm, or without its registry, the test is skipped, or fails
    where everything must be there (LAO_EVERYTHING, which the gate sets)."""
    if not (BINARIES / name).exists() or not _is_current():
        _install()
    return [str(BINARIES / "node"), str((BINARIES / name).resolve())]


def _is_current() -> bool:
    kept = FOLDER / "installed.json"
    return kept.exists() and kept.read_bytes() == (HERE / "package.json").read_bytes()


def _install() -> None:
    if shutil.which("npm") is None:
        missing("npm is not on PATH")
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current():
            return
        shutil.copy(HERE / "package.json", FOLDER / "package.json")
        done = subprocess.run(INSTALL, cwd=FOLDER, capture_output=True, text=True, timeout=540, check=False)
        if done.returncode != 0:
            missing(f"npm install failed: {done.stderr[-500:]}")
        shutil.copy(HERE / "package.json", FOLDER / "installed.json")


def missing(why: str) -> NoReturn:
    """Skip the test, or fail it where everything must be there."""
    if os.environ.get("LAO_EVERYTHING"):
        pytest.fail(why)
    pytest.skip(why)
