"""When a fault strikes: by its probability, reproducibly for a seed and a request's number; and how often it did."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lao.core.errors import BadInput
from lao.servers.simulated.faults.catalogue import CLASSES
from lao.servers.simulated.faults.forms import Act, Case, FaultClass
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, FaultRate


@dataclass(frozen=True)
class Strike:
    """A fault that struck a chat: its class's code and what the server does."""

    code: str
    act: Act


class Faults:
    """The rates in force. Thread-safe.

    Whether a class strikes the n-th request depends on the seed, the class and n only, so that a run without
    concurrent requests can be repeated exactly.
    """

    def __init__(self, rates: Sequence[FaultRate], seed: int, small_context: int) -> None:
        self._lock = threading.Lock()
        self._small_context = small_context
        self._struck: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._used: Counter[int] = Counter()
        self.set(rates, seed)

    def set(self, rates: Sequence[FaultRate], seed: int) -> None:
        """Other rates from now on; the counts of strikes stay.

        Raises:
            BadInput: an unknown class, or a form that it does not have.
        """
        for rate in rates:
            check(rate)
        with self._lock:
            self._rates, self._seed = tuple(rates), seed
            self._used.clear()

    @property
    def struck(self) -> dict[str, int]:
        """How often each class struck so far."""
        with self._lock:
            return dict(self._struck)

    def on_chat(self, request: SimRequest, answer: Answer, number: int, *, crowded: bool) -> Strike | None:
        """What strikes this chat; the first rate that does wins."""
        for index, rate in enumerate(self._rates):
            found = CLASSES[rate.code]
            if found.place != "chat" or not _is_for(rate, request):
                continue
            dice = self._dice(rate, number)
            if dice.random() >= rate.probability:
                continue
            case = Case(request, answer, dice, self._small_context, crowded)
            act = _act(found, rate, case)
            if act is not None and self._count(index, rate):
                return Strike(rate.code, act)
        return None

    @property
    def rates(self) -> tuple[FaultRate, ...]:
        return self._rates

    def on(self, place: str, role: str = "") -> str:
        """The code of the class that strikes at a ``place`` other than a chat's answer, or ""."""
        with self._lock:
            self._seen[place] += 1
            number = self._seen[place]
        for index, rate in enumerate(self._rates):
            wanted = CLASSES[rate.code].place == place and rate.role in (None, role)
            if wanted and self._dice(rate, number).random() < rate.probability and self._count(index, rate):
                return rate.code
        return ""

    def _dice(self, rate: FaultRate, number: int) -> random.Random:
        return random.Random(f"{self._seed}:{rate.code}:{number}")  # noqa: S311 - reproducible, not secret

    def _count(self, index: int, rate: FaultRate) -> bool:
        with self._lock:
            if rate.times is not None and self._used[index] >= rate.times:
                return False
            self._used[index] += 1
            self._struck[rate.code] += 1
            return True


def check(rate: FaultRate) -> None:
    """Whether there is such a class with such a form.

    Raises:
        BadInput: there is not.
    """
    found = CLASSES.get(rate.code)
    if found is None:
        raise BadInput(f"there is no class of faults {rate.code!r}", f"the classes are {', '.join(CLASSES)}")
    if rate.form is not None and rate.form >= len(found.forms):
        raise BadInput(f"fault {rate.code!r} has {len(found.forms)} forms, none with the number {rate.form}")


def _is_for(rate: FaultRate, request: SimRequest) -> bool:
    return rate.role in (None, request.role) and (rate.contains is None or rate.contains in request.all_text)


def _act(found: FaultClass, rate: FaultRate, case: Case) -> Act | None:
    """The form that the dice choose, or the next one that the request gives occasion for."""
    if rate.form is not None:
        return found.forms[rate.form](case)
    first = case.dice.randrange(len(found.forms))
    for doing in (*found.forms[first:], *found.forms[:first]):
        act = doing(case)
        if act is not None:
            return act
    return None
