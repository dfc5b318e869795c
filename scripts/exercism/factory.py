"""LAO over one exercise: calibrate once, run within the limit, read what it claims. The judge decides elsewhere."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.core.profile import Profile
from lao.core.words import Json
from lao.state import profiles
from lao.state.store import open_store
from scripts.exercism.exercises import Setup, make_project
from scripts.exercism.processes import Done, run_limited
from scripts.exercism.server import Figures

ROOT = Path(__file__).resolve().parents[2]
BAD_INPUT = 42
CALIBRATION_S = 600.0
_DROPPED = ("LAO_", "PYTEST_", "LM_STUDIO_", "FACTORY_CONFIG", "WORKSPACE_ROOT", "PLANS_DIR", "DB_PATH")


@dataclass(frozen=True)
class Claim:
    """What LAO says of its run.

    Attributes:
        state: the plan's state, "" when there is no plan in the record.
        rung: the rungs that solved the tasks, joined; "" when the record does not tell.
        code: exit status, None when the run was over its limit.
        log: the end of what it printed.
    """

    state: str
    reason: str
    rung: str
    figures: Figures
    code: int | None
    seconds: float
    log: str
    status: dict[str, Json]


def run(root: Path, limit_s: float) -> Claim:
    """``lao run --single-run`` in the project, killed with all that it started after ``limit_s`` seconds.

    Raises:
        BadInput: LAO does not accept the project, so every other exercise would end the same way.
    """
    done = _lao(root, "run", "--single-run", "--plain", limit_s=limit_s)
    if done.code == BAD_INPUT:
        raise BadInput(f"lao does not take the project:\n{done.output.strip()[-2000:]}")
    status = _json(_lao(root, "status", "--json", limit_s=60.0).output) or {}
    return claim(status, done)


def claim(status: dict[str, Json], done: Done) -> Claim:
    """The claim of one plan from ``lao status --json``."""
    plan: dict[str, Json] = next(iter(status.get("plans") or ()), {})
    rungs = [str(task.get("rung") or "") for task in status.get("tasks") or ()]
    tokens, calls = status.get("tokens") or {}, status.get("calls") or {}
    figures = Figures(
        calls=int(calls.get("model") or 0),
        prompt=int(tokens.get("prompt") or 0),
        cached=tokens.get("cached"),
        generated=int(tokens.get("completion") or 0),
    )
    return Claim(
        state=str(plan.get("state") or ""),
        reason=str(plan.get("reason") or ""),
        rung=", ".join(dict.fromkeys(filter(None, rungs))),
        figures=figures,
        code=done.code,
        seconds=done.seconds,
        log=done.output[-6000:],
        status=status,
    )


def calibrate(root: Path, setup: Setup) -> tuple[dict[str, Json], str]:
    """The model's profile as ``lao calibrate --json`` prints it, and a line about it for the header.

    Probes that could not be made leave the profile empty: LAO's safe defaults then.
    """
    make_project(root, setup)
    done = _lao(root, "calibrate", "coder", "--json", limit_s=CALIBRATION_S)
    found = (_json(done.output) or {}).get("profiles") if done.code == 0 else None
    if not found:
        said = (done.output.strip().splitlines() or ["no output"])[-1]
        return {}, f"none (exit code {done.code}: {said[:200]})"
    values = ", ".join(f"{key} {json.dumps(value)}" for key, value in profile_keys(found[0]).items())
    start = found[0].get("start_rung") or "unknown"
    return found[0], f"{values or 'nothing certain'}, begins with {start} ({done.seconds:.0f} s)"


def profile_keys(profile: dict[str, Json]) -> dict[str, Json]:
    """What the profile is sure of, as keys of a model in factory.yaml."""
    values = {
        "supports_tools": profile.get("supports_tools"),
        "supports_json_schema": profile.get("schema"),
        "edit_format": profile.get("edit_format") or None,
    }
    return {key: value for key, value in values.items() if value is not None}


def give_profile(root: Path, profile: dict[str, Json]) -> None:
    """Put the profile into a project's record, as if the model had been calibrated there."""
    store = open_store(root / ".lao" / "state.db", SystemClock())
    try:
        profiles.put(store, Profile.from_json(profile))
    finally:
        store.close()


def _lao(root: Path, *arguments: str, limit_s: float) -> Done:
    env = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
    env["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "lao", *arguments]
    return run_limited(command, root, env, limit_s=limit_s, log=root / f"{arguments[0]}.log")


def _json(text: str) -> Json:
    """The JSON document that the output ends with; log lines may stand before it."""
    for start in (i for i, c in enumerate(text) if c in "{[" and (i == 0 or text[i - 1] == "\n")):
        try:
            return json.loads(text[start:])
        except ValueError:
            continue
    return None
