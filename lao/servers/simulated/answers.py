"""Which answer and which fault a request gets: the scenario's rules first, the scripted roles else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from lao.servers.simulated import scripted_roles
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, Fault, Match, Rule


class _Use:
    """A rule with how often it matched and how often it was used."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.matched = self.used = 0


class Script:
    """Counts the rules' matches and uses; thread-safe."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._lock = threading.Lock()
        self._rules = [_Use(rule) for rule in rules]
        self._interposed: list[_Use] = []
        self._struck: Counter[str] = Counter()

    def interpose(self, rules: Iterable[Rule]) -> None:
        """Let these rules come before the scenario's from the next request on; () takes them away again."""
        with self._lock:
            self._interposed = [_Use(rule) for rule in rules]

    @property
    def struck(self) -> dict[str, int]:
        """How often which kind of fault struck through an interposed rule."""
        with self._lock:
            return dict(self._struck)

    def choose(self, request: SimRequest) -> tuple[Answer, Fault | None]:
        """The answer, and the fault that acts on it."""
        rule = self._first(request)
        answer = rule.answer if rule is not None else None
        return answer or scripted_roles.answer(request), rule.fault if rule is not None else None

    def fault(self, path: str, body: dict[str, object]) -> Fault | None:
        """The fault of a request that is no chat."""
        rule = self._first(SimRequest(path, body))
        return rule.fault if rule is not None else None

    def _first(self, request: SimRequest) -> Rule | None:
        with self._lock:
            for use in (*self._interposed, *self._rules):
                rule = use.rule
                if rule.times is not None and use.used >= rule.times:
                    continue
                if not matches(rule.match, request):
                    continue
                use.matched += 1
                if rule.match.nth is not None and use.matched != rule.match.nth:
                    continue
                use.used += 1
                if use in self._interposed and rule.fault is not None:
                    self._struck[rule.fault.kind] += 1
                return rule
        return None


def matches(match: Match, request: SimRequest) -> bool:
    """Whether everything but ``nth`` holds."""
    if match.path != request.path:
        return False
    if match.model not in (None, request.model) or match.role not in (None, request.role):
        return False
    if match.schema not in (None, request.schema is not None) or match.tools not in (None, bool(request.tools)):
        return False
    text = request.all_text if match.anywhere else request.last_user_text
    if not all(part in text for part in match.contains):
        return False
    return not match.contains_any or any(part in text for part in match.contains_any)
