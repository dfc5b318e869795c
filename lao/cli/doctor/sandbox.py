"""``lao doctor``, group Sandbox: what surrounds the commands that are run for a plan."""

from __future__ import annotations

import sys
from typing import Final

from lao.cli.doctor.rows import Check, Level
from lao.cli.doctor.scene import Scene
from lao.durable.containment import Containment
from lao.durable.sandbox.launcher import landlock_abi
from lao.durable.sandbox.policy import SPACES, Sandbox, sandbox_of

_TOLD: Final = {
    Containment.BUBBLEWRAP: "bubblewrap: commands see the system and their workspace only, and end with their worker",
    Containment.UNSHARE: "namespaces by util-linux: commands end with their worker and see no process but their own",
    Containment.LANDLOCK: "landlock: commands have the system and their workspace, but may outlive a killed worker",
    Containment.SEATBELT: "seatbelt: commands have the system and their workspace, but may outlive a killed worker",
    Containment.NONE: "NO SANDBOX: commands of models can read and change all that you can",
}


def examine(scene: Scene) -> list[Check]:
    """What ``sandbox.backend`` and ``sandbox.network`` come to here."""
    settings = scene.settings.sandbox
    sandbox = sandbox_of(settings)
    return [Check("sandbox", *_judged(settings.backend, sandbox.how)), Check("network", *_reached(sandbox))]


def _reached(sandbox: Sandbox) -> tuple[Level, str, str]:
    """What commands reach, and whether that is what ``sandbox.network`` says."""
    if sandbox.network:
        text = "commands have the machine's network (sandbox.network: host)"
        return "warn", text, "name the hosts in sandbox.network, or set it to none when no plan needs it"
    if not sandbox.isolates:
        return "warn", "open: sandbox.network has no effect without a sandbox", "see sandbox"
    if sandbox.hosts and not sandbox.by_list:
        return "warn", f"{sandbox.how.value}: {sandbox.reach}", "install bubblewrap, or allow user namespaces"
    if sandbox.weaker_than_asked:
        return "warn", sandbox.reach, "install bubblewrap, or allow user namespaces"
    if sandbox.by_list:
        return "ok", f"commands reach these by HTTP and HTTPS: {', '.join(map(str, sandbox.hosts))}", ""
    return "ok", sandbox.reach if sandbox.how not in SPACES else "commands reach nothing but themselves", ""


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
