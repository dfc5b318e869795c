"""Chooses the probe that sees the memory of this machine's models."""

from __future__ import annotations

import sys

from lao.servers.memory import MemoryProbe, PsutilProbe
from lao.servers.memory_apple import MacProbe
from lao.servers.memory_gpu import AmdProbe, NvidiaProbe
from lao.servers.memory_linux import LinuxProbe


def system_probe(platform: str = sys.platform) -> MemoryProbe:
    """The cards' own memory where there are cards that tell it (NVIDIA, else AMD), else the system's."""
    if platform == "darwin":
        return MacProbe()
    base: MemoryProbe = LinuxProbe() if platform.startswith("linux") else PsutilProbe()
    cards: tuple[NvidiaProbe | AmdProbe, ...] = (NvidiaProbe(base), AmdProbe(base))
    return next((card for card in cards if card.available()), base)
