"""Exercises on the user's own server: a plan each, in one throw-away project, and a judge that believes nobody."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from lao.cli.benchmark.trials import Result
from lao.cli.benchmark.workshop import Broken, Workshop, last_line, workshop
from lao.config.settings import Settings
from lao.core.clock import SystemClock
from lao.core.errors import LaoError
from lao.core.states import PIPELINE_ROLES
from lao.core.words import Json
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import sandbox_of
from lao.servers.detect import connect
from lao.servers.gate.fitness import problem_of

_KEPT: Final = ("server", "models", "memory_gate", "gpu", "orchestration", "attempts", "calibration", "sandbox")
"""Sections of the user's factory.yaml that say how models are asked. Hooks, messages and the like are left out."""
_JUDGE_S: Final = 60.0


@dataclass(frozen=True)
class Exercise:
    """A small Python task: its name is the module's; ``tests`` decide."""

    name: str
    wanted: str
    module: str
    tests: str

    @property
    def promise(self) -> str:
        """The first sentence of what is wanted."""
        return " ".join(self.wanted.split(". ")[0].split()).rstrip(".:") + "."

    @property
    def command(self) -> str:
        """What LAO and the judge run."""
        return f"python3 -m unittest -q test_{self.name}"

    @property
    def plan(self) -> str:
        """The plan that is handed in."""
        files = f"Change `{self.name}.py` only; its tests are in `test_{self.name}.py`."
        return f"# {self.name}\n\n## Write {self.name}.py\n\n{self.wanted}\n{files}\n\nTest: `{self.command}`\n"


def exercises() -> tuple[Exercise, ...]:
    """The exercises of the package."""
    text = (resources.files("lao.cli.benchmark") / "exercises.yaml").read_text(encoding="utf-8")
    return tuple(Exercise(**entry) for entry in yaml.safe_load(text))


def models_of(settings: Settings) -> dict[str, str]:
    """The keys that the measure is about, by role."""
    return {role.value: settings.models[role].key for role in PIPELINE_ROLES}


def require_server(settings: Settings) -> None:
    """Ask the configured server for its models before anything is begun.

    Raises:
        LaoError: it does not answer, or has not the models (exit code 1 for both: no work was judged).
    """
    try:
        server = connect(settings, SystemClock())
        models = server.models()
    except LaoError as error:
        raise LaoError(error.message, error.hint or "start the server, or measure without --live") from error
    for role in PIPELINE_ROLES if server.manages_memory else ():
        problem = problem_of(settings, models, role, loads=True)
        if problem is not None:
            raise LaoError(problem.message, f"{problem.hint}; 'lao health' lists all")


@contextmanager
def school(settings: Settings, tell: Callable[[str], None]) -> Iterator[Workshop]:
    """A project with the user's server and models, calibrated once.

    Raises:
        Broken: the models could not be calibrated.
    """
    with workshop(_document(settings)) as shop:
        if settings.calibration_auto:
            tell("calibrating the models")
            done = shop.lao("calibrate", timeout_s=3600)
            if done.returncode:
                raise Broken(f"'lao calibrate' failed: {last_line(done.stderr)}", "'lao health' says more")
        yield shop


def _document(settings: Settings) -> dict[str, Json]:
    """What the user has set of how models are asked; defaults are left out, since a key that is set is not measured."""
    document: dict[str, Json] = {}
    for dotted, source in settings.sources.items():
        *outer, name = dotted.split(".")
        if source == "default" or not outer or outer[0] not in _KEPT:
            continue
        given: Any = settings.raw
        into = document
        for part in outer:
            given, into = given[part], into.setdefault(part, {})
        into[name] = given[name]
    return {**document, "lm_studio_base_url": settings.server.base_url, "openai_api_key": settings.server.api_key}


def sit(exercise: Exercise, shop: Workshop, settings: Settings, limit_s: float) -> Result:
    """Let LAO solve one exercise within ``limit_s`` seconds, and judge what it has committed."""
    shop.begin(exercise.name, {f"{exercise.name}.py": exercise.module, f"test_{exercise.name}.py": exercise.tests})
    before, began = shop.status(), time.monotonic()
    plan = shop.plan(exercise.name, exercise.plan)
    try:
        done = shop.lao("run", "--plain", "--plan", str(plan), timeout_s=limit_s)
        said = last_line(done.stderr)
    except Broken as error:
        said = error.message
        shop.lao("cancel", exercise.name)
    seconds, after = round(time.monotonic() - began, 2), shop.status()
    state, why = _ended(after, exercise.name)
    claimed, solved = state == "completed", _judged(exercise, shop, settings)
    figures = {"state": state, "solved": solved, "falsely_done": claimed and not solved, **_used(before, after)}
    reason = "LAO says done, and the tests fail" if claimed else why or said
    passed = claimed and solved
    return Result(
        name=exercise.name,
        promise=exercise.promise,
        passed=passed,
        reason="" if passed else reason,
        seconds=seconds,
        figures=MappingProxyType(figures),
    )


def _ended(view: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The state of the plan of this name, and why it or a task of it is not completed (empty when nothing says so)."""
    plan = next((p for p in view["plans"] if p["name"] == name), None)
    if plan is None:
        return "not taken", ""
    open_ = [t["reason"] for t in view["tasks"] if t["plan"] == plan["id"] and t["state"] != "completed"]
    return str(plan["state"]), str(next(filter(None, open_), None) or plan["reason"] or "")


def _judged(exercise: Exercise, shop: Workshop, settings: Settings) -> bool:
    """Whether the module of the last commit passes the untouched tests, in an empty folder and the user's sandbox."""
    with tempfile.TemporaryDirectory(prefix="lao-judge-", dir=shop.root.parent) as name:
        folder = Path(name).resolve()
        module = shop.git(exercise.name, "show", f"HEAD:{exercise.name}.py")
        (folder / f"{exercise.name}.py").write_text(module, encoding="utf-8")
        (folder / f"test_{exercise.name}.py").write_text(exercise.tests, encoding="utf-8")
        done = run_command(
            exercise.command,
            cwd=folder,
            timeout_s=_JUDGE_S,
            marker=f"benchmark-{exercise.name}-{folder.name}",
            containment=sandbox_of(settings.sandbox),
        )
    return done.passed and "OK" in done.output


def _used(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Json]:
    """Calls and tokens between two views of the state."""
    tokens = {name: after["tokens"][name] - before["tokens"][name] for name in ("prompt", "completion")}
    return {"calls": after["calls"]["model"] - before["calls"]["model"], "tokens": tokens}
