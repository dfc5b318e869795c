"""A reader of the pages: types their blocks of commands into a shell, with ``lao`` installed as install.sh does it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Reader:
    """Types the blocks of the page, one after the other, into one shell's folder."""

    def __init__(self, place: Path, url: str) -> None:
        self._folder, self._at = place / "reader", place / "at"
        self.home = place / "home"
        programs = self.home / ".local" / "bin"
        for folder in (self._folder, programs):
            folder.mkdir(parents=True)
        lao = programs / "lao"
        lao.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m lao "$@"\n')
        lao.chmod(0o755)
        (programs / "python3").symlink_to(sys.executable)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "LAO_", "LM_", "PYTHON"))}
        names = {f"GIT_{who}_{what}": f"r@{who}.x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self._environment = {
            **kept, **names, "HOME": str(self.home), "PATH": f"{programs}:{os.environ['PATH']}",
            "LM_STUDIO_BASE_URL": url, "LC_ALL": "C.UTF-8", "COLUMNS": "120",
        }  # fmt: skip

    def types(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block of commands where the last one ended; the first that fails ends it."""
        script = f"set -e\n{block}\npwd >{self._at}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=self._environment, text=True, timeout=120, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode == 0:
            self._folder = Path(self._at.read_text().strip())
        return done
