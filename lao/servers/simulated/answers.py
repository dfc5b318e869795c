"""Which answer and which fault a request gets: the scenario's rules first, the scripted roles else."""

from __future__ import annotations

import threading
from collections import Counter

from lao.servers.simulated import scripted_roles
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import Answer, Fault, Match, Rule


class Script:
    """Counts the rules' matches and uses; thread-safe."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._matched: Counter[int] = Counter()
        self._used: Counter[int] = Counter()

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
            for index, rule in enumerate(self._rules):
                if rule.times is not None and self._used[index] >= rule.times:
                    continue
                if not matches(rule.match, request):
                    continue
                self._matched[index] += 1
                if rule.match.nth is not None and self._matched[index] != rule.match.nth:
                    continue
                self._used[index] += 1
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
