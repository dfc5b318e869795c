"""A throw-away project: its folder, the commands of LAO that run in it as processes, and an end that leaves nothing.

Knows neither trials nor exercises, and prints nothing.
"""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

import lao
from lao.core.errors import LaoError
from lao.core.words import Json

PATIENCE_S: Final = 120.0
"""How long a trial may wait for one thing; a machine that is busy with other work is slow, not wrong."""
_POLL_S: Final = 0.02
_OURS: Final = ("LAO_", "LM_", "GIT_", "OPENAI_")
_OVERRIDES: Final = ("WORKSPACE_ROOT", "PLANS_DIR", "DB_PATH", "TOTAL_RAM_GB", "FACTORY_CONFIG")


class Broken(LaoError):
    """What was waited for did not happen; the message says what."""


@dataclass(frozen=True)
class Workshop:
    """A project in a folder of its own, with an empty home beside it.

    Attributes:
        root: the folder with factory.yaml and plans/.
        environment: what its commands are given.
    """

    root: Path
    environment: Mapping[str, str]

    def plan(self, name: str, text: str) -> Path:
        """Put a plan into the plans folder."""
        path = self.root / "plans" / f"{name}.md"
        path.write_text(text, encoding="utf-8")
        return path

    def begin(self, plan: str, files: Mapping[str, str]) -> None:
        """Make a plan's folder, a repository with these files committed where there is git."""
        folder = self.root / plan
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "Begin")):
            self.git(plan, *command)

    def lao(self, *arguments: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run ``lao`` to its end.

        Raises:
            Broken: it did not end in time; it was killed with everything that it had started.
        """
        with self.started(*arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                raise Broken(f"'lao {' '.join(arguments)}' did not end within {timeout_s:.0f} s") from error
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self, *arguments: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """``lao run --single-run``: work until the queue is idle."""
        return self.lao("run", "--single-run", "--plain", *arguments, timeout_s=timeout_s)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """``lao`` at work for the block; at its end nothing that it has started is left."""
        with subprocess.Popen(
            [sys.executable, "-m", "lao", *arguments],
            cwd=self.root,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                kill(process)

    def status(self) -> dict[str, Any]:
        """What ``lao status --json`` says.

        Raises:
            Broken: it says nothing.
        """
        done = self.lao("status", "--json")
        try:
            return dict(json.loads(done.stdout))
        except ValueError as error:
            raise Broken(f"'lao status' failed: {last_line(done.stderr)}") from error

    def git(self, plan: str, *arguments: str) -> str:
        """The output of git in a plan's folder; empty where it fails."""
        command = ["git", *arguments]
        with suppress(OSError):
            done = subprocess.run(
                command, cwd=self.root / plan, env=dict(self.environment), capture_output=True, text=True, check=False
            )
            return done.stdout if done.returncode == 0 else ""
        return ""


@contextmanager
def workshop(document: Mapping[str, Json]) -> Iterator[Workshop]:
    """A fresh project with this factory.yaml, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="lao-benchmark-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve() / "project"
        (root / "plans").mkdir(parents=True)
        (root / "factory.yaml").write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
        yield Workshop(root, _environment(root.parent))


def _environment(home: Path) -> dict[str, str]:
    """Ours without what would lead to another project, with a home of its own and a name for commits."""
    kept = {k: v for k, v in os.environ.items() if not (k.startswith(_OURS) or k in _OVERRIDES)}
    names = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    who = dict.fromkeys(names, "benchmark@example.org")
    source = str(Path(lao.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH", ""))))
    user = {"HOME": str(home), "PYTHONUSERBASE": site.getuserbase(), "PYTHONPATH": path}
    return {**kept, **who, **user, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "GIT_CONFIG_NOSYSTEM": "1"}


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a command and all workers that it has started; harmless when they have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def until(happened: Callable[[], bool], what: str, process: subprocess.Popen[str]) -> None:
    """Wait while the process works.

    Raises:
        Broken: it ended before, or it took too long.
    """
    end = time.monotonic() + PATIENCE_S
    while not happened():
        if process.poll() is not None:
            out, err = process.communicate()
            raise Broken(f"lao ended with {process.returncode} before {what}: {last_line(err or out)}")
        if time.monotonic() > end:
            raise Broken(f"{what} did not come within {PATIENCE_S:.0f} s")
        time.sleep(_POLL_S)


def ended(process: subprocess.Popen[str], timeout_s: float = PATIENCE_S) -> tuple[int, str]:
    """Wait for the end of a command: its exit code and its last line.

    Raises:
        Broken: it does not end in time.
    """
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise Broken(f"lao did not end within {timeout_s:.0f} s") from error
    return process.returncode, last_line(err or out)


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
