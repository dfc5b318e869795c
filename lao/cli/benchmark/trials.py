"""What a trial is and how one is carried out: a project on the simulated server, a story, what must hold afterwards.

The stories are in ``good_nights`` and ``bad_nights``; nothing is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

from lao.cli.benchmark.workshop import Workshop, last_line, workshop
from lao.core.errors import LaoError
from lao.core.words import Json
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer

NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
_MODELS: Final = {"planner": "sim-planner", "coder": "sim-coder", "reviewer": "sim-reviewer"}
_AT_ONCE: Final = {"retry_cooldown_base_s": 0, "llm_retry_backoff_base_s": 0}


@dataclass(frozen=True)
class Check:
    """One thing that must hold: what, whether it does, and what was found instead."""

    what: str
    passed: bool
    found: str = ""


@dataclass
class Checks:
    """Collects what holds and what does not; a check that fails does not end the trial."""

    all: list[Check] = field(default_factory=list)

    def equal(self, what: str, wanted: object, found: object) -> None:
        """``found`` must be ``wanted``."""
        passed = found == wanted
        self.all.append(Check(what, passed, "" if passed else f"{found!r} instead of {wanted!r}"))

    def true(self, what: str, holds: bool, found: object = "") -> None:
        """It must hold; ``found`` says what is the case otherwise."""
        self.all.append(Check(what, holds, "" if holds else str(found) or "it is not so"))


@dataclass(frozen=True)
class Stage:
    """Where a story plays: the project, its simulated server, and what is checked."""

    shop: Workshop
    server: SimulatedServer
    checks: Checks

    def ends(self, code: int, *arguments: str) -> None:
        """``lao run --single-run`` must end with this code; otherwise its last words are the reason."""
        done = self.shop.run(*arguments)
        said = f"{done.returncode}: {last_line(done.stderr or done.stdout)}"
        self.checks.true(f"lao run ends with exit code {code}", done.returncode == code, said)

    def calls(self) -> int:
        """Requests for an answer that have reached the server."""
        return int(self.server.stats["completions"])

    def hung(self) -> bool:
        """Whether a request hangs."""
        return any(entry.get("fault") == "hang" for entry in self.server.log)


@dataclass(frozen=True)
class Trial:
    """One end-to-end scenario.

    Attributes:
        name: by which ``--only`` chooses it and by which runs are compared.
        promise: one sentence.
        story: hands in plans, runs LAO, does harm, checks.
        server: the simulated server's scenario, as in a scenario file.
        settings: laid over the project's factory.yaml, section by section.
    """

    name: str
    promise: str
    story: Callable[[Stage], None]
    server: Mapping[str, Json] = NOTHING
    settings: Mapping[str, Mapping[str, Json]] = NOTHING


@dataclass(frozen=True)
class Result:
    """What came of a trial or an exercise. ``seconds`` of wall time; ``figures`` is what else was measured."""

    name: str
    promise: str
    passed: bool
    reason: str
    seconds: float
    checks: tuple[Check, ...] = ()
    figures: Mapping[str, Json] = NOTHING

    def to_json(self) -> dict[str, Json]:
        """As it stands in benchmark_report.json."""
        checks = [asdict(check) for check in self.checks]
        told = {"name": self.name, "promise": self.promise, "passed": self.passed, "reason": self.reason}
        return {**told, "seconds": self.seconds, "checks": checks, **self.figures}


def carry_out(trial: Trial) -> Result:
    """Play a trial's story in a project that is removed afterwards."""
    began, checks = time.monotonic(), Checks()
    broken = ""
    with SimulatedServer(parse_scenario(dict(trial.server), trial.name)) as server:
        with workshop(_document(server.url, trial.settings)) as shop:
            try:
                trial.story(Stage(shop, server, checks))
            except LaoError as error:
                broken = error.message
        figures = {"calls": server.stats["completions"], "loads": server.stats["loads"]}
    return _result(trial, checks, broken, round(time.monotonic() - began, 2), figures)


def _result(trial: Trial, checks: Checks, broken: str, seconds: float, figures: Mapping[str, Any]) -> Result:
    failed = [f"{check.what}: {check.found}" for check in checks.all if not check.passed]
    reasons = [broken, *failed] if broken else failed
    if not reasons and not checks.all:
        reasons = ["nothing was checked"]
    return Result(
        trial.name,
        trial.promise,
        not reasons,
        "; ".join(reasons),
        seconds,
        tuple(checks.all),
        MappingProxyType(figures),
    )


def _document(url: str, settings: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    base: dict[str, Any] = {
        "lm_studio_base_url": url,
        "server": {"kind": "simulated"},
        "models": {role: {"key": key, "supports_tools": True} for role, key in _MODELS.items()},
        "orchestration": {**_AT_ONCE, "infer_validation_commands": False},
        "memory_gate": {"settle_timeout_s": 5, "poll_interval_s": 0.05},
    }
    for section, values in settings.items():
        base[section] = {**base.get(section, {}), **values}
    return base
