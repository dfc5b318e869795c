"""The one table of slash commands, and the way from a typed line to a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from lao.cli.pilot import route
from lao.cli.pilot.seat import Reply, Seat
from lao.core.errors import BadInput

Run = Callable[[Seat, Sequence[str]], Reply]

MANY: Final = 99


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: without its slash.
        arguments: how they are written in the help, for example ``[PLAN]``; "" when it takes none.
        group: the heading it stands under in the help.
        most: how many arguments it takes; 0 with ``whole`` False means none.
        least: how many it needs.
        whole: the rest of the line is one argument, as it is.
        completes: what Tab offers for an argument: ``plan``, ``task``, ``chat``, ``model``, ``path`` or fixed words.
        then: the same for the second argument and those after it; () is as for the first.
        names: other names of it.
    """

    name: str
    arguments: str
    help: str
    run: Run
    group: str = ""
    most: int = 0
    least: int = 0
    whole: bool = False
    completes: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is written, for example ``/show TASK``."""
        return f"/{self.name} {self.arguments}".rstrip()


@lru_cache(maxsize=1)
def commands() -> Mapping[str, Command]:
    """Every command by its own name, in the order of the help."""
    from lao.cli.pilot.commands import by_cli, chats, ideas, models, projects, reports

    rows = (*chats.COMMANDS, *reports.COMMANDS, *models.COMMANDS, *by_cli.COMMANDS, *projects.COMMANDS, *ideas.COMMANDS)
    groups = list(dict.fromkeys(command.group for command in rows))
    return MappingProxyType({c.name: c for c in sorted(rows, key=lambda command: groups.index(command.group))})


@lru_cache(maxsize=1)
def by_any_name() -> Mapping[str, Command]:
    """Every command by each of its names."""
    found = {name: command for command in commands().values() for name in (command.name, *command.names)}
    return MappingProxyType(found)


def run(seat: Seat, line: route.Line) -> Reply:
    """Run a command line.

    Raises:
        BadInput: too many or too few arguments, or the command says so.
        LaoError: whatever the command says.
    """
    command = by_any_name()[line.name]
    given = ([line.rest] if line.rest else []) if command.whole else route.arguments(line.rest)
    if len(given) > command.most or len(given) < command.least:
        many = (
            "takes no argument" if not command.most else "has too few" if len(given) < command.least else "has too many"
        )
        raise BadInput(f"/{line.name} {many}", f"write {command.usage}")
    return command.run(seat, given)
