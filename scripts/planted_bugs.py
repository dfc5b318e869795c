"""Plants known bugs in copies of the source tree and sees that the tests find each. Run: python scripts/planted_bugs.py

Tests that find nothing prove nothing. Each bug is a replacement of text that must be there exactly once, so this fails
loudly when the code moves; the same checks must pass on a copy without a bug. Exit status 1 when a bug is not found.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("lao", "workflows", "models_cfg", "tests", "pyproject.toml")
FAILED, LIMIT_S = 1, 900.0
MODEL = "tests/durability/test_state_model.py"


@dataclass(frozen=True)
class Bug:
    """``changes`` are (path, text, its replacement); ``check`` is what pytest is given, the cheapest that finds it."""

    name: str
    check: str
    changes: tuple[tuple[str, str, str], ...]


BUGS = (
    Bug(
        "a file is replaced without fsync",
        "tests/durable/test_files.py",
        (("lao/durable/files.py", "        os.fsync(file.fileno())\n", ""),),
    ),
    Bug(
        "synchronous=OFF, and asserted so",
        "tests/state/test_runs.py",
        (
            ("lao/state/store.py", 'PRAGMAS = {"synchronous": 2', 'PRAGMAS = {"synchronous": 0'),
            ("lao/state/store.py", '("synchronous", 2)', '("synchronous", 0)'),
        ),
    ),
    Bug(
        "wake-ups are sent before the commit",
        "tests/workflows/test_wake_ups.py",
        (
            (
                "workflows/frame.py",
                "            ready = outcome.apply(now)\n",
                "            ready = outcome.apply(now)\n            _finished(factory, ready)\n",
            ),
        ),
    ),
    Bug(
        "lost wake-ups are not sent again",
        "tests/workflows/test_frame.py::test_lost_messages_are_made_again",
        (("workflows/reconciler.py", "    for run_id in lost:\n", "    for run_id in ():\n"),),
    ),
    Bug(
        "a claim is not checked before a write",
        "tests/state/test_runs.py",
        (
            (
                "lao/state/runs.py",
                "if row is None or row.epoch != held.epoch or row.state != RunState.RUNNING.value:",
                "if row is None:",
            ),
        ),
    ),
    Bug(
        "a claim does not raise the epoch",
        "tests/state/test_runs.py",
        (("lao/state/transitions.py", '"epoch": row.epoch + 1', '"epoch": row.epoch'),),
    ),
    Bug(
        "a phase ends in more than one transaction",
        "tests/state/test_runs.py",
        (
            (
                "lao/state/runs.py",
                'finished_at=now, owner="")\n        yield now',
                'finished_at=now, owner="")\n    yield now',
            ),
        ),
    ),
    Bug(
        "a crash counts as an attempt",
        MODEL,
        (
            (
                "lao/state/recovery.py",
                "    strikes = row.strikes +",
                "    if row.task_id:\n        row.task.attempts += 1\n        row.task.save(only=['attempts'])\n"
                "    strikes = row.strikes +",
            ),
        ),
    ),
    Bug(
        "the crash counter never sets a run aside",
        "tests/state/test_runs.py",
        (("lao/state/recovery.py", "return bool(strikes >= STRIKES)", "return False"),),
    ),
    Bug(
        "a worker elsewhere is taken for dead before its lease is over",
        MODEL,
        (("lao/state/recovery.py", "else row.lease_until < store.now()", "else True"),),
    ),
    Bug(
        "a rejected task's dependents are forgotten",
        "tests/state/test_dependents.py",
        (("lao/state/dependents.py", "            todo += of(row)\n", ""),),
    ),
    Bug(
        "a task waits for one that is over",
        "tests/state/test_dependents.py",
        (
            (
                "lao/state/pipeline.py",
                "    dependents.hold(task, now, reached)\n    dependents.end_stranded(task.plan_id, now)\n",
                "    dependents.hold(task, now, reached)\n",
            ),
        ),
    ),
    Bug(
        "an answer is used before it is recorded",
        "tests/durable/test_journal.py",
        (
            (
                "lao/durable/journal.py",
                "        self._write(seq, kind, label, done=True, result=result)\n"
                '        crash_point("after_step")\n        return result\n\n    def effect',
                "        late = (seq, kind, label, result)\n        begin = self._begin\n\n"
                "        def and_write() -> int:\n"
                "            self._begin = begin  # type: ignore[method-assign]\n"
                "            self._write(late[0], late[1], late[2], done=True, result=late[3])\n"
                "            return begin()\n\n"
                "        self._begin = and_write  # type: ignore[method-assign]\n"
                '        crash_point("after_step")\n        return result\n\n    def effect',
            ),
        ),
    ),
    Bug(
        "a command's processes outlive their worker",
        "tests/durable/test_containment.py",
        (("lao/durable/containment.py", '"--unshare-pid", "--die-with-parent")', '"--unshare-pid",)'),),
    ),
    Bug(
        "the index is not brought up to an older commit",
        "tests/workspace/test_commits.py",
        (("lao/workspace/commits.py", "            self._catch_up(commit)\n", "            pass\n"),),
    ),
    Bug(
        "a commit that was made is not looked for",
        "tests/workspace/test_commits.py",
        (("lao/workspace/commits.py", 'commit = self._find(intent["parent"], head)', "commit = None"),),
    ),
    Bug(
        "the branch is moved whatever it was",
        "tests/workspace/test_commits.py",
        (("lao/workspace/commits.py", '"HEAD", commit, intent["parent"] or "")', '"HEAD", commit)'),),
    ),
    Bug(
        "a landing that was begun is taken for done",
        "tests/workspace/test_desks.py",
        (
            (
                "lao/workspace/landing.py",
                "        return None\n\n    def _import",
                '        return {"changed": intent["changed"]}\n\n    def _import',
            ),
        ),
    ),
    Bug(
        "what a dead worker left running goes on",
        "tests/workflows/test_wake_ups.py",
        (("workflows/reconciler.py", "killed = kill_marked(factory.marker(run.id))", "killed = 0"),),
    ),
)


def copy_tree(to: Path) -> Path:
    """The parts of the source tree that the checks need, in ``to``."""
    to.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy2(source, to / name)
    return to


def plant(bug: Bug, tree: Path) -> None:
    """Make the bug's changes.

    Raises:
        SystemExit: a text is not there exactly once.
    """
    for path, old, new in bug.changes:
        text = (tree / path).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{path} has this {text.count(old)} times instead of once; {bug.name!r}:\n{old}")
        (tree / path).write_text(text.replace(old, new), encoding="utf-8")


def run_checks(tree: Path, checks: list[str]) -> tuple[int, str, float]:
    """(exit status, output, seconds) of pytest on the checks, ended at the first failure."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", *checks]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LAO_")}
    env = {**kept, "PYTHONPATH": str(tree), "LAO_LAB": "planted", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return 124, f"not over after {LIMIT_S:.0f} s", time.monotonic() - started
    return done.returncode, done.stdout + done.stderr, time.monotonic() - started


def finder(output: str) -> str:
    """The test that failed, of pytest's summary."""
    lines = [line for line in output.splitlines() if line.startswith("FAILED ")]
    return lines[0].removeprefix("FAILED ").partition(" - ")[0] if lines else ""


def try_bug(bug: Bug, folder: Path) -> tuple[Bug, str, float, str]:
    """(bug, the test that found it or "", seconds, pytest's output)."""
    tree = copy_tree(folder / f"bug-{BUGS.index(bug)}")
    plant(bug, tree)
    status, output, seconds = run_checks(tree, [bug.check])
    shutil.rmtree(tree)
    return bug, finder(output) if status == FAILED else "", seconds, output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="bugs whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check-texts", action="store_true", help="only see that every bug can still be planted")
    parser.add_argument("--json", action="store_true", help="at the end also the figures as JSON")
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if options.only in bug.name]
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.check_texts:
            for bug in bugs:
                plant(bug, copy_tree(folder / f"bug-{BUGS.index(bug)}"))
            return 0
        print("| Bug | found by | seconds |\n|---|---|---|", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            tried = [pool.submit(try_bug, bug, folder) for bug in bugs]
            clean = pool.submit(run_checks, copy_tree(folder / "clean"), sorted({bug.check for bug in bugs}))
            found = []
            for each in tried:
                found.append(each.result())
                print(f"| {found[-1][0].name} | {found[-1][1] or 'NOTHING'} | {found[-1][2]:.0f} |", flush=True)
            status, output, seconds = clean.result()
    missed = [(bug, text) for bug, test, _, text in found if not test]
    for bug, text in missed:
        print(f"\n{bug.name}: not found by {bug.check}\n{text[-2000:]}")
    if status:
        print(f"\nthe checks fail on a copy without a bug, so they prove nothing:\n{output[-2000:]}")
    print(
        f"\n{len(found) - len(missed)} of {len(found)} found; without a bug the checks took {seconds:.0f} s and ",
        end="",
    )
    print(f"{'passed' if not status else 'FAILED'}; {time.monotonic() - started:.0f} s in all")
    if options.json:
        violations = [bug.name for bug, _ in missed] + (["the checks fail without a bug"] if status else [])
        print(json.dumps({"planted": len(found), "violations": violations}))
    return 1 if missed or status else 0


if __name__ == "__main__":
    sys.exit(main())
