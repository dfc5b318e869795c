"""The folders in which pictures are taken, each with its scripted server: a newcomer's, a running one, a quiet one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from scripts.shots.servers import newcomers
from scripts.shots.terminal import COMMITTER, ROOT

Place: TypeAlias = Callable[[Path], AbstractContextManager[Mapping[str, str]]]
"""Fills a folder, and gives what stands for ``{NAME}`` in what is typed."""

MODELS: Final = {"planner": "qwen3.5-35b-a3b", "coder": "qwen3-coder-30b", "reviewer": "gemma-3-27b-it"}
_PARTS: Final = (
    ("Read a price list", "prices.py", "test -f prices.py"),
    ("Totals with VAT", "totals.py", "test -f totals.py"),
    ("Group by supplier", "groups.py", "test -f groups.py"),
    ("Order of the rows", "order.py", "test -f sorted.py"),
    ("Print the table", "table.py", "test -f table.py"),
    ("Command line", "cli.py", "test -f cli.py"),
)
_CONTENT: Final = " ⏎ ".join(f"LINE_{n} = {n}" for n in range(60))
_ANSWER: Final = """\
One task waits for you, and nothing else is open.

## Order of the rows

It failed **three times** on the same check, `test -f sorted.py`: the plan asks for `order.py`, but the check looks for
another name. No model can mend that.

1. Correct the check in `plans/price-list.md`.
2. Then `/retry price-list` tries it again; what is done stays done.

Everything else of the plan is committed and proved.
"""
_LONG: Final = "\n\n".join(
    f"{n}. The {what} is read once, checked, and kept with the commit that made it, so that nothing is asked twice."
    for n, what in enumerate(("price list", "table of suppliers", "order of the rows", "total with VAT"), 1)
)
_PILOT: Final = (
    {
        "match": {"role": "pilot", "contains": "what failed"}, "times": 1,
        "answer": {"tool_calls": [{"name": "pipeline_status", "arguments": {}}]},
    },
    {"match": {"role": "pilot", "contains": "what failed"}, "answer": {"text": _ANSWER}},
    {"match": {"role": "pilot"}, "answer": {"text": _LONG}},
)  # fmt: skip


@contextmanager
def newcomer(folder: Path) -> Iterator[Mapping[str, str]]:
    """An empty folder, and a server of which LAO knows nothing yet."""
    folder.mkdir()
    with SimulatedServer(newcomers()) as server:
        yield {"PORT": server.url.rsplit(":", 1)[1]}


@contextmanager
def at_work(folder: Path) -> Iterator[Mapping[str, str]]:
    """A plan of which one part cannot pass, a history, and a server that answers as slowly as a model."""
    with _shop(folder, parts=_PARTS, tokens_per_second=70, first_token_s=1.0):
        yield {}


@contextmanager
def quiet(folder: Path) -> Iterator[Mapping[str, str]]:
    """The same with little left to do, so that the Pilot comes soon; and two other projects."""
    for name in ("blog", "billing"):
        (folder.parent / name).mkdir()
        (folder.parent / name / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
        _lao(folder.parent / name, "projects", "add", "--tag", name[:4])
    with _shop(folder, parts=_PARTS[2:4], tokens_per_second=60, first_token_s=0.8):
        yield {}


@contextmanager
def _shop(folder: Path, *, parts: tuple[tuple[str, str, str], ...], **speed: float) -> Iterator[None]:
    scenario = {
        "models": [{"key": key, "size_bytes": 9_000_000_000} for key in MODELS.values()],
        "load_seconds": 1.0, "responses": list(_PILOT), **speed,
    }  # fmt: skip
    with SimulatedServer(parse_scenario(scenario)) as server:
        models = {**MODELS, "pilot": MODELS["coder"]}
        document = {
            "lm_studio_base_url": server.url,
            "models": {role: {"key": key, "supports_tools": True} for role, key in models.items()},
            "orchestration": {
                "infer_validation_commands": False, "retry_cap_validation": 1, "retry_cooldown_base_s": 0,
                "release": "reviewed", "tasks_in_flight": 2, "phase_gated": False,
            },
            "attempts": {"repairs": 0, "candidates": 1, "idle": False},
            "memory_gate": {"poll_interval_s": 0.1},
            "calibration": {"auto": False},
        }  # fmt: skip
        _project(folder, document)
        _write_plan(folder, "price-list", "Price list", parts)
        yield


def _project(folder: Path, document: dict[str, Any]) -> None:
    """The folder with three tasks that are done, so that there is something to tell the time left by."""
    (folder / "plans").mkdir(parents=True)
    (folder / "factory.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    _write_plan(folder, "suppliers", "Suppliers", tuple((f, f"{f}.py", f"test -f {f}.py") for f in "abc"))
    _lao(folder, "run", "--single-run", "--plain")
    (folder / "plans" / "suppliers.md").unlink()


def _write_plan(folder: Path, name: str, title: str, parts: tuple[tuple[str, str, str], ...]) -> None:
    lines = (f"- task: {what} | file: {file} | content: {_CONTENT} | test: {test}" for what, file, test in parts)
    (folder / "plans" / f"{name}.md").write_text(f"# {title}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _lao(folder: Path, *arguments: str) -> None:
    who = dict(pair.split("=") for pair in COMMITTER.split())
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder.parent), **who}
    command = [sys.executable, "-m", "lao", *arguments]
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
