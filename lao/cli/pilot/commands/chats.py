"""Slash commands about the conversation itself: help, sessions, results of tools, leaving."""

from __future__ import annotations

from collections.abc import Sequence

from lao.cli.pilot.clean import one_line
from lao.cli.pilot.commands.registry import Command, commands
from lao.cli.pilot.seat import TALK, Reply, Seat
from lao.cli.project import since
from lao.core.errors import BadInput
from lao.state import journal
from workflows import pilot


def table() -> list[tuple[str, str, str]]:
    """(group, usage, help) of every command, in order; for /help and the docs."""
    return [(c.group, c.usage + "".join(f", /{n}" for n in c.names), c.help) for c in commands().values()]


def _help(_seat: Seat, given: Sequence[str]) -> Reply:
    rows = [row for row in table() if not given or row[1].lstrip("/").startswith(given[0].lstrip("/"))]
    if not rows:
        raise BadInput(f"no command /{given[0].lstrip('/')}", "/help lists them")
    lines, heading = [], ""
    for group, usage, text in rows:
        lines += [f"{group}:"] if group != heading else []
        heading = group
        lines.append(f"  {usage:<38} {text}")
    keys = "Enter sends, Alt-Enter or a \\ at the end begins a new line, Ctrl-C stops the answer, Ctrl-D leaves"
    return Reply("\n".join([*lines, keys]))


def _new(seat: Seat, _given: Sequence[str]) -> Reply:
    seat.kind = TALK
    chat = pilot.open_chat(seat.factory)
    return Reply("a new conversation; /sessions lists the others", chat=chat.id)


def _clear(seat: Seat, _given: Sequence[str]) -> Reply:
    seat.kind = TALK
    pilot.clear(seat.factory, seat.chat)
    return Reply("the model has forgotten what was said; the record keeps it")


def _compact(seat: Seat, _given: Sequence[str]) -> Reply:
    return Reply(pilot.compact(seat.factory, seat.chat))


def _sessions(seat: Seat, _given: Sequence[str]) -> Reply:
    lines = []
    for chat in pilot.chats(seat.factory)[:30]:
        here = " (this one)" if chat.id == seat.chat else ""
        lines.append(f"{chat.id:>4}  {since(chat.updated_at)}  {chat.turns} turns  {one_line(chat.title, 60)}{here}")
    return Reply("\n".join(lines) or "no conversation yet")


def _resume_session(seat: Seat, given: Sequence[str]) -> Reply:
    if given and not given[0].isdigit():
        raise BadInput(f"{given[0]!r} is no number of a conversation", "/sessions lists them")
    others = [chat.id for chat in pilot.chats(seat.factory) if chat.id != seat.chat]
    if not given and not others:
        raise BadInput("there is no other conversation", "/sessions lists them")
    seat.kind = TALK
    chat = pilot.open_chat(seat.factory, int(given[0]) if given else others[0])
    return Reply(f"conversation {chat.id}: {one_line(chat.title, 60) or 'nothing said yet'}", chat=chat.id)


def _expand(seat: Seat, given: Sequence[str]) -> Reply:
    if given and not given[0].isdigit():
        raise BadInput(f"{given[0]!r} is no number of a result", "they are in brackets, for example [3]")
    number, result = seat.result(int(given[0]) if given else None)
    run, label = result.place
    kept = journal.result_of(seat.factory.store, run, label) if run is not None else None
    whole = kept.get("text") if isinstance(kept, dict) else None
    text = whole if isinstance(whole, str) and len(whole) >= len(result.text) else result.text
    cut = f"\n… {result.length - len(text)} more characters were not kept" if result.length > len(text) else ""
    return Reply(f"[{number}]\n{text}{cut}")


def _exit(_seat: Seat, _given: Sequence[str]) -> Reply:
    return Reply(leave=0)


COMMANDS = (
    Command("help", "[COMMAND]", "What there is.", _help, "Conversation", 1),
    Command("new", "", "Begin a new conversation.", _new, "Conversation"),
    Command("clear", "", "Let the model forget what was said here.", _clear, "Conversation"),
    Command("compact", "", "Shorten what the model is shown of this conversation.", _compact, "Conversation"),
    Command("sessions", "", "The conversations so far.", _sessions, "Conversation"),
    Command(
        "resume-session",
        "[ID]",
        "Go on with another conversation, by default the last one.",
        _resume_session,
        "Conversation",
        1,
        completes=("chat",),
    ),
    Command(
        "expand", "[N]", "Show a tool's result whole, by default the last one (Ctrl-O).", _expand, "Conversation", 1
    ),
    Command("exit", "", "Leave; workers go on.", _exit, "Conversation", names=("quit",)),
)
