"""What really came out of a night, by others than LAO, and the page that puts LAO's report beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

LIMIT_S = 20.0
NO_FILE = "no file"


@dataclass(frozen=True)
class Task:
    """A module that a plan asks for.

    Attributes:
        state: what LAO says of its task, "" when it has none.
        own_test: the plan's own test passes on the plan's folder as it lies there now.
        hidden: what the hidden checks say: "right", "wrong", NO_FILE, or "impossible" where there are none.
    """

    plan: str
    module: str
    state: str
    reason: str
    attempts: int
    own_test: bool
    hidden: str


def tasks_of(root: Path, status: str, plans: Path) -> list[Task]:
    """One for each test command of the plans, in their order."""
    checks: Mapping[str, str] = yaml.safe_load((plans / "judge.yaml").read_text(encoding="utf-8"))
    document = json.loads(status)
    names = {plan["id"]: plan["name"] for plan in document["plans"]}
    found = []
    for plan in sorted(plans.glob("*.md")):
        said = [t for t in document["tasks"] if names.get(t["plan"], t["plan"]) == plan.stem]
        for command in re.findall(r"^Test: `(.*)`$", plan.read_text(encoding="utf-8"), re.MULTILINE):
            module = re.findall(r"from (\w+) import", command)[0]
            mine = [t for t in said if f"{module}.py" in json.dumps(t)]
            hidden = _hidden(root / plan.stem, module, checks.get(module))
            found.append(
                Task(
                    plan.stem,
                    module,
                    ", ".join(str(t["state"]) for t in mine),
                    "; ".join(str(t["reason"] or "") for t in mine if t["state"] != "completed"),
                    sum(int(t["attempts"]) for t in mine),
                    _passes(root / plan.stem, command),
                    hidden,
                )
            )
    return found


def _hidden(folder: Path, module: str, check: str | None) -> str:
    if check is None:
        return "impossible"
    if not (folder / f"{module}.py").is_file():
        return NO_FILE
    return "right" if _python(folder, check) else "wrong"


def _passes(folder: Path, command: str) -> bool:
    code = re.fullmatch(r'python3 -c "(.*)"', command)
    assert code is not None, command
    return folder.is_dir() and _python(folder, code.group(1))


def _python(folder: Path, code: str) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=folder, capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _steps(folder: Path) -> Counter[str]:
    """How often each step of LAO was committed in the plan's folder."""
    if not folder.is_dir():
        return Counter()
    form = "--format=%(trailers:key=LAO-Step,valueonly,separator=%x2C)"
    log = subprocess.run(["git", "log", form], cwd=folder, capture_output=True, text=True, check=False).stdout
    return Counter(line for line in log.splitlines() if line)


def _said(done: subprocess.CompletedProcess[str], root: Path) -> str:
    """The last line of a command's output, without the folder that this machine had for it."""
    return (done.stdout or done.stderr).strip().splitlines()[-1].replace(f"{root}/", "")


def page(
    *,
    header: str,
    command: str,
    events: Sequence[tuple[float, str]],
    tasks: Sequence[Task],
    server: Mapping[str, int],
    made: str,
    code: int | None,
    report: str,
    checked: Sequence[subprocess.CompletedProcess[str]],
    root: Path,
) -> str:
    """docs/night.md."""
    twice = sum(n > 1 for plan in {t.plan for t in tasks} for n in _steps(root / plan).values())
    lines = [
        "# A disturbed night, and its report",
        "",
        f"Made by `{command}`; {header}.",
        "15 tasks in 4 plans; one of them (`two_at_once`) cannot be done by anyone.",
        "",
        "## What was done to it",
        "",
        "| second | what |",
        "|---|---|",
        *(f"| {at:.0f} | {what} |" for at, what in events),
        "",
        *_table(tasks),
        *_counts(tasks),
        f"- Steps committed more than once: {twice}.",
        f"- Exit status of `lao run`: {code} (4: something waits for a person).",
        f"- The server's own record: {', '.join(f'{n} {kind}' for kind, n in sorted(server.items())) or 'none kept'}.",
        f"- LAO's: {made}.",
        *(f"- `lao report check`: {_said(c, root)}" for c in checked),
        "",
        "## The report as it was in the morning",
        "",
        "```markdown",
        report.strip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _table(tasks: Sequence[Task]) -> list[str]:
    """What LAO says of each module, and what is so."""
    return [
        "## What LAO says, and what is so",
        "",
        "*Own test*: the test in the plan, run again by the script when all was over. *Hidden checks*: inputs that",
        "neither the plan nor LAO had; a module may pass its own test and not these.",
        "",
        "| plan | module | LAO says | attempts | own test | hidden checks |",
        "|---|---|---|---|---|---|",
        *(
            f"| {t.plan} | {t.module} | {t.state or 'no task'} | {t.attempts} "
            f"| {'passes' if t.own_test else 'fails'} | {t.hidden} |"
            for t in tasks
        ),
        "",
    ]


def _counts(tasks: Sequence[Task]) -> list[str]:
    """What that comes to."""
    claimed = [t for t in tasks if t.state == "completed"]
    false = [t for t in claimed if not t.own_test]
    solved_not_said = [t for t in tasks if t.own_test and t.state != "completed"]
    return [
        f"- Said to be completed: {len(claimed)} of {len(tasks)}.",
        f"- Of these fail their own test (false done): **{len(false)}**.",
        f"- Pass their own test and are not said to be completed: {len(solved_not_said)}"
        + (f" ({', '.join(t.module for t in solved_not_said)})." if solved_not_said else "."),
        f"- Said to be completed and wrong by the hidden checks: {sum(t.hidden == 'wrong' for t in claimed)}.",
    ]
