"""What the GPU does next: as much as possible with the resident model, then the swap that serves most work.

With two models, doing everything that the resident one can do before each swap is the least number of swaps; no other
order saves one. That is why a swap also waits for what the cpu queue is about to hand over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """The waiting messages of one task name. ``first`` is the id of the oldest."""

    name: str
    first: int
    count: int


@dataclass(frozen=True)
class Limits:
    """Bounds in seconds: how long the GPU may idle to save a swap, and how long a line may wait for its model."""

    patience_s: float = 20.0
    longest_wait_s: float = 3600.0


class Affinity:
    """Chooses the line that the GPU serves next.

    Every line gets a turn within ``longest_wait_s``, the phase at work and one phase for each other line; a turn goes
    on until the line is empty or another one has waited that long. A message of a phase without a model goes first
    and changes nothing.

    Args:
        model_of: maps a task name to the key of the model that it needs, "" when it needs none.
        wave_of: maps a task name to the most phases in a row while other models have work (None: no bound).
        resident: the model that was loaded last, asked once, at the first choice.
        fed: whether the cpu queue works on something that may bring work for this model.
        limits: asked at every choice.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        model_of: Callable[[str], str],
        wave_of: Callable[[str], int | None],
        resident: Callable[[], str] = lambda: "",
        fed: Callable[[str], bool] = lambda _model: False,
        limits: Callable[[], Limits] = Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model_of, self._wave_of, self._ask_resident = model_of, wave_of, resident
        self._fed, self._limits, self._clock = fed, limits, clock
        self._resident: str | None = None
        self._streak = 0
        self._idle_since: float | None = None
        self._heads: dict[str, tuple[int, float]] = {}

    def model_of(self, name: str) -> str:
        """The key of the model that a task of this name needs, "" when it needs none."""
        return self._model_of(name)

    def turned_to(self, model: str) -> None:
        """Another model is resident than the one that was chosen last."""
        if model != self._resident:
            self._resident, self._streak, self._idle_since = model, 0, None

    def choose(self, lines: Sequence[Line], may: Callable[[str], bool] = lambda _model: True) -> Line | None:
        """The line whose oldest message is next; None to wait a moment and ask again.

        Args:
            may: asked last: whether a phase of this model may begin now; one that may not holds up the others.
        """
        if self._resident is None:
            self._resident = self._ask_resident()
        now, limits = self._clock(), self._limits()
        models = {line.name: self._model_of(line.name) for line in lines}
        modelless = [line for line in lines if not models[line.name]]
        if modelless:
            return min(modelless, key=lambda line: line.first)
        self._note_heads(lines, now)
        mine = [line for line in lines if models[line.name] == self._resident]
        others = [line for line in lines if models[line.name] != self._resident]
        late = self._late(others, now - limits.longest_wait_s)
        if mine and late is None and not (others and self._wave_is_over(mine)):
            if not may(self._resident):
                return None
            self._idle_since = None
            self._streak += 1
            return min(mine, key=lambda line: line.first)
        if late is None and not mine and self._better_wait(now, limits.patience_s):
            return None
        line = late or self._longest(others or list(lines), models)
        if not may(models[line.name]):
            return None
        self._resident, self._streak, self._idle_since = models[line.name], 1, None
        return line

    def too_long(self, waited_s: float) -> bool:
        """Whether somebody has waited as long as anything may wait for its model."""
        return waited_s > self._limits().longest_wait_s

    def _note_heads(self, lines: Sequence[Line], now: float) -> None:
        """Since when the oldest message of each line has been the oldest."""
        known = self._heads
        self._heads = {}
        for line in lines:
            first, since = known.get(line.name, (line.first, now))
            self._heads[line.name] = (line.first, since if first == line.first else now)

    def _late(self, lines: Sequence[Line], before: float) -> Line | None:
        waited = [(self._heads[line.name][1], line.first, line) for line in lines]
        since, _, line = min(waited, default=(before + 1, 0, None))
        return line if since <= before else None

    def _wave_is_over(self, mine: Sequence[Line]) -> bool:
        limit = self._wave_of(min(mine, key=lambda line: line.first).name)
        return limit is not None and self._streak >= limit

    def _better_wait(self, now: float, patience_s: float) -> bool:
        """Whether more work for the resident model may come before a swap would have paid."""
        if not self._resident or not self._fed(self._resident):
            return False
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since < patience_s

    @staticmethod
    def _longest(lines: Sequence[Line], models: dict[str, str]) -> Line:
        """The oldest line of the model with the most messages; of equals the one that waits longest."""
        of_model: dict[str, list[Line]] = {}
        for line in lines:
            of_model.setdefault(models[line.name], []).append(line)
        best = max(of_model.values(), key=lambda group: (sum(x.count for x in group), -min(x.first for x in group)))
        return min(best, key=lambda line: line.first)
