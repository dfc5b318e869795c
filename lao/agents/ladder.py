"""What a task's tries have used and found: results of checks, the ladder's notes, the budget. Decides no next step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from lao.config.settings import AttemptSettings
from lao.core.steps import Effect, StepKind, Steps
from lao.core.words import Json

Files = tuple[tuple[str, str], ...]
"""(path, content) of a candidate's files."""

_POOL = 12
REPEATED = "repeated"
"""The failure of code that was checked before and is not checked again."""


@dataclass(frozen=True)
class Checked:
    """What the harness found out about the files as they are.

    Attributes:
        passed: nothing stands against the work.
        score: to rank candidates, larger is better.
        text: the useful part of what failed, for the model.
        focus: the first failing check, in a line.
        failure: a signature of the failure; equal ones are the same failure.
        code: a signature of the task's files.
        seconds: that the checks took.
    """

    passed: bool
    score: float = 0.0
    text: str = ""
    focus: str = ""
    failure: str = ""
    code: str = ""
    seconds: float = 0.0
    files: Files = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Checked:
        return cls(**{**data, "files": tuple((p, c) for p, c in data["files"])})

    def to_json(self) -> dict[str, Json]:
        return {**asdict(self), "files": [list(f) for f in self.files]}


@dataclass
class Ladder:
    """What a task's attempts have used and found so far; kept with the task between attempts.

    Attributes:
        rounds: one entry a round: rung, temperature, format, score, focus.
        best: the best candidate that failed.
        seen: signatures of code that was checked already.
        fresh_code: whether the last attempt came up with code that was not there before.
        base: attempts before the present set of attempts.
        split, idle: the task was split; it is tried on only while the GPU has nothing else to do.
        pool: files of candidates of which a part of the checks passed, the best first (score, files).
        solved: the rung whose code passed the checks.
    """

    seconds: float = 0.0
    tokens: int = 0
    rounds: list[dict[str, Json]] = field(default_factory=list)
    best: Checked | None = None
    last: Checked | None = None
    seen: list[str] = field(default_factory=list)
    fresh_code: bool = True
    base: int = 0
    split: bool = False
    idle: bool = False
    solved: str = ""
    pool: list[tuple[float, Files]] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Ladder:
        given = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        for name in ("best", "last"):
            given[name] = Checked.from_json(given[name]) if given.get(name) else None
        given["pool"] = [(score, tuple((p, c) for p, c in files)) for score, files in given.get("pool", ())]
        return cls(**given)

    def to_json(self) -> dict[str, Json]:
        return {
            "seconds": round(self.seconds, 2),
            "tokens": self.tokens,
            "rounds": self.rounds,
            "best": self.best.to_json() if self.best else None,
            "last": self.last.to_json() if self.last else None,
            "seen": self.seen,
            "fresh_code": self.fresh_code,
            "base": self.base,
            "split": self.split,
            "idle": self.idle,
            "solved": self.solved,
            "pool": [[score, [list(f) for f in files]] for score, files in self.pool],
        }

    def keep(self, checked: Checked) -> None:
        """Keep a candidate whose parts may be of use; of too many the worst is dropped."""
        if checked.files and checked.score > 0 and (checked.score, checked.files) not in self.pool:
            self.pool.append((checked.score, checked.files))
            self.pool.sort(key=lambda kept: -kept[0])
            del self.pool[_POOL:]

    def diagnosis(self) -> str:
        """What was tried, what came nearest, what still fails; for the person who takes over."""
        counts: dict[str, int] = {}
        for entry in self.rounds:
            counts[entry["rung"]] = counts.get(entry["rung"], 0) + 1
        tried = ", ".join(f"{rung} {number}" for rung, number in counts.items())
        rounds = f"{len(self.rounds)} round{'' if len(self.rounds) == 1 else 's'}"
        text = f"not solved in {rounds} ({tried}), {self.seconds:.0f} s and {self.tokens} tokens"
        nearest = self.best or self.last
        if nearest is None:
            return text
        share = f" (score {nearest.score:.2f})" if nearest.score > 0 else ""
        return f"{text}; the nearest{share} fails: {nearest.focus or nearest.text[:200]}"


class MeteredSteps:
    """Steps that count what their model calls used, from the records, so that a resumed attempt counts the same."""

    def __init__(self, steps: Steps, ladder: Ladder) -> None:
        self._steps, self._ladder = steps, ladder

    def run(self, kind: StepKind, label: str, fn: Callable[[], Json]) -> Json:
        result = self._steps.run(kind, label, fn)
        if kind is StepKind.MODEL and "usage" in result:
            usage = result["usage"]
            self._ladder.tokens += usage["prompt"] - (usage["cached"] or 0) + usage["completion"]
            self._ladder.seconds += result["seconds"]
        return result

    def effect(self, label: str, effect: Effect) -> Json:
        return self._steps.effect(label, effect)


def over_budget(ladder: Ladder, limits: AttemptSettings, *, reserve_s: float = 0.0) -> bool:
    """Whether the task's time or tokens are used up."""
    late = limits.wall_s is not None and bool(ladder.rounds) and ladder.seconds + reserve_s >= limits.wall_s
    return late or (limits.tokens is not None and ladder.tokens >= limits.tokens)
