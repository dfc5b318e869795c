"""Calibration: the probes tell apart what matters, cost little, and leave unknown what they cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from lao.agents.calibration import editing, pace, structure
from lao.agents.calibration.editing import edits, succeeds
from lao.agents.calibration.run import Subject, calibrate
from lao.core.chat import ChatAnswer, Usage
from lao.core.clock import FakeClock
from lao.core.errors import AttemptFailed, ServerAway, Terminal
from lao.core.profile import Profile, Score
from lao.llm.faults import ContextOverflow
from tests.agents.mimic import Mimic, MimicWire, bench, written

SUBJECT = Subject("http://s", "m", "4.0", context=8192, wanted_context=8192, figures={"size_bytes": 5})


def calibrated(budget_s: float = 300.0, subject: Subject = SUBJECT, **traits: Any) -> Profile:
    mimic = Mimic(FakeClock(), **traits)
    return calibrate(bench(mimic, budget_s=budget_s), subject, now=7.0)


def test_a_strong_model_is_known_in_all_fields() -> None:
    """E8: every field of the profile is measured, and the model begins with native calls."""
    profile = calibrated()
    assert (profile.server, profile.model, profile.version, profile.at) == ("http://s", "m", "4.0", 7.0)
    assert profile.context == 8192
    assert profile.figures == {"size_bytes": 5}
    assert (profile.tools_shown, profile.tools_stream, profile.tools_plain) == (True, "native", "native")
    assert profile.parallel_calls is True
    assert profile.schema is True
    assert (profile.thinking, profile.system_role) == ("none", "followed")
    assert profile.edits["whole"] == profile.edits["search_replace"] == Score(3, 3)
    assert profile.prefill_tokens_s == pytest.approx(100, rel=0.01)
    assert profile.decode_tokens_s == pytest.approx(20, rel=0.01)
    assert profile.cache_reuse is True
    assert (profile.start_rung, profile.supports_tools, profile.edit_format) == ("native", True, "whole")


def test_a_weak_model_begins_with_plain_files() -> None:
    """E8: calls that come as text are not offered to a model that writes whole files well."""
    profile = calibrated(tools="salvage", system="ignored", formats=("whole",))
    assert (profile.tools_stream, profile.tools_plain, profile.parallel_calls) == ("salvage", "salvage", None)
    assert profile.system_role == "accepted"
    assert profile.edits["search_replace"] == Score(0, 2)
    assert (profile.start_rung, profile.supports_tools, profile.edit_format) == ("text", False, "whole")


def test_the_best_edit_format_is_the_one_whose_edits_came_out_right() -> None:
    """E8: the format is chosen by results, not by what usually works."""
    assert calibrated(formats=("search_replace",)).edit_format == "search_replace"
    assert calibrated(formats=()).edit_format == ""


def test_calibration_is_short_on_a_slow_machine() -> None:
    """E8: with 20 tokens a second written and 80 read, all probes together take less than 90 seconds."""
    weak = {"tools": "salvage", "formats": ("whole",), "caches": False, "tells_cache": False}
    for traits in ({}, weak, {"thinking": "field"}):
        profile = calibrated(prefill=80.0, **traits)
        assert 0 < profile.seconds < 90
        assert profile.calls <= 17


def test_probes_stop_when_the_time_is_over() -> None:
    """E8: what there was no time for is unknown, and the budget is kept."""
    mimic = Mimic(FakeClock(), decode=2.0, prefill=10.0)
    profile = calibrate(bench(mimic, budget_s=90.0), SUBJECT, now=0.0)
    assert profile.seconds < 150
    assert profile.tools_stream == "native"
    assert profile.edits == {}
    assert profile.edit_format == ""


def test_a_model_without_tool_support_is_known_as_such() -> None:
    """F12: tools that the template does not show, or that the server refuses, are not offered."""
    profile = calibrated(tools="none")
    assert (profile.tools_shown, profile.tools_stream, profile.supports_tools) == (False, "none", False)
    refused = calibrated(tools="unsupported")
    assert (refused.tools_shown, refused.tools_stream, refused.tools_plain) == (False, "none", "none")
    assert refused.schema is True


def test_streamed_and_plain_calls_are_told_apart() -> None:
    """F3: calls that are right only without streaming do not count as native for LAO, which always streams."""
    mimic = Mimic(FakeClock(), tools="none")
    wire = MimicWire(mimic)
    wire.plain = "native"
    profile = calibrate(bench(mimic, wire), SUBJECT, now=0.0)
    assert (profile.tools_stream, profile.tools_plain) == ("none", "native")
    assert profile.supports_tools is False


def test_a_server_without_a_token_count_leaves_open_whether_tools_are_shown() -> None:
    """E8: an endpoint that is not there means unknown, not no."""
    mimic = Mimic(FakeClock())
    assert calibrate(bench(mimic, MimicWire(mimic, counts=False)), SUBJECT, now=0.0).tools_shown is None


def test_a_refused_system_role_is_worked_around() -> None:
    """F36: the system text goes into the user's message, and the other probes still count."""
    profile = calibrated(system="refused")
    assert profile.system_role == "refused"
    assert profile.edits["whole"] == Score(3, 3)


@pytest.mark.parametrize("way", ["field", "tags", "none"])
def test_where_thinking_goes(way: str) -> None:
    """E8: the profile says where the model's thinking is found."""
    assert calibrated(thinking=way).thinking == way


@pytest.mark.parametrize(
    ("trait", "known"), [("honoured", True), ("ignored", False), ("refused", False), ("cut", None)]
)
def test_whether_a_schema_is_honoured(trait: str, known: bool | None) -> None:
    """F16: the canary's answer is checked against the schema; one that was cut off shows nothing."""
    assert calibrated(schema=trait).schema is known


def test_a_model_that_thinks_to_the_limit_is_not_called_unable() -> None:
    """E8 F42: answers that were cut while thinking show nothing; tools, schema and edits stay unknown."""
    profile = calibrated(thinking="endless")
    assert (profile.thinking, profile.system_role, profile.tools_stream) == ("tags", "", "")
    assert (profile.schema, profile.edits, profile.supports_tools) == (None, {}, None)


def test_a_quick_model_may_think_longer() -> None:
    """E8: thinking models get three times the limit, and ten times where that takes no time."""
    slow, quick = Mimic(FakeClock(), thinking="field"), Mimic(FakeClock(), thinking="field", decode=200.0)
    for mimic in (slow, quick):
        calibrate(bench(mimic), SUBJECT, now=0.0)
    assert (slow.requests[1].max_tokens, quick.requests[1].max_tokens) == (240, 800)


def test_a_second_calibration_does_not_measure_the_cache_of_the_first() -> None:
    """E8: the long prompt is another one each time, and a prompt that was hardly read gives no speed."""
    mimic = Mimic(FakeClock())
    first, second = (pace.probe_prefill(bench(mimic)) for _ in range(2))
    assert first["prefill_tokens_s"] == pytest.approx(second["prefill_tokens_s"], rel=0.05)
    begun = [str(r.messages[0]["content"])[:20] for r in mimic.requests]
    assert begun[0] == begun[1] != begun[2] == begun[3]
    mimic.answer = lambda request: ChatAnswer("x")  # type: ignore[method-assign]
    mimic.complete = lambda request: heard(480, 470, 0.2)  # type: ignore[method-assign]
    assert "prefill_tokens_s" not in pace.probe_prefill(bench(mimic))


def test_json_in_the_field_for_thinking_counts() -> None:
    """F14: a server that puts the schema's answer there honours the schema; LAO reads it from there."""
    mimic = Mimic(FakeClock())
    answer = ChatAnswer("", reasoning='{"canary_colour":"red","canary_count":5,"canary_sentence":"x"}')
    mimic.answer = lambda request: answer  # type: ignore[method-assign]
    assert structure.probe(bench(mimic)) == {"schema": True}


def test_a_failed_probe_leaves_its_field_unknown() -> None:
    """E8: a probe that gets no sense out of the server does not end calibration and claims nothing."""
    mimic = Mimic(FakeClock(), errors={1: AttemptFailed("odd"), 2: Terminal("refused the request")})
    profile = calibrate(bench(mimic), SUBJECT, now=0.0)
    assert (profile.tools_stream, profile.schema, profile.supports_tools) == ("", None, None)
    assert profile.edits["whole"] == Score(3, 3)


def test_a_server_that_chokes_on_calls_is_not_offered_tools() -> None:
    """F9: the server's own parser failed on the model's call: calls do not work there."""
    mimic = Mimic(FakeClock(), errors={1: AttemptFailed("peg-native", kind="server_parse")})
    assert calibrate(bench(mimic), SUBJECT, now=0.0).tools_stream == "none"


@pytest.mark.parametrize("nth", [0, 3])
def test_a_server_that_goes_away_ends_calibration(nth: int) -> None:
    """E8: half a profile of a server in trouble is none."""
    mimic = Mimic(FakeClock(), errors={nth: ServerAway("gone")})
    with pytest.raises(ServerAway):
        calibrate(bench(mimic), SUBJECT, now=0.0)


def test_nothing_found_is_no_profile() -> None:
    """E8: a model that no request reached is not stored as one that can do nothing."""
    unknown = Mimic(FakeClock(), errors={0: Terminal("unknown model")})
    with pytest.raises(Terminal):
        calibrate(bench(unknown), SUBJECT, now=0.0)
    mute = Mimic(FakeClock(), errors={n: AttemptFailed("wrong", kind="wrong_model") for n in range(40)})
    wire = MimicWire(mute)
    wire.plain = "none"
    with pytest.raises(AttemptFailed, match="time ran out"):
        calibrate(bench(mute, wire, budget_s=0.0), SUBJECT, now=0.0)


@pytest.mark.parametrize("name", ["whole", "search_replace", "patch"])
def test_the_right_answer_of_each_format_is_accepted_only_as_that_format(name: str) -> None:
    """E8: an edit counts when the asked format, really applied, gives the right file."""
    for edit in edits():
        right = ChatAnswer(written(name, edit), finish_reason="stop")
        for asked in ("whole", "search_replace", "patch"):
            assert succeeds(right, edit, asked) is (asked == name), (edit.path, asked)


def test_wrong_and_cut_edits_do_not_count() -> None:
    """E8: neither a changed file that is wrong, nor one that was cut off, nor prose."""
    edit = edits()[0]
    wrong = written("whole", edit).replace("RETRIES = 5", "RETRIES = 6")
    assert not succeeds(ChatAnswer(wrong), edit, "whole")
    assert not succeeds(ChatAnswer(written("whole", edit)[:-12], finish_reason="length"), edit, "whole")
    assert not succeeds(ChatAnswer("Done."), edit, "whole")
    missed = written("search_replace", edit).replace("RETRIES = 3", "RETRIES = 4")
    assert not succeeds(ChatAnswer(missed), edit, "search_replace")
    untouched = f"FILE: {edit.path}\n```python\n{edit.before}```"
    assert not succeeds(ChatAnswer(untouched), edit, "whole")


def test_one_try_is_no_score() -> None:
    """E8: a format with time for one edit only stays unknown."""
    mimic = Mimic(FakeClock(), decode=2.0)
    tight = bench(mimic, budget_s=20.0)
    assert editing.probe(tight, "whole") == {}


def heard(prompt: int, cached: int | None, first_s: float) -> ChatAnswer:
    return ChatAnswer("x", usage=Usage(prompt, 1, cached), first_token_s=first_s)


def test_reuse_of_a_prompt_is_seen_in_counts_or_in_time() -> None:
    """E8: the server's count decides; without one a much quicker second time; too short times say nothing."""
    assert pace.reuse(heard(500, 0, 5.0), heard(500, 450, 5.0)) is True
    assert pace.reuse(heard(500, None, 5.0), heard(500, None, 0.5)) is True
    assert pace.reuse(heard(500, None, 5.0), heard(500, None, 4.8)) is False
    assert pace.reuse(heard(500, None, 0.05), heard(500, None, 0.01)) is None
    assert pace.reuse(heard(500, 0, 5.0), heard(500, 20, 4.8)) is False


def test_the_context_is_learnt_from_the_overflow() -> None:
    """F30: where the server's list does not tell, an overlong prompt does, if reading it would be quick."""
    mimic = Mimic(FakeClock(), errors={0: ContextOverflow("x", prompt_tokens=9000, context=4096)})
    assert pace.probe_context(bench(mimic), 8192, 2000.0) == {"context": 4096}
    assert pace.probe_context(bench(Mimic(FakeClock())), 8192, 100.0) == {}
    assert pace.probe_context(bench(Mimic(FakeClock())), 8192, None) == {}
    roomy = pace.probe_context(bench(Mimic(FakeClock(), prefill=5000.0)), 8192, 5000.0)
    assert roomy["context"] >= 8192


def test_all_requests_are_small() -> None:
    """E8: no probe asks for more than 150 tokens, 250 for an edit, of a model that does not think first."""
    mimic = Mimic(FakeClock())
    calibrate(bench(mimic), SUBJECT, now=0.0)
    assert max(r.max_tokens for r in mimic.requests) <= 150
    assert all(r.temperature == 0.0 for r in mimic.requests)
