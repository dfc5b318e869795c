"""T16: a run that another version of LAO has begun: no step of it is taken for one of this version."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from huey.exceptions import CancelExecution

from lao import __version__
from lao.core.errors import NeedsHuman
from lao.core.states import Phase
from lao.core.steps import StepKind
from lao.durable.journal import Journal
from lao.state import journal, runs
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import RunRow, StepRow
from tests.state.pipeline_steps import hand_in, ready_run, take
from tests.workflows.conftest import Plant
from tests.workflows.test_frame import READY, coding
from workflows import takeover
from workflows.frame import perform
from workflows.work import Outcome, Work

Open = Callable[..., Plant]


def record(factory: Plant, run_id: int, *labels: str, version: str) -> None:
    """Steps of this run by a worker of that version, which then lets go of it."""
    store = factory.factory.store
    claim = runs.claim(store, run_id, "owner", version)
    assert isinstance(claim, Claim)
    for seq, label in enumerate(labels):
        journal.record(store, claim, seq, StepKind.READ, label, done=True, result=f"of {version}", intent={"x": 1})
    runs.release(store, claim)


def seen_by(factory: Plant, run_id: int, *labels: str) -> list[str]:
    """What a body of this version gets from steps with these labels."""
    found: list[str] = []

    def body(work: Work) -> Outcome:
        found.extend(work.steps.run(StepKind.READ, label, lambda: "new") for label in labels)
        return Outcome(lambda _now: [])

    perform(Phase.CODE, run_id, body, READY)
    return found


@pytest.mark.parametrize("version", ["3.9.9", "99.0.0"])
def test_steps_of_another_version_are_not_replayed(plant: Open, version: str) -> None:
    """T16: the same labels may mean something else; the attempt is made again at a new desk and not counted."""
    factory = plant()
    run_id = coding(factory)
    desk = factory.factory.settings.paths.state_dir / "desks" / f"run-{run_id}"
    desk.mkdir(parents=True)
    (desk / "half").write_text("done")
    record(factory, run_id, "a", "b", version=version)
    assert seen_by(factory, run_id, "a", "b") == ["new", "new"]
    assert not desk.exists()
    assert [task["attempts"] for task in factory.tasks()] == [1]
    assert RunRow.get_by_id(run_id).version == __version__


def test_steps_of_this_version_are(plant: Open) -> None:
    """K2: an interrupted attempt goes on from where it was."""
    factory = plant()
    run_id = coding(factory)
    record(factory, run_id, "a", version=__version__)
    assert seen_by(factory, run_id, "a", "b") == [f"of {__version__}", "new"]


def test_a_worker_that_dies_before_it_forgets_them_changes_nothing(plant: Open) -> None:
    """T16: the run stays one of the version whose steps it holds, however often it is claimed."""
    factory = plant()
    run_id = coding(factory)
    record(factory, run_id, "a", version="3.9.9")
    record(factory, run_id, version=__version__)
    assert seen_by(factory, run_id, "a") == ["new"]


def test_what_has_begun_to_land_is_followed_to_the_letter(plant: Open) -> None:
    """T16: made again it would land, or be committed, a second time."""
    factory = plant()
    run_id = coding(factory)
    record(factory, run_id, "a", "land", version="3.9.9")
    assert seen_by(factory, run_id, "a", "land") == ["of 3.9.9", "of 3.9.9"]


def test_what_has_begun_to_land_and_went_otherwise_is_for_a_person(plant: Open) -> None:
    """T16: neither is the rest forgotten and done twice, nor another step's result taken."""
    factory = plant()
    run_id = coding(factory)
    record(factory, run_id, "a", "b", "commit:coder", version="3.9.9")
    with pytest.raises(CancelExecution):
        seen_by(factory, run_id, "a", "another")
    (task,) = factory.tasks()
    assert task["state"] == "needs_human"
    assert "was begun otherwise" in str(task["reason"])
    assert "retry-failed" in str(task["reason"])


def test_a_changed_body_forgets_what_does_not_last(store: Store) -> None:
    """K2: within one version (its settings were changed, say) the steps before the difference stay."""
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    for seq, label in enumerate(("a", "b", "c")):
        journal.record(store, claim, seq, StepKind.READ, label, done=True, result=label)
    steps = Journal(store, claim, lasting=takeover.is_lasting)
    assert steps.run(StepKind.READ, "a", lambda: "new") == "a"
    assert steps.run(StepKind.READ, "x", lambda: "new") == "new"
    assert [row.label for row in StepRow.select().order_by(StepRow.seq)] == ["a", "x"]


@pytest.mark.parametrize("label", ["land", "commit:plan", takeover.FOUND])
def test_what_lasts_is_never_forgotten(store: Store, label: str) -> None:
    """T16: also not within one version: the step in question is not repeated, a person looks."""
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    for seq, name in enumerate(("a", label)):
        journal.record(store, claim, seq, StepKind.EDIT, name, done=True, intent={}, result=name)
    steps = Journal(store, claim, lasting=takeover.is_lasting)
    with pytest.raises(NeedsHuman, match=label):
        steps.run(StepKind.EDIT, "x", lambda: "new")
    assert [row.label for row in StepRow.select().order_by(StepRow.seq)] == ["a", label]
