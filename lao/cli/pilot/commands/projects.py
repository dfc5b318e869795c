"""The slash command /project: the same as ``lao projects``; ``use`` goes there too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lao.cli.pilot import moving
from lao.cli.pilot.commands.by_cli import call
from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import Reply, Seat
from lao.core.errors import BadInput
from lao.projects.registry import Registry

WORDS: Final = ("list", "scan", "use", "needs-action", "status")


def _project(seat: Seat, given: Sequence[str]) -> Reply:
    word = given[0] if given else "status"
    if word not in WORDS:
        raise BadInput(f"/project does not know {word!r}", f"write /project {'|'.join(WORDS)}")
    if word == "status":
        reply = call(seat, "status")
        return Reply(f"project {seat.factory.settings.paths.root}\n{reply.text}", code=reply.code)
    rest = ["--", *given[1:]] if given[1:] else []
    reply = call(seat, "projects", word, *(["--root", *given[1:]] if word == "scan" and rest else rest))
    if word != "use" or reply.code:
        return reply
    chosen = Registry().current()
    if chosen is None or moving.is_here(seat, chosen.path):
        return reply
    return replace(reply, moved=chosen.path)


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
