"""The words of the sandbox: what surrounds a command, as said by ``sandbox`` in factory.yaml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.config.hosts import Host
from lao.config.settings import SandboxSettings
from lao.durable.containment import Containment, choose
from lao.durable.sandbox.guide import Resolver, system_resolver
from lao.durable.sandbox.launcher import landlock_abi

SPACES: Final = (Containment.BUBBLEWRAP, Containment.UNSHARE)
"""Those that give a command a network of its own."""

TCP_SINCE: Final = 4
"""The version of Landlock that knows TCP."""

_SHOWN: Final = 6


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
        hosts: what it may reach without that, by a proxy, where it has a network of its own (``by_list``).
        resolve: how the proxy finds a name's addresses.
        kernel: the version of its Landlock, 0 for none.
        read_only, writable: absolute paths beside the workspace and the system.
        environment: names of variables that it gets beside the usual ones.
    """

    how: Containment = Containment.NONE
    network: bool = False
    hosts: tuple[Host, ...] = ()
    resolve: Resolver = system_resolver
    kernel: Callable[[], int] = landlock_abi
    read_only: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    environment: tuple[str, ...] = ()
    limits: Limits = field(default=Limits())

    @property
    def isolates(self) -> bool:
        """Whether anything is kept from the command's eyes and hands."""
        return self.how is not Containment.NONE

    @property
    def own_network(self) -> bool:
        """Whether commands have a network that nothing but themselves is in."""
        return self.how in SPACES and not self.network

    @property
    def by_list(self) -> bool:
        """Whether the list of hosts is kept to. Without a network of their own commands could go round the proxy."""
        return bool(self.hosts) and self.own_network

    @property
    def reach(self) -> str:
        """What commands reach, in a few words: never more is closed than this says."""
        if not self.isolates:
            return "the network is open"
        if self.network:
            return "the machine's network"
        if self.by_list:
            return f"network: only {_names(self.hosts)}"
        if self.how in SPACES:
            return "no network"
        instead = (
            f"; sandbox.network: a list of hosts needs {' or '.join(how.value for how in SPACES)}" if self.hosts else ""
        )
        if self.how is Containment.SEATBELT:
            return f"the machine's loopback only{instead}"
        if self.kernel() < TCP_SINCE:
            return f"the network is OPEN: this kernel's Landlock cannot close it{instead}"
        return f"no TCP (UDP is open){instead}"

    @property
    def told(self) -> str:
        """What surrounds commands, in a few words for logs and reports."""
        if not self.isolates:
            return "NO SANDBOX: commands can read and change all that you can"
        files = ", files are OPEN (no Landlock)" if self.how is Containment.UNSHARE and not self.kernel() else ""
        return f"{self.how.value}{files}, {self.reach}"

    @property
    def weaker_than_asked(self) -> bool:
        """Whether the settings ask for more than is held here."""
        unheld = self.how is Containment.LANDLOCK and not self.network and self.kernel() < TCP_SINCE
        return not self.isolates or unheld or (bool(self.hosts) and not self.by_list)

    @property
    def for_the_model(self) -> str:
        """What a model should know before it tries; "" when nothing is held."""
        if not self.isolates:
            return ""
        network = "" if self.network else f"Only these hosts: {_names(self.hosts)}." if self.by_list else "No network."
        memory = f" A process gets {self.limits.memory_mb} MB." if self.limits.memory_mb else ""
        return f"{network} Writable: the workspace and $TMPDIR.{memory}".strip()


def _names(hosts: tuple[Host, ...]) -> str:
    shown = [str(host) for host in hosts[:_SHOWN]]
    return ", ".join([*shown, f"{len(hosts) - _SHOWN} more"] if len(hosts) > _SHOWN else shown)


OPEN: Final = Sandbox()
"""Nothing but markers and the scrubbed environment."""


def sandbox_of(settings: SandboxSettings) -> Sandbox:
    """The sandbox that the settings come to on this machine."""
    return Sandbox(
        how=choose(settings.backend),
        network=settings.network == "host",
        hosts=settings.hosts,
        read_only=settings.read_only,
        writable=settings.writable,
        environment=settings.environment,
        limits=Limits(settings.memory_mb, settings.cpu_s, settings.file_mb, settings.processes, settings.tmp_mb),
    )
