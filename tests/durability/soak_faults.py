"""The faults of a soak, one at a time by a seed; each counts only when it has really struck. Decides no verdict."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.servers.simulated.scenario import CHAT_PATH, Fault, Match, Rule
from lao.state.runs import LEASE_S
from tests.durability.factory_run import Project
from tests.durability.lasting_run import LastingRun, send
from tests.durability.later import Later
from tests.durability.lock_holder import hold

FROZEN_S = LEASE_S + 5
"""Longer than a lease, and than a statement waits for a lock."""

BETWEEN_FREEZES_S, BETWEEN_KILLS_S = 90.0, 20.0
"""A worker that is frozen does nothing; and one that dies six times a minute ends ``lao run``, as it should."""

_MODELS = "/api/v1/models"
_PATHS = (CHAT_PATH, CHAT_PATH, CHAT_PATH, _MODELS, f"{_MODELS}/load", f"{_MODELS}/unload")


class Faults:
    """Strikes one project.

    Attributes:
        struck: how often each kind of fault really happened.
        violations: what LAO answered wrongly to a command.
    """

    def __init__(self, factory: Project, run: LastingRun, seed: int, tell: Callable[[str], None]) -> None:
        self._factory, self._run, self._tell = factory, run, tell
        self._chance = random.Random(seed)
        self._clock = SystemClock()
        self.later = Later()
        self._counts: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._busy: set[str] = set()
        self._rules: list[Rule] = []
        self.frozen: dict[str, int] = {}
        self.violations: list[str] = []
        self.gentle: dict[str, Callable[[], bool]] = {
            "lock state.db": lambda: self._lock("state.db"),
            "lock queue.db": lambda: self._lock("queue.db"),
            "server refuses": self._refuse,
            "server restarts": self._restart_server,
            "server 500": lambda: self._server("http"),
            "server hangs": lambda: self._server("hang"),
            "server hangs up": lambda: self._server("close"),
            "stream cut": lambda: self._server("cut"),
            "garbage": lambda: self._server("garbage"),
            "HTML": lambda: self._server("html"),
            "empty answer": lambda: self._server("empty"),
            "model unloaded": self._unload,
            "second lao run": self._second_run,
            "pause, resume": self._pause,
            "worker frozen": self._freeze,
        }
        self.rough: dict[str, Callable[[], bool]] = {
            "kill -9 of all": self._kill_all,
            "kill -9 of a worker": self._kill_worker,
            "SIGTERM": self._terminate,
        }

    @property
    def struck(self) -> dict[str, int]:
        server = {f"answer: {kind}": n for kind, n in self._factory.server.struck.items()}
        return {**dict(sorted(self._counts.items())), **dict(sorted(server.items()))}

    def strike(self, *, rough: bool) -> None:
        """One fault; of those that can happen now, the seed's choice. Half of the rough ones' time is theirs."""
        chosen = self.rough if rough and self._chance.random() < 0.4 else self.gentle
        names = self._chance.sample(sorted(chosen), len(chosen))
        next((name for name in names if chosen[name]()), None)

    def over(self) -> None:
        """No more faults: whatever still lasts is ended."""
        self._factory.server.interpose()
        self._rules.clear()
        for name in list(self.frozen):
            self._thaw(name)

    def count(self, name: str, text: str = "") -> None:
        self._counts[name] += 1
        self._last[name] = self._clock.monotonic()
        self._tell(f"{name}{f': {text}' if text else ''}")

    def _since(self, name: str) -> float:
        return self._clock.monotonic() - self._last.get(name, -1e9)

    def _begin(self, name: str) -> bool:
        """Whether nothing of this kind is going on; it is from now on."""
        if name in self._busy:
            return False
        self._busy.add(name)
        return True

    # processes

    def _kill_all(self) -> bool:
        if self._busy & {"second", "end"} or self._run.age_s() < 3:
            return False
        self.frozen.clear()
        self._run.kill()
        self.count("kill -9 of all")
        return True

    def _kill_worker(self) -> bool:
        name = self._chance.choice(("cpu", "gpu"))
        pid = self._run.pids().get(name)
        if pid is None or self._busy & {"end"} or self._since("kill -9 of a worker") < BETWEEN_KILLS_S:
            return False
        self.frozen.pop(name, None)
        if not send(pid, signal.SIGKILL):
            return False
        self.count("kill -9 of a worker", f"{name}, process {pid}")
        return True

    def _terminate(self) -> bool:
        if self._busy & {"second", "end"} or len(self._run.pids()) < 3:  # while it starts, SIGTERM just ends it
            return False
        self._busy.add("end")
        self._run.ask()
        self.count("SIGTERM")

        def ended() -> float | None:
            if self._run.ending:
                return 0.5
            self._busy.discard("end")
            self.frozen.clear()
            return None

        self.later.add(0.5, ended)
        return True

    def _freeze(self) -> bool:
        name = self._chance.choice(("cpu", "gpu"))
        pid = self._run.pids().get(name)
        if pid is None or self.frozen or self._busy & {"end"} or self._since("worker frozen") < BETWEEN_FREEZES_S:
            return False
        if not send(pid, signal.SIGSTOP):
            return False
        self.frozen[name] = pid
        self.count("worker frozen", f"{name}, process {pid}, for {FROZEN_S:.0f} s")
        until = self._clock.monotonic() + FROZEN_S

        def look() -> float | None:
            if self.frozen.get(name) == pid and self._clock.monotonic() < until:
                return 0.5
            if self.frozen.get(name) == pid:
                self._thaw(name)
            return None

        self.later.add(0.5, look)
        return True

    def _thaw(self, name: str) -> None:
        send(self.frozen.pop(name), signal.SIGCONT)

    def _second_run(self) -> bool:
        """It must refuse, and name a process that lives."""
        if self._busy & {"end"} or len(self._run.pids()) < 3 or self._run.age_s() < 5 or not self._begin("second"):
            return False
        second = self._lao("run", "--plain", "--single-run")

        def look() -> float | None:
            if second.poll() is None:
                return 0.5
            self._busy.discard("second")
            said = second.communicate()[0]
            if second.returncode != 1 or not re.search(r"held by process \d+", said):
                self.violations.append(f"a second lao run ended with {second.returncode}: {said[-300:]}")
            self.count("second lao run", said.partition(" (")[0])
            return None

        self.later.add(0.5, look)
        return True

    def _pause(self) -> bool:
        if not self._begin("pause"):
            return False
        name, paused, between_s = "pause", False, self._chance.uniform(1, 4)
        process: subprocess.Popen[str] | None = None

        def look() -> float | None:
            nonlocal name, paused, process
            if process is None:
                process = self._lao(name)
                return 0.3
            if process.poll() is None:
                return 0.3
            done, process = self._accepted(name, process), None
            if name == "pause":
                name, paused = "resume", done
                return between_s
            if not done:
                return 1.0
            self._busy.discard("pause")
            if paused:
                self.count("pause, resume")
            return None

        self.later.add(0.0, look)
        return True

    def _accepted(self, name: str, process: subprocess.Popen[str]) -> bool:
        """Whether a command worked; only a state that is locked for long may keep it from that."""
        said = process.communicate()[0]
        if process.returncode and "locked by another process" not in said:
            self.violations.append(f"lao {name} ended with {process.returncode}: {said[-300:]}")
        return process.returncode == 0

    def _lao(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lao", *arguments],
            cwd=self._factory.root,
            env=self._factory.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # files

    def _lock(self, name: str) -> bool:
        path = self._factory.root / ".lao" / name
        if not path.exists() or not self._begin(name):
            return False
        seconds = self._chance.uniform(1, 10)
        holder = hold(path, seconds)

        def look() -> float | None:
            if holder.poll() is None:
                return 0.5
            self._busy.discard(name)
            if "held" in holder.communicate()[0]:
                self.count(f"lock {name}", f"held for {seconds:.1f} s until now")
            return None

        self.later.add(seconds, look)
        return True

    # the server

    def _server(self, kind: str) -> bool:
        """The next one to three requests of a kind are answered so; counted by the server when they are."""
        once = kind in ("empty", "cut")
        path = CHAT_PATH if once else self._chance.choice(_PATHS)
        times = 1 if once else self._chance.randint(1, 3)
        rule = Rule(Match(path=path), None, Fault(kind, after=self._chance.randint(1, 4)), times)
        self._rules = [*self._rules, rule][-1:]
        self._factory.server.interpose(*self._rules)
        self._tell(f"server: the next {times} requests of {path} get: {kind}")
        return True

    def _refuse(self) -> bool:
        if not self._begin("server"):
            return False
        self._factory.server.stop()
        seconds = self._chance.uniform(1, 8)

        def back() -> float | None:
            try:
                self._factory.server.start()
            except BadInput:  # a client happens to have the port
                return 0.1
            self._busy.discard("server")
            return None

        self.later.add(seconds, back)
        self.count("server refuses", f"for {seconds:.1f} s")
        return True

    def _restart_server(self) -> bool:
        self._factory.server.restart()
        self.count("server restarts")
        return True

    def _unload(self) -> bool:
        loaded = self._factory.server.unload_by_hand()
        if loaded:
            self.count("model unloaded", ", ".join(loaded))
        return bool(loaded)
