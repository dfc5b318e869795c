"""``lao doctor``, group Commands: what surrounds the commands that are run for a plan."""

from __future__ import annotations

import sys
from typing import Final

from lao.cli.context import Session
from lao.cli.doctor_cmd import Check, Level
from lao.durable.containment import Containment, choose
from lao.durable.sandbox.launcher import landlock_abi

_TOLD: Final = {
    Containment.BUBBLEWRAP: "bubblewrap: commands see the system and their workspace only, and end with their worker",
    Containment.UNSHARE: "namespaces by util-linux: commands end with their worker and see no process but their own",
    Containment.LANDLOCK: "landlock: commands have the system and their workspace, but may outlive a killed worker",
    Containment.SEATBELT: "seatbelt: commands have the system and their workspace, but may outlive a killed worker",
    Containment.NONE: "NO SANDBOX: commands of models can read and change all that you can",
}


def examine(session: Session) -> list[Check]:
    """What ``sandbox.backend`` and ``sandbox.network`` come to here."""
    settings = session.settings().sandbox
    how = choose(settings.backend)
    found = [Check("sandbox", *_judged(settings.backend, how))]
    if settings.network == "host":
        text = "commands have the machine's network (sandbox.network: host)"
        found.append(Check("network", "warn", text, "set sandbox.network to none when no plan needs it"))
    elif how is Containment.NONE:
        found.append(Check("network", "warn", "sandbox.network: none has no effect without a sandbox", ""))
    elif how is Containment.LANDLOCK:
        text = (
            "TCP is closed for commands, that of the machine itself too" if landlock_abi() >= 4 else "open: the kernel"
        )
        found.append(Check("network", "ok" if landlock_abi() >= 4 else "warn", f"{text}; UDP is open", ""))
    else:
        found.append(Check("network", "ok", "commands reach nothing but themselves"))
    return found


def _judged(wanted: str, how: Containment) -> tuple[Level, str, str]:
    if how is Containment.NONE:
        if wanted == how.value:
            return (
                "warn",
                _TOLD[how],
                "sandbox.backend is none: take it out of factory.yaml to have the best that works",
            )
        better = "install bubblewrap, or allow user namespaces" if sys.platform == "linux" else "see docs/security.md"
        return "warn", _TOLD[how], f"sandbox.backend is {wanted}: {better}"
    if how is Containment.UNSHARE and not landlock_abi():
        return "warn", f"{_TOLD[how]}; files are open", "install bubblewrap: this kernel has no Landlock"
    return "ok", _TOLD[how], ""
