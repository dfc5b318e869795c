"""The slash command /model: which model each role has, and giving a role another one of the server's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lao.cli.pilot.commands.by_cli import call
from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import Reply, Seat
from lao.core.errors import BadInput, LaoError
from lao.core.states import Role
from lao.state import queries, runs

if TYPE_CHECKING:
    from lao.cli.context import Session

ROLES: Final = tuple(role.value for role in Role)
SURE: Final = "yes"
FRESH_S: Final = 30.0


def _model(seat: Seat, given: Sequence[str]) -> Reply:
    if not given:
        return Reply(_shown(seat))
    if len(given) == 1:
        raise BadInput("/model has too few", "write /model ROLE KEY; Tab offers the models of the server")
    role, key = given[0].lower(), given[1]
    if role not in ROLES:
        raise BadInput(f"there is no role {given[0]!r}", f"write one of {', '.join(ROLES)}")
    if given[2:] not in ([], [SURE]):
        raise BadInput(f"/model does not know {given[2]!r}", f"write /model {role} {key}")
    return _written(seat, role, key) if given[2:] else _offered(seat, role, key)


def _shown(seat: Seat) -> str:
    resident = queries.models_view(seat.factory.store)["resident"]
    written = _in_file(seat)
    lines = [f"server: {seat.factory.settings.server.base_url}"]
    for role in Role:
        model = seat.factory.settings.models.get(role)
        if model is not None:
            loaded = ", loaded" if model.key in resident else ""
            new = f"; factory.yaml says {written[role]} since" if written.get(role, model.key) != model.key else ""
            lines.append(f"  {role.value:<8}  {model.key}, context {model.context_length}{loaded}{new}")
    lines.append("/model ROLE KEY gives a role another one; 'lao health' says what the server has")
    return "\n".join(lines)


def _in_file(seat: Seat) -> dict[Role, str]:
    """The keys as this Pilot would read them if it began now."""
    from lao.config.load import load

    session = seat.session
    settings = load(cwd=session.cwd, env=session.env, flags=session.flags)
    return {role: model.key for role, model in settings.models.items()}


def _offered(seat: Seat, role: str, key: str) -> Reply:
    """What would be written, to be confirmed; nothing is written yet."""
    from lao.cli.configure_models_cmd import prospect

    told = prospect(seat.session, Role(role), key)
    sure = f"/model {role} {key} {SURE}"
    return Reply(f"{told}\nwrite it into factory.yaml? y(es) or n(o); '{sure}' asks nothing", offer=sure)


def _written(seat: Seat, role: str, key: str) -> Reply:
    reply = call(seat, "configure-models", "--role", role, "--key", key)
    if reply.code or reply.text == "nothing changed":
        return reply
    return Reply(f"{reply.text}\n{_from_when(seat)}{_outdone(seat, role)}")


def _from_when(seat: Seat) -> str:
    if runs.workers(seat.factory.store):
        return "workers that run keep the model that they began with; 'lao stop', then ask: a new worker reads the file"
    return "it is used from the next question: no worker runs, and the new one reads the file"


def _outdone(seat: Seat, role: str) -> str:
    flag = seat.session.text(f"{role}_model")
    return f"\nbut this Pilot was started with --{role}-model {flag}, and so are its workers" if flag else ""


class ServerModels:
    """The keys of the server's models for completion, asked for again after ``FRESH_S``; none while it is away."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys: tuple[str, ...] = ()
        self._at = -FRESH_S

    def __call__(self) -> Sequence[str]:
        from lao.cli.configure_models_cmd import keys

        if time.monotonic() - self._at >= FRESH_S:
            self._at = time.monotonic()
            try:
                self._keys = keys(self._session)
            except (LaoError, OSError):  # nothing to offer; the command itself says why
                self._keys = ()
        return self._keys


COMMANDS = (
    Command(
        "model",
        "[ROLE KEY]",
        "Which model each role has, and what is loaded; or give a role another one.",
        _model,
        "Looking",
        3,
        completes=ROLES,
        then=("model",),
    ),
)
