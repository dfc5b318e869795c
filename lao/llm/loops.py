"""Notices a model that makes the same tool calls over and over. Answers nothing and ends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from lao.core.words import Json
from lao.llm.failures import Failure

_SAME = 3
_GROWING = 3
_PERIODS = (2, 3)


@dataclass(frozen=True)
class Loop:
    """``over``: the model was told and goes on all the same. ``count``: how often the same came."""

    failure: Failure
    count: int
    over: bool


@dataclass
class CallLoops:
    """The calls of one attempt so far."""

    _prints: list[str] = field(default_factory=list)
    _last: tuple[str, dict[str, Json]] = ("", {})
    _added: str = ""
    _grown: int = 0

    def take(self, name: str, arguments: dict[str, Json] | None, raw: str = "") -> Loop | None:
        """Note one call, as it was asked for; what loop it is part of, or None."""
        self._prints.append(json.dumps([name, raw if arguments is None else arguments], sort_keys=True, default=str))
        same = self._run_of(1)
        if same >= _SAME:
            return Loop(Failure.LOOP_SAME, same, same > _SAME)
        for period in _PERIODS:
            turns = self._run_of(period) // period
            if same == 1 and turns >= 2:
                return Loop(Failure.LOOP_ALTERNATING, turns, turns > 2)
        self._grow(name, arguments or {})
        if self._grown >= _GROWING:
            return Loop(Failure.LOOP_GROWING, self._grown, self._grown > _GROWING)
        return None

    def _run_of(self, period: int) -> int:
        """How many of the last calls repeat with ``period``."""
        n = period
        while n < len(self._prints) and self._prints[-n - 1] == self._prints[-n - 1 + period]:
            n += 1
        return n

    def _grow(self, name: str, arguments: dict[str, Json]) -> None:
        """Count calls in a row in which one text got the same piece appended again."""
        before_name, before = self._last
        self._last = (name, arguments)
        differing = [k for k in arguments if before.get(k) != arguments[k]]
        added = ""
        if name == before_name and set(before) == set(arguments) and len(differing) == 1:
            old, new = before[differing[0]], arguments[differing[0]]
            if isinstance(old, str) and isinstance(new, str) and old and new.startswith(old):
                added = new[len(old) :]
        self._grown = self._grown + 1 if added and added == self._added else int(bool(added))
        self._added = added
