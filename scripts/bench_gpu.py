"""What the one GPU is used for: how often models are swapped, what scheduling costs, what requests at once gain.

usage: python scripts/bench_gpu.py swaps [--seed 1] [--json]
       python scripts/bench_gpu.py idle [--json]
       python scripts/bench_gpu.py scale [--tasks 100 1000 10000] [--json]
       python scripts/bench_gpu.py real --url URL --planner KEY --coder KEY --reviewer KEY [--release verified] [--json]
       python scripts/bench_gpu.py parallel [--url URL --model KEY] [--json]
swaps runs ten generated workloads through ``lao run`` on the simulated server, whose own accounting is the judge, and
compares the loads with the least that the dependencies allow. idle compares the wall time of forty independent tasks
with the time that their model calls take. scale works through plans of a hundred tasks and watches time, memory and
idleness. real works through three small plans on a real server and compares its loads with the least for what happened.
parallel sends 1, 2 and 4 chat requests at once to a server (without --url to a simulated one) and has no bar.
Exit status 1: a bar is broken.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.gpu import idle, parallel, real, scale, swaps  # noqa: E402

IDLE_TASKS = 40
URL = "http://127.0.0.1:1234"
ROLES = ("planner", "coder", "reviewer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["swaps", "idle", "scale", "real", "parallel"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--url", help=f"a model server, for real (default: {URL}) and parallel")
    parser.add_argument("--model", default="", help="model key, for parallel")
    for role in ROLES:
        parser.add_argument(f"--{role}", default="", help="model key, for real")
    parser.add_argument("--release", choices=["reviewed", "verified"], default="reviewed", help="for real")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.what == "swaps":
        raise SystemExit(swaps.run(options.seed, as_json=options.json))
    if options.what == "idle":
        raise SystemExit(idle.run(IDLE_TASKS, as_json=options.json))
    if options.what == "real":
        keys = {role: getattr(options, role) for role in ROLES}
        if not all(keys.values()):
            parser.error("real needs --planner, --coder and --reviewer")
        raise SystemExit(real.run(options.url or URL, keys, options.release, as_json=options.json))
    if options.what == "parallel":
        if options.url and not options.model:
            parser.error("parallel with --url needs --model")
        model = options.model or parallel.SIMULATED_MODEL
        raise SystemExit(parallel.run(options.url, model, as_json=options.json))
    raise SystemExit(scale.run(options.tasks, as_json=options.json))


if __name__ == "__main__":
    main()
