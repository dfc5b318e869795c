"""What the Pilot's model is shown of earlier turns: the newest as they were, older ones as a line each. Pure functions.

No model is asked for a summary: a digest costs nothing, holds up no phase, and invents nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lao.core.states import TurnState
from lao.llm.tokens import clip, estimate

_QUESTION, _ANSWER = 120, 240
_DIGEST_TOKENS: Final = 600
_LONGEST: Final = 3
"""One turn may take a third of what there is for all."""


class Said(Protocol):
    """A turn as ``lao.state.chats.Turn`` has it."""

    @property
    def question(self) -> str: ...

    @property
    def answer(self) -> str: ...

    @property
    def error(self) -> str: ...

    @property
    def state(self) -> TurnState: ...

    @property
    def tools(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Shown:
    """Earlier turns for a prompt: ``digest`` of the older ones ("" when there are none), then (question, answer)."""

    digest: str
    pairs: tuple[tuple[str, str], ...]


def digest(before: str, turns: Sequence[Said]) -> str:
    """A line for each turn after what stood there before, the oldest left out when it becomes long."""
    lines = [*before.splitlines(), *map(_line, turns)]
    while len(lines) > 1 and estimate("\n".join(lines)) > _DIGEST_TOKENS:
        del lines[0]
    return clip("\n".join(lines), _DIGEST_TOKENS)


def shown(summary: str, turns: Sequence[Said], budget: int) -> Shown:
    """As many of the newest turns as ``budget`` tokens hold; what does not fit goes into the digest."""
    pairs: list[tuple[str, str]] = []
    left = budget - estimate(summary)
    kept = 0
    for turn in reversed(turns):
        pair = (clip(turn.question, budget // _LONGEST), clip(_answered(turn), budget // _LONGEST))
        cost = sum(map(estimate, pair))
        if cost > left:
            break
        left -= cost
        kept += 1
        pairs.insert(0, pair)
    older = turns[: len(turns) - kept]
    return Shown(digest(summary, older) if older else summary, tuple(pairs))


def _answered(turn: Said) -> str:
    tools = f"[looked up: {'; '.join(turn.tools)}]\n" if turn.tools else ""
    if turn.state is TurnState.FAILED:
        return f"{tools}{turn.answer}\n[no answer: {turn.error}]".strip()
    cut = "\n[interrupted by the person]" if turn.state is TurnState.INTERRUPTED else ""
    return f"{tools}{turn.answer}{cut}".strip() or "(no answer)"


def _line(turn: Said) -> str:
    question, answer = " ".join(turn.question.split()), " ".join((turn.answer or turn.error).split())
    did = f"; did: {', '.join(turn.tools)[:_QUESTION]}" if turn.tools else ""
    return f"- asked: {question[:_QUESTION]}{did}; answered: {answer[:_ANSWER] or 'nothing'}"
