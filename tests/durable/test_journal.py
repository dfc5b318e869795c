"""The journal: what was recorded is never done again, what was begun is treated by its class."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.errors import Interrupted
from lao.core.states import Phase
from lao.core.steps import OutcomeUnknown, StepKind
from lao.core.words import Json
from lao.durable.journal import Journal
from lao.state import queries, recovery
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.transitions import LostClaim
from tests.state.pipeline_steps import hand_in, ready_run, take


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class Counter:
    """A step's function that counts its calls and dies on request."""

    def __init__(self, *results: Json) -> None:
        self.results = list(results)
        self.calls = 0

    def __call__(self) -> Json:
        self.calls += 1
        result = self.results.pop(0)
        if result is Killed:
            raise Killed
        return result


class FileEffect:
    """Appends a line to a file: not idempotent, so a second apply would show."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> Json:
        return {"size": self.path.stat().st_size}

    def apply(self, intent: Json) -> Json:
        with self.path.open("a") as file:
            file.write("line\n")
        return {"size": intent["size"] + 5}

    def probe(self, intent: Json) -> Json | None:
        return {"size": self.path.stat().st_size} if self.path.stat().st_size > intent["size"] else None


@pytest.fixture
def claim(store: Store) -> Claim:
    hand_in(store)
    return take(store, ready_run(Phase.INGEST))


def resumed(store: Store, claim: Claim) -> Claim:
    """The same run, claimed again after its worker died."""
    recovery.recover(store, lambda _o: False)
    return take(store, claim.run.id, "owner-2")


def answer(text: str) -> Json:
    from lao.core.chat import ChatAnswer, Usage

    return ChatAnswer(text=text, usage=Usage(7, 3)).to_json()


def test_a_finished_step_is_never_run_again(store: Store, claim: Claim) -> None:
    """K2: on resume the body gets the recorded answers, in order, and goes on for real after the last."""
    journal = Journal(store, claim)
    journal.run(StepKind.READ, "a", lambda: 1)
    journal.run(StepKind.READ, "b", lambda: {"x": 2})
    again, fresh = Counter(), Counter("new")
    journal = Journal(store, resumed(store, claim))
    assert journal.run(StepKind.READ, "a", again) == 1
    assert journal.run(StepKind.READ, "b", again) == {"x": 2}
    assert journal.run(StepKind.READ, "c", fresh) == "new"
    assert (again.calls, fresh.calls) == (0, 1)


def test_a_killed_model_call_is_the_only_one_repeated(store: Store, claim: Claim) -> None:
    """K2: a crash costs the call in flight and no other; calls and replays are counted apart."""
    journal = Journal(store, claim, role="coder", model="m")
    journal.run(StepKind.MODEL, "turn-1", lambda: answer("one"))
    dying = Counter(Killed)
    with pytest.raises(Killed):
        journal.run(StepKind.MODEL, "turn-2", dying)
    journal = Journal(store, resumed(store, claim), role="coder", model="m")
    first, second = Counter(), Counter(answer("two"))
    assert journal.run(StepKind.MODEL, "turn-1", first)["text"] == "one"
    assert journal.run(StepKind.MODEL, "turn-2", second)["text"] == "two"
    assert (first.calls, dying.calls, second.calls) == (0, 1, 1)
    tokens, calls = queries.usage_view(store)
    assert calls == {"model": 2, "replayed": 1}
    assert tokens == {"prompt": 14, "completion": 6, "cached": None}


def test_a_call_whose_answer_was_no_good_is_recorded_as_a_call(store: Store, claim: Claim) -> None:
    """K2: a failed answer is an outcome; on resume it is not asked for again."""
    failed = {"failed": {"message": "no", "hint": "", "kind": "bad_json"}}
    Journal(store, claim).run(StepKind.MODEL, "turn-1", lambda: failed)
    again = Counter()
    assert Journal(store, resumed(store, claim)).run(StepKind.MODEL, "turn-1", again) == failed
    assert again.calls == 0
    assert queries.usage_view(store)[1] == {"model": 1, "replayed": 1}


def test_an_unknown_command_is_not_run_again(store: Store, claim: Claim) -> None:
    """K1: a shell command that was begun is reported as unknown, at this resume and at every later one."""
    journal = Journal(store, claim)
    with pytest.raises(Killed):
        journal.run(StepKind.UNKNOWN, "deploy", Counter(Killed))
    again = Counter()
    for _ in range(2):
        claim = resumed(store, claim)
        with pytest.raises(OutcomeUnknown):
            Journal(store, claim).run(StepKind.UNKNOWN, "deploy", again)
    assert again.calls == 0


def test_an_effect_that_happened_is_found_and_not_repeated(store: Store, claim: Claim, tmp_path: Path) -> None:
    """K1: killed between the effect and its record, the effect is probed, not applied a second time."""
    path = tmp_path / "log"
    path.write_text("")
    effect = FileEffect(path)
    journal = Journal(store, claim)

    class Dying(FileEffect):
        def apply(self, intent: Json) -> Json:
            super().apply(intent)
            raise Killed

    with pytest.raises(Killed):
        journal.effect("append", Dying(path))
    assert Journal(store, resumed(store, claim)).effect("append", effect) == {"size": 5}
    assert path.read_text() == "line\n"


def test_an_effect_that_did_not_happen_is_applied(store: Store, claim: Claim, tmp_path: Path) -> None:
    """K1: killed between the intent and the effect, it is applied once."""
    path = tmp_path / "log"
    path.write_text("")

    class Dying(FileEffect):
        def apply(self, intent: Json) -> Json:
            raise Killed

    with pytest.raises(Killed):
        Journal(store, claim).effect("append", Dying(path))
    Journal(store, resumed(store, claim)).effect("append", FileEffect(path))
    assert path.read_text() == "line\n"


def test_a_body_that_changed_forgets_the_rest_of_the_record(store: Store, claim: Claim) -> None:
    """K2: when a step is another one than recorded (a new version of LAO), nothing stale is returned for it."""
    journal = Journal(store, claim)
    for label in ("a", "b", "c"):
        journal.run(StepKind.READ, label, lambda label=label: label)
    journal = Journal(store, resumed(store, claim))
    assert journal.run(StepKind.READ, "a", Counter()) == "a"
    assert journal.run(StepKind.READ, "new", lambda: "fresh") == "fresh"
    assert journal.run(StepKind.READ, "c", lambda: "again") == "again"


def test_a_fenced_out_body_cannot_record(store: Store, claim: Claim) -> None:
    """K4: a worker that lost its run (suspended laptop, say) writes nothing into the journal of the new owner."""
    zombie = Journal(store, claim)
    Journal(store, resumed(store, claim)).run(StepKind.READ, "a", lambda: "new")
    with pytest.raises(LostClaim):
        zombie.run(StepKind.READ, "a", lambda: "old")


def test_a_stopping_worker_stops_at_the_next_step(store: Store, claim: Claim) -> None:
    """A request to stop lets replayed steps pass and stops before the next real one."""
    Journal(store, claim).run(StepKind.READ, "a", lambda: 1)
    journal = Journal(store, resumed(store, claim), stopping=lambda: True)
    assert journal.run(StepKind.READ, "a", Counter()) == 1
    with pytest.raises(Interrupted):
        journal.run(StepKind.READ, "b", lambda: 2)


def test_nothing_is_begun_once_the_run_is_lost(store: Store, claim: Claim, tmp_path: Path) -> None:
    """A worker whose run was cancelled or taken over begins no further step, nor does it apply one that was begun."""
    path = tmp_path / "file"
    path.write_text("")
    effect = FileEffect(path)
    recovery.recover(store, lambda _owner: False)
    step = Counter("never")
    with pytest.raises(LostClaim):
        Journal(store, claim).run(StepKind.REPEATABLE, "step", step)
    with pytest.raises(LostClaim):
        Journal(store, claim).effect("edit", effect)
    assert (step.calls, path.read_text()) == (0, "")
