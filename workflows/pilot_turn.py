"""Pilot (gpu): one turn of a conversation with a person, at the highest priority; belongs to no plan of theirs."""

from __future__ import annotations

from lao.core.errors import Terminal
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Answer the turn's question."""
    raise Terminal("the Pilot is not built yet")
