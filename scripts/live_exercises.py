"""Runs LAO on exercises (a folder with instructions.md, a stub and a test file each) with one real model in all roles.

usage: python scripts/live_exercises.py EXERCISES NAME [NAME …] --url http://127.0.0.1:1234 --model KEY [--attempts 6]
One plan an exercise, all in one queue, `lao run --single-run`. Prints what was solved, with attempts and seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
ROLES = ("planner", "coder", "reviewer")

PLAN = """# {title}

Implement `{stub}` so that all tests in `{test}` pass. Do not change the tests.

{instructions}
"""


def make_project(root: Path, exercises: Path, names: list[str], *, url: str, model: str, attempts: int) -> None:
    """factory.yaml, one plan a name, and the stub and tests in each plan's folder (never the solution)."""
    (root / "plans").mkdir(parents=True)
    role = {"key": model, "context_length": 8192, "max_completion": 1500, "supports_json_schema": True}
    document = {
        "lm_studio_base_url": url,
        "models": {name: {**role, "supports_tools": False} for name in ROLES},
        "orchestration": {
            "validation_build_cmd": f"{sys.executable} -m pytest -q -x",
            "validation_timeout_s": 30,
            "retry_cap_validation": attempts,
            "retry_cap_coder": attempts,
            "max_task_attempts": attempts,
            "retry_cooldown_base_s": 0,
        },
    }
    (root / "factory.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    for name in names:
        source = exercises / name
        stub = f"{name.replace('-', '_')}.py"
        test = f"{name.replace('-', '_')}_test.py"
        folder = root / name
        folder.mkdir()
        for file in (stub, test):
            (folder / file).write_text((source / file).read_text())
        text = PLAN.format(title=name, stub=stub, test=test, instructions=(source / "instructions.md").read_text())
        (root / "plans" / f"{name}.md").write_text(text)


def judge(root: Path, names: list[str], exercises: Path) -> dict[str, bool]:
    """Run the original tests on what is there, whatever LAO says."""
    solved = {}
    for name in names:
        test = f"{name.replace('-', '_')}_test.py"
        (root / name / test).write_text((exercises / name / test).read_text())
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
        try:
            done = subprocess.run(command, cwd=root / name, capture_output=True, timeout=60, check=False)
            solved[name] = done.returncode == 0
        except subprocess.TimeoutExpired:
            solved[name] = False
    return solved


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exercises", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--url", default="http://127.0.0.1:1234")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--attempts", type=int, default=6)
    parser.add_argument("--dir", type=Path, help="where to make the project (default: a new temporary folder)")
    options = parser.parse_args()
    root = (options.dir or Path(tempfile.mkdtemp(prefix="lao-live-"))).resolve()
    make_project(
        root, options.exercises, options.names, url=options.url, model=options.model, attempts=options.attempts
    )
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-m", "lao", "run", "--single-run"], cwd=root, env=environment, check=False)
    seconds = time.monotonic() - started
    status = json.loads(
        subprocess.run(
            [sys.executable, "-m", "lao", "status", "--json"],
            cwd=root,
            env=environment,
            capture_output=True,
            check=True,
        ).stdout
    )
    solved = judge(root, options.names, options.exercises)
    print(f"\n{date.today()}  {options.model}  {os.cpu_count()} cores  {seconds:.0f} s  exit code {run.returncode}")
    for plan in status["plans"]:
        attempts = sum(t["attempts"] for t in status["tasks"] if t["plan"] == plan["id"])
        claim, truth = plan["state"], "solved" if solved[plan["name"]] else "not solved"
        false_done = "  FALSE DONE" if claim == "completed" and truth != "solved" else ""
        print(f"{plan['name']:22} LAO: {claim:11} tests: {truth:10} attempts: {attempts}{false_done}")
    print(
        f"solved {sum(solved.values())} of {len(solved)}; calls {status['calls']['model']}, tokens {status['tokens']}"
    )
    print(f"project: {root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
