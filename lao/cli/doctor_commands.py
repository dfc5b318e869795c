"""``lao doctor``, group Commands: what surrounds the commands that are run for a plan."""

from __future__ import annotations

from typing import Final

from lao.cli.context import Session
from lao.cli.doctor_cmd import Check
from lao.durable.containment import Containment, choose

_TOLD: Final = {
    Containment.BUBBLEWRAP: "bubblewrap ends all processes of a command with the worker that started it",
    Containment.UNSHARE: "a namespace by util-linux ends all processes of a command with the worker that started it",
    Containment.NONE: "nothing ends the processes of a command when its worker is killed; the next one looks for them",
}


def examine(session: Session) -> list[Check]:
    """What ``sandbox.backend`` comes to here."""
    wanted = session.settings().sandbox_backend
    how = choose(wanted)
    if how is Containment.NONE and wanted != Containment.NONE.value:
        remedy = f"sandbox.backend is {wanted}: install bubblewrap (Linux), or allow user namespaces"
        return [Check("containment", "warn", _TOLD[how], remedy)]
    return [Check("containment", "ok", _TOLD[how])]
