"""The slash command /project: the same as ``lao projects`` where this LAO has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lao.cli.pilot.commands.by_cli import call
from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import Reply, Seat
from lao.core.errors import BadInput

WORDS: Final = ("list", "scan", "use", "needs-action", "status")


def _project(seat: Seat, given: Sequence[str]) -> Reply:
    from lao.cli.commands import COMMANDS as KNOWN

    word = given[0] if given else "status"
    if word not in WORDS:
        raise BadInput(f"/project does not know {word!r}", f"write /project {'|'.join(WORDS)}")
    if word == "status":
        reply = call(seat, "status")
        return Reply(f"project {seat.factory.settings.paths.root}\n{reply.text}", code=reply.code)
    if "projects" not in KNOWN:
        raise BadInput(
            "there is no list of projects in this version", "start 'lao pilot' in the other project's folder"
        )
    rest = ["--", *given[1:]] if given[1:] else []
    reply = call(seat, "projects", word, *(["--root", *given[1:]] if word == "scan" and rest else rest))
    if word != "use":
        return reply
    return Reply(f"{reply.text}\nthis Pilot stays where it is; start 'lao pilot' there", code=reply.code)


COMMANDS = (
    Command(
        "project",
        "[list|scan|use|needs-action|status]",
        "This project, or the others.",
        _project,
        "Looking",
        3,
        completes=WORDS,
    ),
)
