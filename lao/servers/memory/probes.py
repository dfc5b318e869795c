"""Chooses the probe that sees the memory of this machine's models."""

from __future__ import annotations

import sys

from lao.servers.memory.apple import MacProbe
from lao.servers.memory.gpu import AmdProbe, NvidiaProbe
from lao.servers.memory.linux import LinuxProbe
from lao.servers.memory.reading import MemoryProbe, PsutilProbe


def system_probe(platform: str = sys.platform) -> MemoryProbe:
    """The cards' own memory where there are cards that tell it (NVIDIA, else AMD), else the system's."""
    if platform == "darwin":
        return MacProbe()
    base: MemoryProbe = LinuxProbe() if platform.startswith("linux") else PsutilProbe()
    cards: tuple[NvidiaProbe | AmdProbe, ...] = (NvidiaProbe(base), AmdProbe(base))
    return next((card for card in cards if card.available()), base)
