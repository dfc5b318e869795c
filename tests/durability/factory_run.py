"""A project on disk with a simulated server outside of it, and runs of the real ``lao run`` that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer

ROOT = Path(__file__).resolve().parents[2]

MODELS = {"planner": "sim-planner", "coder": "sim-coder", "reviewer": "sim-reviewer"}


@dataclass(frozen=True)
class Project:
    """A folder with factory.yaml and plans, and the simulated server that it talks to."""

    root: Path
    server: SimulatedServer

    def environment(self, **extra: str) -> dict[str, str]:
        identity = {
            f"GIT_{who}_{what}": "lao@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return {**os.environ, **identity, "PYTHONPATH": str(ROOT), "HOME": str(self.root.parent), **extra}

    def lao(self, *arguments: str, timeout: float = 120, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run ``lao`` to its end."""
        command = [sys.executable, "-m", "lao", *arguments]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str, log: Path, **extra: str) -> subprocess.Popen[bytes]:
        """Start ``lao`` as the leader of a process group of its own; its output is appended to ``log``."""
        command = [sys.executable, "-m", "lao", *arguments]
        with log.open("ab") as out:
            return subprocess.Popen(
                command, cwd=self.root, env=self.environment(**extra), stdout=out, stderr=out, start_new_session=True
            )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for everything that ``lao run`` started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def plan_text(tasks: int, *, chained: bool = False, check: str = "") -> str:
    """A plan that the simulated planner takes apart into ``tasks`` tasks; each writes one file with known content.

    Args:
        check: each task's command; ``{n}`` in it is the task's number.
    """
    lines = ["# Build parts", ""]
    test = f" | test: {check}" if check else ""
    for n in range(1, tasks + 1):
        after = f" | after: part {n - 1}" if chained and n > 1 else ""
        lines.append(f"- task: part {n} | file: part_{n}.txt | content: content of part {n}{after}{test.format(n=n)}")
    return "\n".join(lines) + "\n"


@contextmanager
def project(folder: Path, *, settings: dict[str, object] | None = None, **scenario: object) -> Iterator[Project]:
    """A fresh project below ``folder`` and its running simulated server."""
    root = folder / "project"
    (root / "plans").mkdir(parents=True)
    with SimulatedServer(Scenario(**scenario)) as server:  # type: ignore[arg-type]
        document: dict[str, object] = {
            "lm_studio_base_url": server.url,
            "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
            "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False},
            "memory_gate": {"settle_timeout_s": 5, "poll_interval_s": 0.05},
            "sandbox": {"writable": [str(folder)]},  # checks leave traces there, for the test to see
            **(settings or {}),
        }
        (root / "factory.yaml").write_text(yaml.safe_dump(document))
        yield Project(root, server)
