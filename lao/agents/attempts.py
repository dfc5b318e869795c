"""The attempt strategy: which way a task is tried next, with which sample, and when to stop. Asks, checks, undoes.

One attempt is one rung: a draft with repairs, a fresh try with a lesson, or independent candidates. The checks decide;
what fails them is undone. Every decision depends on recorded results only, so a resumed attempt takes the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from lao.agents.coder import CoderBrief, CoderResult, write_code
from lao.agents.coder_text import CORRECTIONS
from lao.agents.compaction import DEFAULT, Compaction
from lao.agents.crossing import offspring
from lao.agents.ladder import REPEATED, Checked, Files, Ladder, MeteredSteps, over_budget
from lao.agents.toolbox import Toolbox
from lao.config.settings import AttemptSettings, ModelSettings
from lao.core.chat import Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.llm.tokens import clip

DRAFT, REPAIR, FRESH, CANDIDATES, CROSS, CLIMB = "draft", "repair", "fresh", "candidates", "cross", "climb"

DRAFT_TEMPERATURE: Final = 0.2
FRESH_TEMPERATURE: Final = 0.5
TEMPERATURES: Final = (0.6, 0.8, 1.0, 0.8)
"""Of the candidates, in turn: the same prompt at the same temperature gives a weak model's same mistake again."""

REPAIR_TEMPERATURES: Final = (0.3, 0.7)
CLIMB_TEMPERATURES: Final = (0.5, 0.8, 1.0)
"""Higher: at a low one a weak model gives back the version that it is shown."""

_IN_VAIN: Final = 3
"""Rounds of climbing without a gain that end it."""

_CROSSINGS: Final = 12
"""Checks that are spent on crossing candidates: about as long as one more sample takes."""

_WORTH: Final = 0.5
"""Score from which a candidate is worth being worked on; below, another sample is better."""

_RUNS: Final = 0.3
"""Score above which a part of the checks passed."""
_LESSON: Final = 160
_RECENT: Final = 4


class Bench(Protocol):
    """Where attempts are made: it judges what is in the folder and undoes it. Every call is a step of the journal."""

    def before(self) -> Checked:
        """How the task's checks stand before anything is changed."""
        ...

    def check(self, label: str, seen: Collection[str] = ()) -> Checked:
        """Run the task's checks on the files as they are; not again on code whose signature is in ``seen``."""
        ...

    def place(self, label: str, files: Files) -> None:
        """Write an earlier candidate's files, so that it can be worked on."""
        ...

    def restore(self, label: str) -> None:
        """Bring the folder back to what it was before the attempt."""
        ...


@dataclass(frozen=True)
class Solved:
    """An attempt whose checks pass. ``rung`` is the one that did it; ``round`` counts all rounds of the task."""

    result: CoderResult
    rung: str
    round: int
    turns: int


class Unsolved(AttemptFailed):
    """No round of this attempt passed the checks; the folder is as it was before."""


class Attempt:
    """One attempt at one task.

    Args:
        settings: the coder's; sampling and protocol are varied from here.
        number: 1 for the first attempt.
        start_rung: the way of asking to begin with, where the model has tools (``lao.core.profile.RUNGS``).
    """

    def __init__(
        self,
        brief: CoderBrief,
        *,
        model: Model,
        settings: ModelSettings,
        limits: AttemptSettings,
        steps: Steps,
        toolbox: Toolbox,
        bench: Bench,
        ladder: Ladder,
        number: int,
        max_turns: int,
        start_rung: str = "native",
        compaction: Compaction = DEFAULT,
    ) -> None:
        self._brief, self._model, self._settings, self._limits = brief, model, settings, limits
        self._steps = MeteredSteps(steps, ladder)
        self._toolbox, self._bench, self._ladder = toolbox, bench, ladder
        self._number, self._max_turns, self._start_rung = number, max_turns, start_rung
        self._compaction = compaction
        self._turns = 0
        self._round = 0

    def run(self) -> Solved:
        """Go through the rounds of this attempt's rung.

        Raises:
            Unsolved: kind "checks_failed", or the named class of the last answer when no round gave any code.
            Transient, Terminal: what the model raises.
        """
        self._ladder.fresh_code = False
        rounds = {1: self._draft, 2: self._fresh}.get(self._number, self._candidates)
        solved = rounds()
        if solved is not None:
            return solved
        last = self._ladder.last
        why = last.focus or last.text if last else "no time left for another round"
        name = f"task {self._brief.task.title!r}: "
        raise Unsolved(
            name + why.removeprefix(name),  # what failed to give any code names the task itself
            kind=last.failure if last and last.score < 0 else "checks_failed",
        )

    def _draft(self) -> Solved | None:
        before = self._bench.before()
        # What fails in code that runs tells more than the task; a stub or a missing file tells nothing.
        hints = (f"Its checks fail now:\n{before.text}",) if before.score > _RUNS and before.text else ()
        brief = replace(self._brief, hints=hints)
        solved, checked = self._try(brief, sampled(self._settings, DRAFT_TEMPERATURE, 0), DRAFT)
        return solved or self._repair(checked, self._limits.repairs)

    def _fresh(self) -> Solved | None:
        last = self._ladder.last
        lesson = clip(last.focus or last.text, _LESSON) if last else ""
        settings = other_way(self._settings, FRESH_TEMPERATURE)
        solved, checked = self._try(replace(self._brief, lesson=lesson, plain=True), settings, FRESH)
        near = checked is not None and checked.score >= _WORTH
        return solved or self._repair(checked, min(1, self._limits.repairs) if near else 0)

    def _candidates(self) -> Solved | None:
        for number in range(self._limits.candidates):
            temperature = TEMPERATURES[number % len(TEMPERATURES)]
            settings = sampled(self._settings, temperature, number + 100 * self._number)
            # Half of them asked in another form; the halves are in turn, so that the server's prompt cache serves each.
            plain = (number < self._limits.candidates / 2) == bool(self._number % 2)
            solved, checked = self._try(replace(self._brief, plain=plain), settings, CANDIDATES)
            if solved is not None:
                return solved
            if checked is None:
                return None
            self._undo()
        return self._cross() or self._climb()

    def _cross(self) -> Solved | None:
        """Exchange single functions or the constants between the candidates near the best; asks no model."""
        tried: set[Files] = set()
        spent, height = 0, -1.0
        made: Iterator[Files] = iter(())
        while spent < _CROSSINGS:
            if self._ladder.pool and self._ladder.pool[0][0] > height:  # a better one: go on from there
                height = self._ladder.pool[0][0]
                made = offspring(tuple(self._ladder.pool))
            files = next((f for f in made if f not in tried), None)
            if files is None or self._over():
                break
            tried.add(files)
            self._round += 1
            started = self._ladder.seconds
            self._bench.place(f"{CROSS}-{self._round}", files)
            checked = self._bench.check(f"{CROSS}-{self._round}", self._ladder.seen)
            if checked.failure == REPEATED:
                self._undo()
                continue
            spent += 1
            self._note(checked, self._settings, CROSS, started)
            if checked.passed:
                made_of = "put together from the functions of several candidates"
                return self._solved(CoderResult(made_of, tuple(path for path, _ in files), 0, "text"), CROSS)
            self._undo()
        return None

    def _solved(self, result: CoderResult, rung: str) -> Solved:
        self._ladder.solved = rung
        return Solved(result, rung, len(self._ladder.rounds), self._turns)

    def _climb(self) -> Solved | None:
        """Work on the best candidate as long as it gets better: mostly by a short prompt with it and its failure."""
        if self._ladder.best is None or self._ladder.best.score < _WORTH or not self._limits.repairs:
            return None
        in_vain = number = 0
        while in_vain < _IN_VAIN:
            temperature = CLIMB_TEMPERATURES[number % len(CLIMB_TEMPERATURES)]
            settings = sampled(self._settings, temperature, number + 100 * self._number)
            before = self._ladder.best
            self._bench.place(f"{CLIMB}-{number}", before.files)
            brief = replace(self._mending(before), plain=number % _IN_VAIN != _IN_VAIN - 1)
            solved, checked = self._try(brief, settings, CLIMB)
            if solved is not None:
                return solved
            if checked is None:
                return None
            self._undo()
            in_vain = 0 if checked.score > before.score else in_vain + 1
            number += 1
        return None

    def _repair(self, checked: Checked | None, rounds: int) -> Solved | None:
        """Answer the failure with its real output; the same code, the same failure or no gain ends it."""
        for number in range(rounds):
            if checked is None or not checked.files:
                break
            settings = sampled(self._settings, REPAIR_TEMPERATURES[number % len(REPAIR_TEMPERATURES)], number + 1)
            before = checked
            brief = replace(self._mending(before), plain=number == 0 and before.score >= _WORTH)
            solved, checked = self._try(brief, settings, REPAIR)
            if solved is not None:
                return solved
            if checked is None or checked.code == before.code or checked.failure == before.failure:
                break
            if 0 < checked.score <= before.score:  # another sample is worth more than the same mistake in other words
                break
        self._undo()
        return None

    def _mending(self, checked: Checked) -> CoderBrief:
        return replace(self._brief, previous=checked.files, feedback=(checked.text,), focus=checked.focus, lesson="")

    def _try(self, brief: CoderBrief, settings: ModelSettings, rung: str) -> tuple[Solved | None, Checked | None]:
        """One round: write, check. (None, None) when the budget is used up."""
        if self._over():
            return None, None
        self._round += 1
        started = self._ladder.seconds
        label = f"{rung}-{self._round}"
        try:
            result = write_code(
                brief,
                model=self._model,
                settings=settings,
                steps=self._steps,
                toolbox=self._toolbox,
                max_turns=self._max_turns,
                start_rung=self._start_rung,
                compaction=self._compaction,
                corrections=0 if rung == CANDIDATES and len(brief.task.file_paths) == 1 else CORRECTIONS,
            )
            self._turns += result.turns
            checked = self._bench.check(label, self._ladder.seen)
        except AttemptFailed as error:
            if isinstance(error, Unsolved) or error.kind in _ENDING:
                raise
            result = None
            checked = Checked(False, -1.0, error.message, error.message, error.kind)
        self._note(checked, settings, rung, started)
        if result is not None and checked.passed:
            return self._solved(result, rung), checked
        return None, checked

    def _note(self, checked: Checked, settings: ModelSettings, rung: str, started: float) -> None:
        ladder = self._ladder
        ladder.seconds += checked.seconds
        ladder.rounds.append(
            {
                "attempt": self._number,
                "rung": rung,
                "passed": checked.passed,
                "score": round(checked.score, 3),
                "temperature": None if rung == CROSS else settings.temperature,
                "protocol": "" if rung == CROSS else "tools" if settings.supports_tools else settings.edit_format,
                "focus": checked.focus[:200],
                "seconds": round(ladder.seconds - started, 2),
            }
        )
        if checked.passed:
            return
        ladder.keep(checked)
        ladder.last = checked
        if checked.code and checked.code not in ladder.seen:
            ladder.seen.append(checked.code)
            ladder.fresh_code = True
        if checked.files and (ladder.best is None or checked.score > ladder.best.score):
            ladder.best = checked

    def _undo(self) -> None:
        self._bench.restore(f"undo-{self._round}")

    def _over(self) -> bool:
        """Whether another round would break the budget, judged by the longest of the last ones."""
        last = [entry["seconds"] for entry in self._ladder.rounds[-_RECENT:]]
        return over_budget(self._ladder, self._limits, reserve_s=max(last, default=0.0))


_ENDING: Final = frozenset({"context_overflow", "head_moved"})
"""Failures that no other sample mends."""


def sampled(settings: ModelSettings, temperature: float, number: int) -> ModelSettings:
    """Settings for an independent sample: what the user fixed stays, but two samples never share a seed."""
    return replace(
        settings,
        temperature=settings.temperature if settings.temperature is not None else temperature,
        seed=None if settings.seed is None else settings.seed + number,
    )


def other_way(settings: ModelSettings, temperature: float) -> ModelSettings:
    """Settings for a fresh try in another form: text instead of tools, whole files instead of edits."""
    fresh = sampled(settings, temperature, 1)
    if settings.supports_tools:
        return replace(fresh, supports_tools=False)
    return replace(fresh, edit_format="whole") if settings.edit_format in ("search_replace", "patch") else fresh
