"""A phase that another version of LAO has begun: made again from its beginning, as long as nothing of it would happen
twice; else its record is followed to the letter or a person is asked (``lao.durable.journal``)."""

from __future__ import annotations

import logging
from typing import Final

from lao import __version__
from lao.core.states import Phase
from lao.state import journal, plans
from lao.state.records import Claim
from workflows.factory import Factory
from workflows.place import LAND, clear_away

log = logging.getLogger("lao")

COMMIT: Final = "commit:"
FOUND: Final = "own-repository"
"""What ingest found before it made a repository; asked again it would take LAO's for the user's own."""


def is_lasting(label: str) -> bool:
    """Whether what the step with this label did or found cannot be had a second time: landings, commits, and whose the
    repository was."""
    return label in (LAND, FOUND) or label.startswith(COMMIT)


def take_over(factory: Factory, claim: Claim) -> None:
    """Forget what another version has recorded of this run, before the run's journal is opened.

    The steps of another version may mean something else under the same name. What they did is at the attempt's desk, or
    can be asked for again; the attempt is not counted. A run with a step that lasts keeps its record,
    and so does a turn of the Pilot, whose tools have acted.
    """
    if claim.begun_by in ("", __version__):
        return
    run = claim.run
    steps = journal.load(factory.store, run.id)
    if run.phase is Phase.PILOT or any(is_lasting(step.label) for step in steps):
        return
    clear_away(factory, run.id, run.task_id, run.phase, plans.get(factory.store, run.plan_id).workspace)
    journal.begin_again(factory.store, claim, __version__)
    if steps:
        log.warning("run %s was begun by LAO %s; its %s is made again", run.id, claim.begun_by, run.phase.value)
