"""Three plans on a real server with a model for each role: loads against the least for what really happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import yaml

from scripts.gpu.minimum import least_loads
from scripts.gpu.record import steps_of_record

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 3000
_WORKED = (0, 1, 4)
"""Exit codes of a run that has worked on its plans, however they ended."""
PLAN = """# {title}

- Write `{name}.py` with the function `{signature}`.
- Write `{name}_twice.py` with the function `{name}_twice`, which imports `{name}` and gives its result twice in a list.

Test: `python3 -c "import {name}; assert {name}.{check}"`
"""
PLANS = {
    "add": PLAN.format(title="Add", name="add", signature="add(a, b)", check="add(1, 2) == 3"),
    "double": PLAN.format(title="Double", name="double", signature="double(x)", check="double(2) == 4"),
    "greet": PLAN.format(title="Greet", name="greet", signature="greet(name)", check="greet('Eve') == 'Hello, Eve!'"),
}


def run(url: str, keys: dict[str, str], release: str, *, as_json: bool, log_path: str = "/_rig/log") -> int:
    """Run the plans; 1 when there were more loads than the least.

    Args:
        keys: model keys by role.
        log_path: where the server tells its loads, if it does; else LAO's own count is taken.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_project(root, url, keys, release)
        before = _server_loads(url, log_path)
        done = _lao(root, "run", "--single-run", "--plain")
        if done.returncode not in _WORKED:
            raise SystemExit(f"lao run ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        after = _server_loads(url, log_path)
        status: dict[str, Any] = json.loads(_lao(root, "status", "--json").stdout)
        steps = steps_of_record(root / ".lao" / "state.db", keys, release)
    counted = after - before if before is not None and after is not None else None
    figures = {
        "url": url,
        "models": keys,
        "release": release,
        "exit": done.returncode,
        "plans": {plan["name"]: plan["state"] for plan in status["plans"]},
        "phases with a model": len(steps),
        "loads (server)": counted,
        "loads (LAO)": status["models"]["loads"],
        "least": least_loads(steps),
    }
    print(
        json.dumps(figures, indent=2) if as_json else "\n".join(f"{name:20} {value}" for name, value in figures.items())
    )
    loads = counted if counted is not None else status["models"]["loads"]
    return 0 if 0 < loads <= figures["least"] else 1


def _write_project(root: Path, url: str, keys: dict[str, str], release: str) -> None:
    document = {
        "lm_studio_base_url": url,
        "models": {
            role: {"key": key, "context_length": 4096, "max_completion": 800, "supports_tools": False,
                   "supports_json_schema": True} for role, key in keys.items()
        },
        "orchestration": {"release": release, "retry_cooldown_base_s": 0},
        "attempts": {"wall_s": 120, "candidates": 2, "idle": False},
        "calibration": {"auto": False},
    }  # fmt: skip
    (root / "factory.yaml").write_text(yaml.safe_dump(document))
    (root / "plans").mkdir()
    for name, text in PLANS.items():
        (root / "plans" / f"{name}.md").write_text(text)


def _lao(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = {f"GIT_{who}_{what}": "lao@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        [sys.executable, "-m", "lao", *arguments],
        cwd=root,
        env={**os.environ, **identity, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _server_loads(url: str, path: str) -> int | None:
    """Loads that the server has counted so far; None when it keeps no such log."""
    try:
        with urlopen(f"{url.rstrip('/')}{path}", timeout=10) as answer:
            entries = json.load(answer)
    except (URLError, ValueError):
        return None
    return sum(entry.get("kind") == "load" for entry in entries) if isinstance(entries, list) else None
