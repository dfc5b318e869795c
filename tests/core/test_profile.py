"""What follows from a profile: where to begin, which edit format, which limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.core.profile import RUNGS, Profile, Score

GOOD, POOR, BAD = {"whole": Score(3, 3)}, {"whole": Score(1, 3)}, {"whole": Score(0, 2)}


def profile(**fields: Any) -> Profile:
    return Profile("http://s", "m", **fields)


@pytest.mark.parametrize(
    ("fields", "rung"),
    [
        ({}, ""),
        ({"edits": GOOD, "schema": True}, ""),
        ({"tools_stream": "native", "edits": GOOD}, "native"),
        ({"tools_stream": "salvage", "edits": GOOD}, "text"),
        ({"tools_stream": "salvage", "edits": POOR}, "salvage"),
        ({"tools_stream": "none", "edits": POOR, "schema": True}, "text"),
        ({"tools_stream": "none", "edits": BAD, "schema": True}, "schema"),
        ({"tools_stream": "none", "edits": BAD, "schema": False}, "text"),
        ({"tools_stream": "native", "rung": "text"}, "text"),
    ],
)
def test_where_to_begin(fields: dict[str, Any], rung: str) -> None:
    """E8: what worked in real tasks comes first, then the probes; unknown stays unknown."""
    known = profile(**fields)
    assert known.start_rung == rung
    assert known.supports_tools is (None if not rung else rung != "text")
    assert not rung or rung in RUNGS


def test_of_equal_formats_the_simplest_is_best() -> None:
    """E8: whole files before edits before patches, unless the others score better."""
    assert profile(edits={"patch": Score(3, 3), "search_replace": Score(3, 3)}).edit_format == "search_replace"
    assert profile(edits={"whole": Score(2, 3), "patch": Score(3, 3)}).edit_format == "patch"
    assert profile(edits=BAD).edit_format == ""


def test_limits_are_safe_and_follow_the_speed() -> None:
    """E8: three times the expected wait, never absurd, unknown without a speed."""
    slow = profile(prefill_tokens_s=50.0, decode_tokens_s=2.0)
    assert slow.first_token_limit_s(8000) == 510.0
    assert slow.idle_limit_s() == 50.0
    assert profile(prefill_tokens_s=0.5).first_token_limit_s(32768) == 7200.0
    assert profile(decode_tokens_s=300.0).idle_limit_s() == 30.0
    assert profile().first_token_limit_s(8000) is None
    assert profile().idle_limit_s() is None


def test_a_profile_is_json() -> None:
    """E8: what is kept can be written as JSON and read again."""
    known = profile(edits={"whole": Score(2, 3)}, figures={"loaded": [{"id": "m"}]}, context=4096)
    assert Profile.from_json(json.loads(json.dumps(known.to_json()))) == known
