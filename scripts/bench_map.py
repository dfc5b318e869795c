"""What the repository map is worth: tasks that need code of a package which their text does not name, with and without.

usage: python scripts/bench_map.py --url URL --model KEY [--minutes 1.5] [--times 2] [--keep DIR]
Each task is one plan in a copy of scripts/map_tasks/shop; its test knows the package. Calls and tokens are LAO's own.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.core.words import Json  # noqa: E402
from scripts.exercism import factory  # noqa: E402
from scripts.exercism.exercises import Setup, document  # noqa: E402

TASKS = Path(__file__).parent / "map_tasks"
WAYS: dict[str, dict[str, Json]] = {"with map": {}, "without": {"search": {"map_tokens": 0}}}


@dataclass(frozen=True)
class Trial:
    """One task in one way."""

    way: str
    file: str
    solved: bool
    calls: int
    prompt: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:1234")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--minutes", type=float, default=1.5, help="limit of one task")
    parser.add_argument("--times", type=int, default=2, help="runs of each task in each way")
    parser.add_argument("--keep", type=Path, help="leave the projects in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = options.keep or Path(scratch)
        wall_s = options.minutes * 60
        plain = Setup(options.url, options.model, wall_s, hidden=True)
        profile, said = factory.calibrate(base / "calibration", plain)
        print(f"calibration: {said}", flush=True)
        trials = [
            _trial(base / f"{number}-{way.replace(' ', '-')}-{index}", options, wall_s, way, task, profile)
            for number in range(options.times)
            for index, task in enumerate(yaml.safe_load((TASKS / "tasks.yaml").read_text(encoding="utf-8")))
            for way in WAYS
        ]
    print("\n| | solved | calls | prompt tokens | seconds |\n|---|---:|---:|---:|---:|")
    for way in WAYS:
        mine = [t for t in trials if t.way == way]
        print(
            f"| {way} | {sum(t.solved for t in mine)} of {len(mine)} | {sum(t.calls for t in mine)} "
            f"| {sum(t.prompt for t in mine)} | {sum(t.seconds for t in mine):.0f} |"
        )


def _trial(
    root: Path, options: argparse.Namespace, wall_s: float, way: str, task: dict[str, str], profile: dict[str, Json]
) -> Trial:
    setup = Setup(
        options.url, options.model, wall_s - 20, hidden=True, keys=factory.profile_keys(profile), extra=WAYS[way]
    )
    (root / "plans").mkdir(parents=True)
    (root / "factory.yaml").write_text(yaml.safe_dump(document(setup), sort_keys=False), encoding="utf-8")
    name = Path(task["file"]).stem
    shutil.copytree(TASKS / "shop", root / name / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    plan = f"# {name}\n\n{task['text']}\nTest: `{task['test']}`\n"
    (root / "plans" / f"{name}.md").write_text(plan, encoding="utf-8")
    factory.give_profile(root, profile)
    claim = factory.run(root, wall_s)
    trial = Trial(
        way, task["file"], claim.state == "completed", claim.figures.calls, claim.figures.prompt, claim.seconds
    )
    print(f"{trial.file} {way}: {claim.state}, {trial.calls} calls, {trial.seconds:.0f} s", flush=True)
    return trial


if __name__ == "__main__":
    main()
