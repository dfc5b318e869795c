"""The words of the sandbox: what surrounds a command, as said by ``sandbox`` in factory.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.config.settings import SandboxSettings
from lao.durable.containment import Containment, choose


@dataclass(frozen=True)
class Limits:
    """What one command may use; None is no limit.

    Attributes:
        memory_mb: data of each process, in MiB (RLIMIT_DATA: reserved address space does not count).
        cpu_s: processor time of each process, in seconds.
        file_mb: size of each file that it writes, in MiB.
        processes: processes at once; watched, so a little more may live for some milliseconds.
        tmp_mb: size of its private /tmp and home, each, in MiB, where they are in memory (bubblewrap).
    """

    memory_mb: int | None = None
    cpu_s: int | None = None
    file_mb: int | None = None
    processes: int | None = None
    tmp_mb: int | None = None


@dataclass(frozen=True)
class Sandbox:
    """What surrounds a command.

    Attributes:
        network: whether it may use the host's network.
        read_only, writable: absolute paths beside the workspace and the system.
        environment: names of variables that it gets beside the usual ones.
    """

    how: Containment = Containment.NONE
    network: bool = False
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: tuple[str, ...] = ()
    limits: Limits = field(default=Limits())

    @property
    def isolates(self) -> bool:
        """Whether anything is kept from the command's eyes and hands."""
        return self.how is not Containment.NONE

    @property
    def told(self) -> str:
        """What surrounds commands, in a few words for logs and reports."""
        if not self.isolates:
            return "no sandbox: commands can read and change all that you can"
        return f"{self.how.value}, {'with the network of the machine' if self.network else 'no network'}"


OPEN: Final = Sandbox()
"""Nothing but markers and the scrubbed environment."""


def sandbox_of(settings: SandboxSettings) -> Sandbox:
    """The sandbox that the settings come to on this machine."""
    return Sandbox(
        how=choose(settings.backend),
        network=settings.network == "host",
        read_only=settings.read_only,
        writable=settings.writable,
        environment=settings.environment,
        limits=Limits(settings.memory_mb, settings.cpu_s, settings.file_mb, settings.processes, settings.tmp_mb),
    )
