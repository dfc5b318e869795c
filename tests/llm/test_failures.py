"""The named classes of failure: one policy each, and no other kind in the house."""

from __future__ import annotations

import re
from pathlib import Path

from lao.llm.failures import POLICIES, Change, Failure, fault_event, named

ROOT = Path(__file__).resolve().parents[2]


def test_every_class_has_a_policy() -> None:
    """Each class says what is tried; only those that wait or adapt may be tried without a limit of their own."""
    assert set(POLICIES) == set(Failure)
    for policy in POLICIES.values():
        assert (policy.tries is None) == (policy.change in (Change.WAIT, Change.ADAPT))
        assert policy.tries == 0 if policy.change is Change.NONE else policy.tries != 0


def test_faults_of_the_world_use_no_attempt() -> None:
    """What happens to a server is waited for and does not count; what a model does wrong in the end does."""
    assert all(not p.counts for p in POLICIES.values() if p.change is Change.WAIT)
    assert POLICIES[Failure.EMPTY_ANSWER].counts
    assert POLICIES[Failure.SERVER_PARSE].counts


def test_every_kind_in_the_house_is_named() -> None:
    """``AttemptFailed.kind`` is always one of the names, wherever it is raised."""
    kinds: set[str] = set()
    for path in [*(ROOT / "lao").rglob("*.py"), *(ROOT / "workflows").rglob("*.py")]:
        for raised in re.findall(
            r"(?:AttemptFailed|_failed)\((?:[^()]|\([^()]*\))*\)", path.read_text(encoding="utf-8")
        ):
            kinds |= set(re.findall(r"kind=\"(\w+)\"", raised))
    assert kinds
    assert {k for k in kinds if named(k) is Failure.ATTEMPT} == set()


def test_the_event_is_counted_by_class_and_model() -> None:
    """The event carries the class and the model, the text is for people."""
    event = fault_event(Failure.STREAM_CUT, "it broke off", "m")
    assert (event.kind, event.text, event.data) == (
        "model.fault",
        "it broke off",
        {"class": "stream_cut", "model": "m"},
    )
    assert named("no such name") is Failure.ATTEMPT
