"""The memory probe of the simulated server: what its own accounting says is free."""

from __future__ import annotations

from lao.core.errors import ServerAway
from lao.servers.memory.reading import MemoryReading
from lao.servers.rest import Rest


class SimulatedProbe:
    """A MemoryProbe that asks ``GET /_sim/stats``."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def read(self) -> MemoryReading:
        """Free and total simulated memory.

        Raises:
            ServerAway: the server is gone or is no simulated server.
        """
        stats = self._rest.get("/_sim/stats").body
        if "vram_total" not in stats:
            raise ServerAway(f"{self._rest.url} is not a simulated server", "set server.kind in factory.yaml to auto")
        total = int(stats["vram_total"])
        return MemoryReading(total - int(stats["vram_used"]), int(stats["swap_used"]), "simulated", total)
