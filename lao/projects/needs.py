"""What projects need from a person, read from each state without changing it. A damaged one is a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.errors import ConfigError, LaoError
from lao.durable.holding import owner_alive
from lao.projects.registry import Project, is_folder
from lao.state.glance import Glance, glance

_SHOWN: Final = 3
_OF_ONE_PROJECT: Final = frozenset(
    {*CONFIG_VARIABLES, FLAGS_VARIABLE, *(name for name, override in VARIABLES.items() if override.is_path)}
)


@dataclass(frozen=True)
class Need:
    """One thing to be done.

    Attributes:
        kind: parked, failed, question, worker, rejected, config, state or gone.
        count: of how many things.
        text: in words, one line.
        hint: the command that helps, to be given in the project's folder.
    """

    kind: str
    count: int
    text: str
    hint: str


def own_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what means one project, so that the settings of another can be read in it."""
    return {name: value for name, value in env.items() if name not in _OF_ONE_PROJECT}


def needs_of(project: Project, env: Mapping[str, str]) -> tuple[Need, ...]:
    """What a project needs; () when nothing.

    Args:
        env: the environment that its configuration may refer to.
    """
    return look_at(project, env)[1]


def look_at(project: Project, env: Mapping[str, str]) -> tuple[Glance | None, tuple[Need, ...]]:
    """What its state says, and what it needs; None for the first where there is no folder, or no state to be trusted.

    Args:
        env: as of ``needs_of``.
    """
    if not is_folder(project.path):
        return None, (Need("gone", 1, f"its folder {str(project.path)!r} is gone", "lao projects remove --gone"),)
    found: list[Need] = []
    database = project.path / ".lao" / "state.db"
    try:
        database = load(cwd=project.path, env=own_environment(env)).paths.database
    except ConfigError as error:
        found.append(Need("config", 1, _first_line(error.message), "lao config show"))
    try:
        seen = glance(database)
    except LaoError as error:
        return None, (*found, Need("state", 1, _first_line(error.message), "lao doctor"))
    return seen, (*found, *needs_in(seen))


def needs_in(seen: Glance) -> tuple[Need, ...]:
    """What a state asks a person for."""
    found: list[Need] = []
    if seen.questions:
        found.append(Need("question", seen.questions, _counted(seen.questions, "open question"), "lao approvals"))
    parked = [f"{plan} #{task} {title}" for plan, task, title in seen.parked] + [*seen.parked_plans]
    if parked:
        text = f"{_counted(len(parked), 'item')} parked for a person: {_some(parked)}"
        found.append(Need("parked", len(parked), text, "lao status"))
    if seen.failed:
        text = f"{_counted(len(seen.failed), 'plan')} failed: {_some(seen.failed)}"
        found.append(Need("failed", len(seen.failed), text, "lao retry-failed"))
    dead = [f"{queue} (pid {pid})" for queue, owner, pid in seen.workers if owner_alive(owner) is False]
    if dead and seen.waiting:
        text = f"{_counted(len(dead), 'worker')} died with work left: {', '.join(dead)}"
        found.append(Need("worker", len(dead), text, "lao run"))
    if seen.rejected:
        found.append(Need("rejected", seen.rejected, _counted(seen.rejected, "plan file") + " not taken", "lao status"))
    return tuple(found)


def live_workers(seen: Glance) -> tuple[tuple[str, int], ...]:
    """(queue, pid) of the registered workers that are alive, or of another machine."""
    return tuple((queue, pid) for queue, owner, pid in seen.workers if owner_alive(owner) is not False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(":") if text.strip() else "unknown"
