"""The reviewer's gate over known-good changes and planted bugs: what is asked, what is run, what counts. No server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from lao.agents.objections import Ruling, rule
from lao.agents.reviewer import ReviewBrief, review
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.steps import DirectSteps
from lao.core.words import CommandResult, TaskSpec
from lao.quality.mutation import mutants
from lao.quality.proofs import proof_command, prove, reproduced
from lao.quality.verifier import verify_files
from lao.quality.written_tests import command_for
from scripts.exercism.exercises import Exercise

BUGS = Path(__file__).with_name("planted_bugs.json")
"""For each exercise one mechanical mutation of its solution that its own tests notice: exercise, line, what."""

EVERY = 99
SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """One change: from the stub to ``text``. ``bug``: what was planted, "" in a good one."""

    exercise: Exercise
    text: str
    bug: str = ""

    @property
    def task(self) -> TaskSpec:
        description = f"{self.exercise.read('instructions.md').strip()}\n\nWrite `{self.exercise.stub}`."
        return TaskSpec(self.exercise.name, description, (self.exercise.stub,))

    @property
    def diff(self) -> str:
        name = self.exercise.stub
        lines = [self.exercise.read(name).splitlines(keepends=True), self.text.splitlines(keepends=True)]
        return "".join(unified_diff(*lines, f"a/{name}", f"b/{name}"))


@dataclass(frozen=True)
class Found:
    """Who noticed something: the mechanical checks, the exercise's own tests, the review (with what counts for it)."""

    case: Case
    mechanical: bool
    acceptance: bool
    review: bool
    said: str


def cases(folder: Path) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """(good changes, changes with a planted bug) of the exercises in ``folder``."""
    planted = {item["exercise"]: (item["line"], item["what"]) for item in json.loads(BUGS.read_text("utf-8"))}
    good, bad = [], []
    for place in sorted(folder.iterdir()):
        if not (place / "solution.py").is_file():
            continue
        exercise = Exercise(place.name, place)
        text = exercise.read("solution.py")
        good.append(Case(exercise, text))
        made = {(m.line, m.what): m for m in mutants("solution.py", text, most=EVERY)}
        if place.name in planted:
            mutant = made[planted[place.name]]
            bad.append(Case(exercise, mutant.text, f"line {mutant.line}: {mutant.what}"))
    return tuple(good), tuple(bad)


def judge(case: Case, model: Model, settings: ModelSettings, place: Path) -> Found:
    """The change as a review phase sees it: a good one with the passing test as evidence, a bug without any."""
    with _laid_out(case, place) as root:
        findings = verify_files(root, case.task, (case.exercise.stub,))
        ran = _run(command_for(case.exercise.test), root)
        evidence = (ran,) if ran.passed else ()
        brief = ReviewBrief(task=case.task, plan_title=case.exercise.name, diff=case.diff, evidence=evidence)
        given = review(brief, model=model, settings=settings, steps=DirectSteps())
        proven = _proven([o.command for o in given.blocking], case, root)
    demands = f"{case.task.title}\n{case.task.description}"
    ruling, verdict = rule(given, demands=demands, diff=case.diff, proven=proven, tested=bool(evidence), round_=1)
    counted = ruling is not Ruling.COMPLETE
    return Found(case, any(f.blocks for f in findings), not ran.passed, counted, verdict.summary)


def table(good: Sequence[Found], bad: Sequence[Found]) -> str:
    """Both results as Markdown."""
    lines = [
        "| Exercise | Known-good change | Planted bug | Mechanical | Acceptance | Review |",
        "|---|---|---|---|---|---|",
    ]
    by_name = {found.case.exercise.name: found for found in bad}
    for found in good:
        bug = by_name.get(found.case.exercise.name)
        caught = [_mark(bug.mechanical), _mark(bug.acceptance), _mark(bug.review)] if bug else ["", "", ""]
        what = bug.case.bug.replace("|", "\\|") if bug else ""
        verdict = "REJECTED" if found.review else "approved"
        lines.append(f"| {' | '.join([found.case.exercise.name, verdict, what, *caught])} |")
    sums = [sum(f.mechanical for f in bad), sum(f.acceptance for f in bad), sum(f.review for f in bad)]
    totals = [f"{number} of {len(bad)}" for number in sums]
    lines.append(f"| **all** | {sum(f.review for f in good)} of {len(good)} false rejects | | {' | '.join(totals)} |")
    return "\n".join(lines) + "\n"


def _mark(noticed: bool) -> str:
    return "caught" if noticed else "missed"


@contextmanager
def _laid_out(case: Case, place: Path) -> Iterator[Path]:
    root = place / f"{case.exercise.name}-{'bug' if case.bug else 'good'}"
    root.mkdir(parents=True)
    (root / case.exercise.stub).write_text(case.text, encoding="utf-8")
    (root / case.exercise.test).write_text(case.exercise.read(case.exercise.test), encoding="utf-8")
    try:
        yield root
    finally:
        shutil.rmtree(root)


def _run(command: str, root: Path) -> CommandResult:
    from lao.durable.processes import run_command

    return run_command(command, cwd=root, marker="live-review", timeout_s=SECONDS)


def _proven(said: Sequence[str], case: Case, root: Path) -> list[str]:
    demands = f"{case.task.title}\n{case.task.description}"
    commands = {text: made for text in said if (made := proof_command(text, (case.exercise.stub,), demands))}
    results = prove(tuple(commands.values()), root, DirectSteps(), marker="live-review", timeout_s=SECONDS)
    failing = {result.command for result in results if reproduced(result)}
    return [text for text, made in commands.items() if made in failing]
