"""Slash commands that are commands of the command line: run in this process, on the project that is open."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import HANDED_BACK, Reply, Seat
from lao.core.errors import BadInput

_COLOUR = re.compile(chr(27) + r"\[[\d;]*m")  # a command's own, where LAO_COLOR insists


def call(seat: Seat, *arguments: str) -> Reply:
    """What ``lao ARGUMENTS`` prints, and its exit code.

    Raises:
        BadInput: the arguments are wrong.
        LaoError: the command says so.
    """
    from lao.cli.main import group

    session = replace(seat.session, flags=dict(seat.session.flags), opened=seat.factory)
    out = io.TextIOWrapper(io.BytesIO(), sys.stdout.encoding or "utf-8", "backslashreplace", write_through=True)
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = group().main(list(arguments), prog_name="lao", standalone_mode=False, obj=session)
    except SystemExit as stop:
        code = stop.code
    except click.ClickException as error:
        raise BadInput(error.format_message(), f"'lao {arguments[0]} --help' says how") from error
    out.seek(0)
    shown = out.read()
    return Reply(_COLOUR.sub("", shown).rstrip("\n"), code=code if isinstance(code, int) else 0)


def _status(seat: Seat, _given: Sequence[str]) -> Reply:
    return call(seat, "status")


def _retry(seat: Seat, given: Sequence[str]) -> Reply:
    from lao.state import references
    from lao.state.records import Task

    found = references.find(seat.factory.store, given[0]) if given else None
    if isinstance(found, Task):
        return call(seat, "replay", "--", str(found.id))
    return call(seat, "retry-failed", *(["--", *given] if given else []))


def _pause(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "pause", *(["--", *given] if given else []))


def _resume(seat: Seat, given: Sequence[str]) -> Reply:
    reply = call(seat, "resume", *(["--", *given] if given else []))
    return replace(reply, leave=HANDED_BACK) if seat.from_run and not given else reply


def _cancel(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "cancel", "--", *given)


def _replay(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "replay", *(["--from", given[1]] if len(given) > 1 else []), "--", given[0])


def _permissions(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "permissions", "explain", "--", given[0]) if given else call(seat, "permissions", "list")


def _skills(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "skills", "show", "--", given[0]) if given else call(seat, "skills", "list")


def _memory(seat: Seat, given: Sequence[str]) -> Reply:
    if not given:
        return call(seat, "memory", "show")
    if given[0] in ("edit", "forget") and len(given) > 1:
        return call(seat, "memory", given[0], "--", " ".join(given[1:]))
    raise BadInput(f"/memory does not know {given[0]!r}", 'write /memory, /memory edit "fact" or /memory forget "text"')


def _approvals(seat: Seat, _given: Sequence[str]) -> Reply:
    return call(seat, "approvals")


def _approve(seat: Seat, given: Sequence[str]) -> Reply:
    return call(seat, "approve", *(["--always"] if "always" in given[1:] else []), "--", given[0])


def _deny(seat: Seat, given: Sequence[str]) -> Reply:
    reason = " ".join(given[1:])
    return call(seat, "deny", *(["--reason", reason] if reason else []), "--", given[0])


COMMANDS = (
    Command("status", "", "Plans, tasks, queue, workers, models and tokens.", _status, "Looking"),
    Command(
        "retry",
        "[PLAN|TASK]",
        "Give failed work another set of attempts, or try one task again.",
        _retry,
        "Steering",
        1,
        completes=("plan", "task"),
    ),
    Command("pause", "[PLAN]", "Begin nothing new, of a plan or of all.", _pause, "Steering", 1, completes=("plan",)),
    Command(
        "resume",
        "[PLAN]",
        "Go on after a pause; back to the run view where the Pilot was opened from it.",
        _resume,
        "Steering",
        1,
        completes=("plan",),
        names=("continue", "go"),
    ),
    Command(
        "cancel",
        "PLAN|TASK",
        "End what is open of a plan, or a task and what needs it.",
        _cancel,
        "Steering",
        1,
        1,
        completes=("plan", "task"),
    ),
    Command(
        "replay",
        "TASK [code|verify|review]",
        "Try a task that is over again, from one of its phases.",
        _replay,
        "Steering",
        2,
        1,
        completes=("task", "code", "verify", "review"),
    ),
    Command("approvals", "", "Questions of models that wait for a person.", _approvals, "Steering"),
    Command("approve", "ID [always]", "Say yes to a question.", _approve, "Steering", 2, 1, completes=("always",)),
    Command("deny", "ID [REASON]", "Say no to a question; the model is told why.", _deny, "Steering", 99, 1),
    Command(
        "permissions",
        "[CALL]",
        "The rules for models, or what decides about a call.",
        _permissions,
        "Looking",
        1,
        whole=True,
    ),
    Command("skills", "[NAME]", "The skills, or what one says.", _skills, "Looking", 1),
    Command(
        "memory", "[edit FACT|forget TEXT]", "What LAO remembers.", _memory, "Looking", 99, completes=("edit", "forget")
    ),
)
