"""A night on a real model, disturbed on purpose: 15 tasks in 4 plans, one that cannot be done, a restart of the model
server and a SIGKILL of all of LAO at random moments; then LAO's report beside what really happened.

usage: python scripts/bench_night.py --model KEY --serve 'COMMAND' [--url URL] [--seed N] [--within SECONDS]
           [--limit SECONDS] [--keep FOLDER] [--out FILE.md]

COMMAND starts the model server in the foreground; it is killed and started again. What really happened is told by
others than LAO: hidden checks on the files (scripts/night/judge.yaml), git, the clock of this script, and the record of
the server where it keeps one at /_rig/log.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.core.errors import ServerAway  # noqa: E402
from scripts.night.truth import Task, page, tasks_of  # noqa: E402

PLANS = ROOT / "scripts" / "night"
NAMES = ("words", "numbers", "lists", "tables")
READY_S = 120.0
_DROPPED = ("LAO_", "PYTEST_", "LM_STUDIO_", "FACTORY_CONFIG", "WORKSPACE_ROOT", "PLANS_DIR", "DB_PATH")


@dataclass
class ModelServer:
    """The model server as a process group of its own, and what its record says, over all its lives."""

    command: Sequence[str]
    url: str
    log: Path
    record: list[dict[str, object]] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, and wait until it lists models.

        Raises:
            ServerAway: it does not within two minutes.
        """
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, start_new_session=True)
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/v1/models", timeout=5.0, trust_env=False).status_code == 200:
                    return
            time.sleep(0.5)
        raise ServerAway(f"no model server at {self.url} after {READY_S:.0f} s", f"see {self.log}")

    def keep_record(self) -> None:
        """Read what it noted in this life."""
        with suppress(httpx.HTTPError, ValueError):
            found = httpx.get(f"{self.url}/_rig/log", timeout=10.0, trust_env=False)
            if found.status_code == 200:
                self.record += found.json()

    def kill(self) -> None:
        """SIGKILL for it and all that it started."""
        if self.process is None:
            return
        below: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(self.process.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for child in below:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait()


@dataclass
class Night:
    """One project on one server. ``events``: seconds since the start, and what this script did."""

    root: Path
    server: ModelServer
    events: list[tuple[float, str]] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        self.events.append((time.monotonic() - self.begun, text))
        print(f"{self.events[-1][0]:6.0f} s  {text}", flush=True)

    def lao(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lao", *arguments]
        return subprocess.run(command, cwd=self.root, env=_environment(), capture_output=True, text=True, check=False)

    def start(self) -> subprocess.Popen[bytes]:
        with (self.root / "night.log").open("ab") as out:
            command = [sys.executable, "-m", "lao", "run", "--single-run", "--plain"]
            return subprocess.Popen(
                command, cwd=self.root, env=_environment(), stdout=out, stderr=out, start_new_session=True
            )

    def pass_by(self, planned: list[tuple[float, str]], limit_s: float) -> int | None:
        """Run to the end of all plans, disturbed as planned; the exit status, None when the time was over."""
        run = self.start()
        self.note("lao run begins")
        waiting = sorted(planned)
        while time.monotonic() - self.begun < limit_s:
            if waiting and time.monotonic() - self.begun >= waiting[0][0]:
                what = waiting.pop(0)[1]
                run = self.disturb(what, run)
            code = run.poll()
            if code is not None:
                self.note(f"lao run ends with exit status {code}")
                for _, what in waiting:
                    self.note(f"not done any more: {what}")
                return code
            time.sleep(0.2)
        _kill(run)
        self.note("out of time")
        return None

    def disturb(self, what: str, run: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        if what == "kill":
            _kill(run)
            self.note("kill -9 of lao run and both workers")
            run = self.start()
            self.note("lao run begins again")
            return run
        self.server.keep_record()
        self.server.kill()
        self.note("the model server is killed")
        self.server.start()
        self.note("the model server is back, no model loaded")
        return run


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
    return {**kept, "PYTHONPATH": str(ROOT)}


def _kill(run: subprocess.Popen[bytes]) -> None:
    below = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    for child in below:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    run.wait()


def make_project(root: Path, url: str, model: str) -> None:
    """The configuration and the plans of the night."""
    role = {"key": model, "context_length": 8192, "max_completion": 1500}
    document = {
        "lm_studio_base_url": url,
        "models": {name: dict(role) for name in ("planner", "coder", "reviewer")},
        "orchestration": {"retry_cooldown_base_s": 0},
    }
    (root / "plans").mkdir(parents=True)
    (root / "factory.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    for name in NAMES:
        (root / "plans" / f"{name}.md").write_text((PLANS / f"{name}.md").read_text(encoding="utf-8"), encoding="utf-8")


def machine() -> str:
    memory = psutil.virtual_memory().total / 1e9
    return f"{psutil.cpu_count()} processor cores, {memory:.0f} GB of memory, Python {platform.python_version()}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--serve", required=True, help="the command that starts the model server")
    parser.add_argument("--url", default="http://127.0.0.1:1234")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=240.0, help="the disturbances come within so many seconds")
    parser.add_argument("--limit", type=float, default=7200.0, help="seconds until the night is over in any case")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder that is not there yet, in which the project stays")
    options = parser.parse_args(argv)
    chance = random.Random(options.seed)
    planned = [(chance.uniform(20, options.within), what) for what in ("kill", "restart")]
    with tempfile.TemporaryDirectory(prefix="lao-night-") as name:
        root = options.keep.resolve() if options.keep else Path(name) / "night"
        make_project(root, options.url, options.model)
        server = ModelServer(shlex.split(options.serve), options.url.rstrip("/"), Path(name) / "server.log")
        try:
            server.start()
            night = Night(root, server)
            code = night.pass_by(planned, options.limit)
            server.keep_record()
        finally:
            server.kill()
        status = night.lao("status", "--json").stdout
        found = tasks_of(root, status, PLANS)
        shown = page(
            header=f"{options.model}, seed {options.seed}, {machine()}, {date.today().isoformat()}",
            command=f"python scripts/bench_night.py --model {options.model} --serve 'COMMAND' --seed {options.seed}",
            events=night.events,
            tasks=found,
            server=Counter(map(_kind, server.record)),
            made=_calls(root, status),
            code=code,
            report=night.lao("report", "show", "--night", "--markdown").stdout,
            checked=[night.lao("report", "check", name) for name in NAMES],
            root=root,
        )
    print(shown)
    if options.out:
        options.out.write_text(shown, encoding="utf-8")
    return 1 if any(map(_lied, found)) or code is None else 0


def _kind(entry: Mapping[str, object]) -> str:
    """What an entry of the server's record is: its kind, and how it ended where that was not well."""
    status = entry.get("status", 200)
    return f"{entry.get('kind')}" if status == 200 else f"{entry.get('kind')} refused with {status}"


def _calls(root: Path, status: str) -> str:
    """What LAO itself says that it asked: recorded calls of phases, and the probes of calibrations."""
    told = json.loads(status)
    probes = sum(map(int, re.findall(r"calibrated .* \((\d+) calls\)", (root / "night.log").read_text("utf-8"))))
    faults = ", ".join(f"{number} {kind}" for kind, number in sorted(told["faults"].items())) or "none"
    return f"{told['calls']['model']} recorded calls, {probes} probes of a calibration; faults: {faults}"


def _lied(task: Task) -> bool:
    return task.state == "completed" and not task.own_test


if __name__ == "__main__":
    sys.exit(main())
