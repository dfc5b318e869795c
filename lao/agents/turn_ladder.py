"""The ways to get an action out of a model that calls no tools: one forced by a schema, then files as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lao.agents import coder_text
from lao.agents.coder_brief import CoderBrief, system_prompt, user_message
from lao.agents.coder_session import Session
from lao.agents.prompt import load
from lao.core.words import Event, Json
from lao.llm.conversation import Conversation
from lao.llm.failures import Failure
from lao.llm.textcalls import Aliases
from lao.llm.tokens import estimate
from lao.tools.arguments import ALIASES, ARGUMENT_ALIASES

FINISH: Final = "finish"
"""The action that says that the work is done; no tool of the toolbox."""

ALL_ALIASES: Final = Aliases(ALIASES, ARGUMENT_ALIASES)

REFUSED: Final = frozenset(
    f.value
    for f in (
        Failure.TOOLS_REFUSED,
        Failure.GRAMMAR_REFUSED,
        Failure.FORMAT_REFUSED,
        Failure.TEMPLATE_ERROR,
        Failure.ALTERNATION_REFUSED,
        Failure.SYSTEM_ROLE_REFUSED,
        Failure.SERVER_PARSE,
    )
)
"""Classes that say that this way of asking does not work with this model, not that the model cannot do the work."""


def with_finish(tools: Sequence[dict[str, Json]]) -> tuple[dict[str, Json], ...]:
    """The tools and ``finish``, in the form of a request's tools."""
    parameters = {"type": "object", "properties": {"summary": {"type": "string"}}}
    done = {"name": FINISH, "description": "The work is done.", "parameters": parameters}
    return (*tools, {"type": "function", "function": done})


def action_schema(tools: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """The schema of one action: ``{"tool": …, "arguments": …}`` of one of the tools, or ``finish``."""
    return {"title": "action", "anyOf": [_action(t["function"]) for t in with_finish(tools)]}


def _action(function: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {"tool": {"type": "string", "enum": [function["name"]]}, "arguments": function["parameters"]},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def explain_actions(session: Session) -> None:
    """Tell the model in words how an action looks: a grammar forces its form, but does not show what there is."""
    lines = "\n".join(line_of(t["function"]) for t in session.tools)
    session.conversation.user(load("coder_tools_action", tools=lines))


def line_of(function: dict[str, Json]) -> str:
    """A tool in one line: its name, its arguments (those with a question mark may be left out), what it does."""
    parameters = function.get("parameters") or {}
    required = parameters.get("required") or ()
    shown = ", ".join(n if n in required else f"{n}?" for n in parameters.get("properties") or {})
    about = str(function.get("description") or "").strip().split("\n")[0]
    return f"- {function['name']}({shown}): {about}".rstrip(": ")


def reached(session: Session, rung: str, *, edit: bool) -> None:
    """Note the rung on which something worked; an edit counts more than a look. What was known is not told again."""
    if session.rung != rung and (edit or not session.rung):
        session.rung = rung
        if rung == session.known_rung:
            return
        model = session.settings.key
        session.model.note(Event("model.rung", f"model {model!r} works by {rung}", {"model": model, "rung": rung}))


def run_text(session: Session, max_turns: int) -> str:
    """The text protocol in a conversation of its own: nothing of the tools' is left to confuse the model.

    Raises:
        AttemptFailed: as ``coder_text.run``.
    """
    session.tools = ()

    def begin(shown: CoderBrief) -> Conversation:
        form = session.settings.edit_format
        system = system_prompt("text", form)
        conversation = Conversation(system)
        budget = int((session.limit - estimate(system)) * 0.9)
        conversation.user(user_message(shown, budget=budget, protocol="text", edit_format=form))
        return conversation

    session.begin = begin
    session.conversation = begin(session.brief)
    summary = coder_text.run(session, max_turns)
    reached(session, "text", edit=True)
    return summary
