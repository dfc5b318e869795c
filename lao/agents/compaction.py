"""When a coding conversation is shortened, how far, and when the attempt ends instead. The shortening: lao.llm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lao.agents.ask import request
from lao.agents.prompt import load
from lao.core.errors import AttemptFailed
from lao.core.steps import StepKind
from lao.core.words import Event
from lao.llm.clean import clean
from lao.llm.tokens import clip

if TYPE_CHECKING:
    from lao.agents.coder_session import Session

CONTEXT_FULL: Final = "context_full"
"""Kind of the failure of an attempt whose conversation cannot be shortened any more; the next one begins afresh."""

_GOAL: Final = 0.75
"""Of the size at which a conversation is shortened: below it a next time is some turns away."""

_STUCK: Final = 3
_SUMMARY_TOKENS: Final = 600
_SUMMARIES: Final = 2
_WORTH: Final = 0.2
"""Share of the conversation that a summary must be able to replace."""


@dataclass(frozen=True)
class Compaction:
    """The user's settings: ``at`` is the share of the context, ``keep_recent`` counts messages; ``asked`` gets the size
    of a conversation and what it may have, in tokens, before it is shortened, and says why it may not be, or ""."""

    enabled: bool = True
    at: float = 0.8
    keep_recent: int = 8
    asked: Callable[[int, int], str] | None = None


DEFAULT: Final = Compaction()


@dataclass
class Room:
    """What was shortened in one conversation. ``stuck``: how often in a row that freed too little; then it
    is not tried again before the window is full, and after three times the attempt ends."""

    settings: Compaction = DEFAULT
    summaries: int = 0
    stuck: int = 0
    questions: int = 0

    def make(self, session: Session, limit: int) -> None:
        """Before a turn: shorten the conversation when it is too long, within ``limit`` tokens in any case.

        Raises:
            AttemptFailed: kind "context_overflow" when the first message does not fit, "context_full" when later on
                nothing more can be shortened, or a hook does not let it be and the window is full.
        """
        talk, tools = session.conversation, session.tools
        context = session.model.scale.allowed(session.settings.context_length)
        trigger = min(limit, int(context * self.settings.at))
        size = talk.size(tools)
        first = not session.turns
        if size <= trigger or (self.stuck and size <= limit):
            return
        changes = not first and (self.settings.enabled or size > limit)
        refused = self._refused(session, size, limit) if changes else ""
        if refused and size <= limit:
            return
        if refused:
            fits, self.stuck = False, _STUCK
        elif first or not self.settings.enabled:
            fits = talk.fit(limit, tools)
        else:
            how = self._shorten(session, trigger)
            fits = talk.fit(limit, tools)
            after = talk.size(tools)
            self.stuck = self.stuck + 1 if after > trigger else 0
            text = (
                f"the conversation about task {session.brief.task.title!r} was shortened from {size} to {after} tokens"
            )
            data = {"before": size, "after": after, "how": how}
            session.model.note(Event("model.compaction", f"{text} ({how})", data))
        if fits and self.stuck < _STUCK:
            return
        raise AttemptFailed(
            f"the conversation about task {session.brief.task.title!r} does not fit {limit} tokens"
            + (f", and {refused}" if refused else "" if first else ", and nothing more can be left out of it"),
            "Raise context_length of the coder, or split the task.",
            kind="context_overflow" if first else CONTEXT_FULL,
        )

    def _refused(self, session: Session, size: int, limit: int) -> str:
        """What the user's hooks say, in a step of its own, so that a resumed run asks nobody twice."""
        ask = self.settings.asked
        if ask is None:
            return ""
        self.questions += 1
        said = session.steps.run(StepKind.READ, f"compact-{self.questions}:before", lambda: ask(size, limit))
        if said:
            text = f"the conversation about task {session.brief.task.title!r} stays at {size} tokens: {said}"
            data = {"before": size, "after": size, "how": "refused"}
            session.model.note(Event("model.compaction", text, data))
        return str(said or "")

    def _shorten(self, session: Session, trigger: int) -> str:
        """Old outputs first, then a summary by the model, then also the newer outputs; what was done, in words."""
        talk, tools, keep = session.conversation, session.tools, self.settings.keep_recent
        goal = int(trigger * _GOAL)
        talk.compact(keep)
        if talk.size(tools) <= goal:
            return "old outputs"
        how = "old outputs"
        if self.summaries < _SUMMARIES and self._summarise(session, trigger, keep):
            how = "a summary"
        for fewer in (keep // 2, 2):
            if talk.size(tools) <= trigger:
                break
            if fewer < keep:
                talk.compact(fewer)
                how = "also newer outputs"
        return how

    def _summarise(self, session: Session, trigger: int, keep: int) -> bool:
        """One call for a summary of what lies between the task and the latest messages; False when it gains nothing."""
        talk = session.conversation
        text = talk.transcript(keep)
        if talk.instructed(keep) or len(text) < _WORTH * sum(len(str(m["content"])) for m in talk.messages):
            return False
        self.summaries += 1
        messages = [
            {"role": "system", "content": load("coder_compact")},
            {"role": "user", "content": clip(text, trigger // 2)},
        ]
        try:
            answer = session.model.complete(replace(request(session.settings, messages), max_tokens=_SUMMARY_TOKENS))
        except AttemptFailed:  # recorded as any answer; without a summary the conversation is shortened otherwise
            return False
        summary = clip(clean(answer.text).strip(), _SUMMARY_TOKENS)
        failed = talk.failed_calls(keep)
        if not summary:
            return False
        told = "\n".join((f"What I have done so far:\n{summary}", *failed))
        talk.replace_middle(keep, told, load("coder_compact_go_on"))
        return True
