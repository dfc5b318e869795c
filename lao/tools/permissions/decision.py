"""What was decided about a call, and by what. Plain records; ``policy.py`` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """ALLOW: it runs. ASK: a person must say yes first. DENY: it does not run, and the model is told why."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True)
class Judged:
    """One part of a call (a simple command, a redirection, a path).

    Attributes:
        what: the part, as a person would write it.
        by: what decided: a rule with its place, "built-in", "mode confirm", "plan mode", "reads only".
        reason: for the model; "" where it is allowed.
        remember: the rule that would allow exactly this part from now on; "" when there is none.
    """

    what: str
    verdict: Verdict
    by: str
    reason: str = ""
    remember: str = ""


@dataclass(frozen=True)
class Decision:
    """The strictest of what was decided about the parts of a call; ``by`` and ``reason`` are that part's."""

    verdict: Verdict
    by: str
    reason: str = ""
    parts: tuple[Judged, ...] = ()

    @property
    def remember(self) -> tuple[str, ...]:
        """The rules with which the call would not be asked again; () when there are no such rules."""
        asked = [part for part in self.parts if part.verdict is Verdict.ASK]
        if any(not part.remember for part in asked):
            return ()
        return tuple(dict.fromkeys(part.remember for part in asked))


def strictest(parts: tuple[Judged, ...]) -> Decision:
    """The decision about a call with these parts; without any it is allowed."""
    for verdict in (Verdict.DENY, Verdict.ASK):
        found = [part for part in parts if part.verdict is verdict]
        if found:  # a rule or a built-in denial says more than a mode
            one = next((part for part in found if not part.by.startswith("mode ")), found[0])
            return Decision(verdict, one.by, one.reason, parts)
    return Decision(Verdict.ALLOW, parts[0].by if parts else "nothing to run", "", parts)
