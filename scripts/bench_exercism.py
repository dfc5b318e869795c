"""LAO on a folder of exercises, one plan each: solved, falsely claimed, calls, tokens, seconds; and the bare floors.

usage: python scripts/bench_exercism.py EXERCISES [NAME …] --model KEY [--hidden] [--baseline] [--out FILE.json]
Each exercise is NAME/ with instructions.md, a stub and tests. The judge is the pristine test file on the module left.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lao.core.errors import BadInput, LaoError  # noqa: E402
from lao.core.words import Json  # noqa: E402
from scripts.exercism import baseline, factory, report  # noqa: E402
from scripts.exercism.exercises import Exercise, Setup, find, make_project  # noqa: E402
from scripts.exercism.judge import judge  # noqa: E402
from scripts.exercism.results import Results, baseline_part, lao_part  # noqa: E402
from scripts.exercism.server import Server  # noqa: E402

CLOSING_S = 25.0
"""Left of the time limit for verification, review and the close after the last attempt."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exercises", type=Path, help="folder of exercises")
    parser.add_argument("names", nargs="*", help="which of them (default: all)")
    parser.add_argument("--url", default="http://127.0.0.1:1234", help="model server (default: %(default)s)")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", help="in all roles (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=6.0, help="limit of one exercise (default: 6)")
    parser.add_argument("--attempts-wall-s", type=float, help="attempts.wall_s (default: the limit minus 25 s)")
    parser.add_argument("--hidden", action="store_true", help="no tests in the workspace; the judge keeps them")
    parser.add_argument("--tools", choices=("on", "off", "auto"), default="auto", help="native tool calls")
    parser.add_argument("--edit-format", choices=("auto", "whole", "search_replace", "patch"), default="auto")
    parser.add_argument("--no-calibrate", action="store_true", help="LAO's safe defaults instead of its own probes")
    parser.add_argument("--config", type=Path, help="YAML that is merged last into every factory.yaml")
    parser.add_argument("--baseline", action="store_true", help="also one bare prompt, and two")
    parser.add_argument("--baseline-only", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON with everything, written after every exercise")
    parser.add_argument("--resume", action="store_true", help="go on with the exercises that --out does not have")
    parser.add_argument("--keep", type=Path, help="leave the projects in this folder")
    parser.add_argument("--shuffle-seed", default="none", help="order of the exercises: a number, or none")
    options = parser.parse_args(argv)
    if options.resume and options.out is None:
        parser.error("--resume goes on with the file of --out")
    return options


def settings_of(options: argparse.Namespace) -> dict[str, Json]:
    """What makes two benchmarks comparable; a resumed one must have the same."""
    wall = options.attempts_wall_s
    return {
        "model": options.model,
        "tests": "hidden" if options.hidden else "visible",
        "minutes": options.minutes,
        "attempts_wall_s": wall if wall is not None else max(10.0, options.minutes * 60 - CLOSING_S),
        "tools": options.tools,
        "edit_format": options.edit_format,
        "calibrated": not options.no_calibrate,
        "config": extra_of(options.config),
    }


def extra_of(path: Path | None) -> dict[str, Json]:
    """The document of ``--config``."""
    try:
        extra = yaml.safe_load(path.read_text(encoding="utf-8")) if path else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"cannot read {str(path)!r}: {error}") from error
    if extra is not None and not isinstance(extra, dict):
        raise BadInput(f"{str(path)!r} does not hold keys as in factory.yaml")
    return extra or {}


def notes_of(url: str) -> dict[str, Json]:
    """Where and when, for the header."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "date": date.today().isoformat(),
        "lao": commit.stdout.strip() or "unknown",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "server": url,
    }


def setup_of(options: argparse.Namespace, settings: dict[str, Json]) -> Setup:
    keys: dict[str, Json] = {}
    if options.tools != "auto":
        keys["supports_tools"] = options.tools == "on"
    if options.edit_format != "auto":
        keys["edit_format"] = options.edit_format
    return Setup(
        options.url, options.model, settings["attempts_wall_s"], options.hidden, keys=keys, extra=settings["config"]
    )


def calibrated(setup: Setup, results: Results, work: Path) -> Setup:
    """The setup with what one calibration found, under what the options say. A resumed benchmark keeps its own."""
    if "profile" not in results.notes:
        say("calibrating")
        profile, said = factory.calibrate(work / "calibration", setup)
        results.notes.update(calibration=said, profile=profile)
        results.save()
    say(f"calibration: {results.notes['calibration']}")
    return replace(setup, keys={**factory.profile_keys(results.notes["profile"]), **setup.keys})


def solve(exercise: Exercise, setup: Setup, server: Server, work: Path, results: Results) -> dict[str, Json]:
    """LAO over one exercise, then the judge."""
    root = work / exercise.name
    workspace = make_project(root, setup, exercise)
    if results.notes.get("profile") and results.settings["calibrated"]:
        factory.give_profile(root, results.notes["profile"])
    before = server.record()
    claim = factory.run(root, results.settings["minutes"] * 60)
    return lao_part(claim, judge(exercise, workspace), server.since(before))


def bench(options: argparse.Namespace, exercises: Sequence[Exercise], results: Results, work: Path) -> None:
    """All exercises, one after the other; every part is saved as soon as it is there."""
    setup = setup_of(options, results.settings)
    server = Server(options.url, options.model)
    try:
        server.check()
        if not options.baseline_only and not options.no_calibrate:
            setup = calibrated(setup, results, work)
        for exercise in exercises:
            name = exercise.name
            server.check()
            if not options.baseline_only and not results.has(name, "lao"):
                results.put(name, "lao", solve(exercise, setup, server, work, results))
            if (options.baseline or options.baseline_only) and not results.has(name, "baseline"):
                results.put(name, "baseline", baseline_part(baseline.floor(exercise, server, hidden=options.hidden)))
            say(report.progress(name, results.rows[name]))
    finally:
        server.close()


@contextmanager
def workplace(keep: Path | None) -> Iterator[Path]:
    """The folder of this benchmark's projects: a new one below ``keep``, or one that goes away."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield Path(tempfile.mkdtemp(prefix="bench-", dir=keep.resolve()))
        return
    with tempfile.TemporaryDirectory(prefix="lao-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    try:
        exercises = list(find(options.exercises, options.names))
        if options.shuffle_seed != "none":
            random.Random(options.shuffle_seed).shuffle(exercises)
        results = Results.opened(options.out, settings_of(options), resume=options.resume)
        results.notes = {**notes_of(options.url), **results.notes}
        with workplace(options.keep) as work:
            bench(options, exercises, results, work)
    except (LaoError, KeyboardInterrupt) as error:
        say(f"stopped: {error or 'interrupted'}")
        if options.out and options.out.exists():
            say(f"what is done is in {options.out}; --resume goes on with it")
        return error.exit_code if isinstance(error, LaoError) else 130
    print(report.markdown(results))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end that leaves no workers behind
    sys.exit(main())
