"""The coder: one task in, changed files out, by tools or by the text protocol. Verifies nothing itself."""

from __future__ import annotations

from dataclasses import dataclass

from lao.agents import coder_plain, coder_text, coder_tools
from lao.agents.ask import JournaledModel, completion_limit, prompt_limit
from lao.agents.coder_brief import EDIT_FORMATS, CoderBrief, system_prompt, user_message
from lao.agents.coder_session import Session
from lao.agents.compaction import DEFAULT, Compaction, Room
from lao.agents.prompt import load
from lao.agents.toolbox import Toolbox
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.steps import Steps
from lao.llm.conversation import Conversation
from lao.llm.faults import ContextOverflow
from lao.llm.tokens import estimate, estimate_messages

__all__ = ["CoderBrief", "CoderResult", "write_code"]


@dataclass(frozen=True)
class CoderResult:
    """What an attempt did.

    Attributes:
        summary: the model's closing words, or a line about the files.
        files: changed paths in the order of their first change.
        turns: model calls.
        protocol: "tools" or "text".
        rung: the way of asking that worked (``lao.core.profile.RUNGS``).
    """

    summary: str
    files: tuple[str, ...]
    turns: int
    protocol: str
    rung: str = ""


def write_code(
    brief: CoderBrief,
    *,
    model: Model,
    settings: ModelSettings,
    steps: Steps,
    toolbox: Toolbox,
    max_turns: int,
    start_rung: str = "native",
    corrections: int = coder_text.CORRECTIONS,
    compaction: Compaction = DEFAULT,
) -> CoderResult:
    """Let the model do the task of ``brief``.

    Args:
        corrections: how often a text answer that cannot be used is answered.
        compaction: when a long conversation is shortened.
        start_rung: the way of asking to begin with, where the model has tools.

    Raises:
        AttemptFailed: kinds "no_edit", "turn_limit", "loop", "truncated", "empty_answer", "context_overflow",
            "context_full", or what the model raises.
        Transient, Terminal: what the model raises.
    """
    asked = JournaledModel(model, steps, "turn", context=settings.context_length)
    limit = prompt_limit(settings)
    try:
        return _attempt(brief, asked, settings, steps, toolbox, max_turns, limit, start_rung, corrections, compaction)
    except ContextOverflow as error:
        # The window is smaller than configured. Once, with what the server says it has; nothing is written yet then.
        smaller = _real_limit(error, settings, limit)
        if asked.answered or smaller >= limit:
            raise
        return _attempt(brief, asked, settings, steps, toolbox, max_turns, smaller, start_rung, corrections, compaction)


def _real_limit(error: ContextOverflow, settings: ModelSettings, limit: int) -> int:
    if error.context:
        return error.context - min(completion_limit(settings), error.context // 2)
    return int(limit * 0.6)


def _attempt(
    brief: CoderBrief,
    model: JournaledModel,
    settings: ModelSettings,
    steps: Steps,
    toolbox: Toolbox,
    max_turns: int,
    limit: int,
    start_rung: str,
    corrections: int,
    compaction: Compaction,
) -> CoderResult:
    tools = toolbox.openai_specs() if settings.supports_tools else ()
    protocol = "tools" if tools else "text"

    def begin(shown: CoderBrief) -> Conversation:
        whole = not tools and settings.edit_format not in EDIT_FORMATS
        if shown.plain and whole and coder_plain.suits(shown):
            conversation = Conversation(load("coder_plain"))
            conversation.user(coder_plain.plain_message(shown, budget=int(limit * 0.85)))
            return conversation
        system = system_prompt(protocol, settings.edit_format)
        conversation = Conversation(system)
        budget = int((limit - estimate(system) - estimate_messages((), tools)) * 0.9)
        text = user_message(shown, budget=budget, protocol=protocol, edit_format=settings.edit_format)
        conversation.user(text)
        return conversation

    session = Session(brief, model, settings, steps, toolbox, begin(brief), tools, limit, begin, Room(compaction))
    if tools:
        summary = coder_tools.run(session, max_turns, start_rung=start_rung)
    else:
        summary = coder_text.run(session, max_turns, corrections)
    files = tuple(session.changed)
    rung = session.rung if tools else "text"
    return CoderResult(summary or f"wrote {', '.join(files)}", files, session.turns, protocol, rung)
