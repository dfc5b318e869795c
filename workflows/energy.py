"""Keeps the energy of a gpu phase: what was counted while it held a slot. A figure is never worth a phase."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from lao.core.errors import LaoError
from lao.core.states import PHASE_ROLE
from lao.state import energy
from lao.state.records import Claim
from workflows.factory import Factory

log = logging.getLogger("lao")


@contextmanager
def metered(factory: Factory, claim: Claim) -> Iterator[None]:
    """Measure the block, where the phase needs a model and the machine has a counter."""
    counters = factory.energy if claim.run.phase in PHASE_ROLE else None
    if counters is None:
        yield
        return
    try:
        energy.begin(factory.store, claim, f"{counters.name} {', '.join(counters.read())}")
    except LaoError as error:
        log.warning("run %s: its energy is not measured: %s", claim.run.id, error.message)
    factory.meter.open()
    try:
        yield
    finally:
        factory.slots.leave()
        joules = factory.meter.close()
        if joules is not None:
            _keep(factory, claim, joules)


def _keep(factory: Factory, claim: Claim, joules: float) -> None:
    try:
        energy.end(factory.store, claim, joules)
    except LaoError as error:
        log.warning("run %s: its energy is not kept: %s", claim.run.id, error.message)
