"""All classes of faults by their code. Holds no payload itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lao.servers.simulated.faults import behaviour, calls, context, structured, transport
from lao.servers.simulated.faults.forms import FaultClass

CLASSES: Mapping[str, FaultClass] = MappingProxyType(
    {
        found.code: found
        for found in sorted(
            (*calls.CLASSES, *structured.CLASSES, *context.CLASSES, *behaviour.CLASSES, *transport.CLASSES),
            key=lambda found: int(found.code[1:]),
        )
    }
)
