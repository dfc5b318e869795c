"""Profiles of models are kept one for each server and model."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lao.core.profile import Profile, Score
from lao.state import profiles
from lao.state.store import Store
from lao.state.tables import ProfileRow

URL = "http://127.0.0.1:1234"
FULL = Profile(
    server=URL,
    model="m",
    version="4",
    at=5.0,
    context=8192,
    tools_shown=True,
    tools_stream="salvage",
    tools_plain="native",
    parallel_calls=False,
    schema=True,
    thinking="tags",
    system_role="followed",
    edits=MappingProxyType({"whole": Score(3, 3), "patch": Score(0, 2)}),
    prefill_tokens_s=90.5,
    decode_tokens_s=20.0,
    cache_reuse=True,
    figures=MappingProxyType({"size_bytes": 1}),
    seconds=50.0,
    calls=17,
)


def test_a_profile_comes_back_as_it_was_kept(store: Store) -> None:
    """E8: nothing of a profile is lost on the way through the state file; other models have none."""
    profiles.put(store, FULL)
    assert profiles.get(store, URL, "m") == FULL
    assert profiles.get(store, URL, "other") is None
    assert profiles.get(store, "http://elsewhere", "m") is None


def test_a_new_profile_takes_the_place_of_the_old_one(store: Store) -> None:
    """E8: calibrating again leaves one profile for a model and server."""
    profiles.put(store, FULL)
    profiles.put(store, replace(FULL, schema=False))
    profiles.put(store, replace(FULL, server="http://b"))
    assert [(p.server, p.schema) for p in profiles.every(store)] == [
        ("http://127.0.0.1:1234", False),
        ("http://b", True),
    ]


def test_the_rung_that_worked_is_noted(store: Store) -> None:
    """E8: a noted rung comes before what the probes say; without a profile nothing is noted."""
    assert not profiles.note_rung(store, URL, "m", "schema")
    assert profiles.get(store, URL, "m") is None
    profiles.put(store, FULL)
    assert profiles.note_rung(store, URL, "m", "schema")
    noted = profiles.get(store, URL, "m")
    assert noted == replace(FULL, rung="schema")
    assert noted.start_rung == "schema"
    with pytest.raises(ValueError, match="'ladder'"):
        profiles.note_rung(store, URL, "m", "ladder")


def test_profiles_of_other_versions_are_read_as_far_as_they_are_known(store: Store) -> None:
    """E8: a field that this LAO does not know is left out, and one that is missing is unknown."""
    with store.write():
        ProfileRow.create(server=URL, model="m", profile={"server": URL, "model": "m", "mood": "good"}, at=1.0)
    assert profiles.get(store, URL, "m") == Profile(URL, "m")
