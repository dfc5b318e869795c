"""Promise: the share of cached prompt tokens is what the server told, else marked as an estimate, else unknown."""

from __future__ import annotations

import pytest

from lao.core.chat import ChatAnswer, Usage
from lao.core.profile import Profile
from lao.core.states import Phase, RunState
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.state import cache_share, journal, pipeline, profiles, runs
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import TaskRow
from tests.state.pipeline_steps import finish_phase, planned, ready_run, spec, take

SERVER = "http://server"


@pytest.fixture
def coding(store: Store) -> Claim:
    planned(store, spec("one"))
    return take(store, ready_run(Phase.CODE))


def answer(store: Store, claim: Claim, seq: int, prompt: int, cached: int | None, first_token_s: float = 0.0) -> None:
    said = ChatAnswer("x", usage=Usage(prompt, 1, cached), first_token_s=first_token_s)
    journal.record(store, claim, seq, StepKind.MODEL, f"turn {seq}", done=True, result=1, call=("coder", "m", said))


def only(store: Store) -> dict[str, Json]:
    (view,) = cache_share.by_plan(store, SERVER).values()
    return view


def test_what_the_server_told(store: Store, coding: Claim) -> None:
    """Share of the tokens, not of the calls; zero is told too; by plan and by phase."""
    for seq, figures in enumerate([(1000, 0), (1000, 900), (2000, 1500)]):
        answer(store, coding, seq, *figures)
    assert only(store)["phases"]["code"] == {
        "calls": 3, "counted": 3, "prompt": 4000, "cached": 2400, "share": 0.6, "source": "server",
    }  # fmt: skip
    assert only(store)["share"] == 0.6


def test_phases_are_told_apart(store: Store, coding: Claim) -> None:
    """Each phase has a share of its own, and the plan's is over all of them."""
    answer(store, coding, 0, 100, 90)
    with runs.finishing(store, coding, RunState.DONE) as now:
        pipeline.unblock_successors(coding.run.id, now)
    finish_phase(store, Phase.VERIFY, TaskRow.get().id)
    answer(store, take(store, ready_run(Phase.REVIEW)), 0, 300, 0)
    view = only(store)
    assert {name: part["share"] for name, part in view["phases"].items()} == {"code": 0.9, "review": 0.0}
    assert view["share"] == round(90 / 400, 4)


def test_untold_is_unknown_and_not_zero(store: Store, coding: Claim) -> None:
    """A server that never tells leaves no share; calls that were told are not diluted by those that were not."""
    answer(store, coding, 0, 1000, None, first_token_s=0.1)
    assert (only(store)["share"], only(store)["cached"], only(store)["source"]) == (None, None, None)
    answer(store, coding, 1, 1000, 800)
    assert (only(store)["share"], only(store)["calls"], only(store)["counted"]) == (0.8, 2, 1)


def test_failed_answers_do_not_count(store: Store, coding: Claim) -> None:
    """An answer that was no good has no figures, and says nothing about the cache."""
    answer(store, coding, 0, 0, None)
    answer(store, coding, 1, 100, 50)
    assert (only(store)["calls"], only(store)["share"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("first_token_s", "cached"),
    [(10.0, 0), (2.5, 750), (0.0001, 1000), (99.0, 0), (0.0, None)],
)
def test_an_estimate_by_the_time_to_the_first_token(
    store: Store, coding: Claim, first_token_s: float, cached: int | None
) -> None:
    """1000 tokens at 100 a second: what was not waited for was in the cache; never below 0 or above the prompt."""
    profiles.put(store, Profile(SERVER, "m", prefill_tokens_s=100.0))
    answer(store, coding, 0, 1000, None, first_token_s)
    assert only(store)["cached"] == cached
    assert only(store)["source"] == (None if cached is None else "estimate")


@pytest.mark.parametrize(
    "profile",
    [
        Profile(SERVER, "m"),
        Profile("http://other", "m", prefill_tokens_s=100.0),
        Profile(SERVER, "n", prefill_tokens_s=100.0),
        Profile(SERVER, "m", prefill_tokens_s=100.0, cache_reuse=False),
    ],
    ids=["not measured", "other server", "other model", "nothing reused"],
)
def test_no_estimate_without_a_calibration_that_allows_it(store: Store, coding: Claim, profile: Profile) -> None:
    """Where this model's speed on this server is not known, or nothing is reused there, nothing is estimated."""
    profiles.put(store, profile)
    answer(store, coding, 0, 1000, None, 2.0)
    assert only(store)["share"] is None


def test_what_is_told_beats_what_is_estimated(store: Store, coding: Claim) -> None:
    """Figures of both kinds are never added up."""
    profiles.put(store, Profile(SERVER, "m", prefill_tokens_s=100.0, cache_reuse=True))
    answer(store, coding, 0, 1000, None, 2.0)
    answer(store, coding, 1, 1000, 300, 2.0)
    assert (only(store)["share"], only(store)["source"], only(store)["counted"]) == (0.3, "server", 1)


def test_the_first_call_of_each_run_and_the_later_ones(store: Store) -> None:
    """The calls of the phase are told apart by their place in the run; other phases are left out."""
    planned(store, spec("one"), spec("two"))
    for task, prompts in zip(list(TaskRow.select()), ((1, 2, 4), (3, 5)), strict=True):
        claim = take(store, ready_run(Phase.CODE, task.id))
        for seq, prompt in enumerate(prompts):
            answer(store, claim, seq, prompt, 0)
        with runs.finishing(store, claim, RunState.DONE):
            pass
    found = cache_share.calls(store, SERVER)
    first, later = cache_share.first_and_later(found, "code")
    assert ([call.prompt for call in first], [call.prompt for call in later]) == ([1, 3], [2, 4, 5])
    assert cache_share.first_and_later(found, "review") == ([], [])
    assert cache_share.calls(store, SERVER, "another plan") == ()
