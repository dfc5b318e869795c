"""Scenario files and the matching of their rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lao.core.errors import BadInput
from lao.servers.simulated.answers import Script
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import CHAT_PATH, Fault, Match, Rule, Scenario, load_scenario, parse_scenario


def ask(*messages: str, **body: Any) -> SimRequest:
    """A request with these user messages."""
    return SimRequest(CHAT_PATH, {"messages": [{"role": "user", "content": m} for m in messages], **body})


def says(rules: list[Any], *requests: SimRequest) -> list[str]:
    """The texts of the answers, "scripted" where no rule answered."""
    script = Script(parse_scenario({"responses": rules}).responses)
    texts = [script.choose(r)[0].text for r in requests]
    return ["scripted" if "no rule of its scenario" in t else t for t in texts]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_file(tmp_path: Path, form: str) -> None:
    """YAML and JSON files give the same scenario."""
    data = {"models": [{"key": "m", "type": "embedding"}], "responses": [{"fault": {"kind": "close"}, "times": 2}]}
    file = tmp_path / f"s.{form}"
    file.write_text(
        json.dumps(data)
        if form == "json"
        else "models: [{key: m, type: embedding}]\nresponses:\n- {fault: {kind: close}, times: 2}\n"
    )
    scenario = load_scenario(file)
    assert scenario == parse_scenario(data)
    assert scenario.models[0].type == "embedding"
    assert (scenario.responses[0].fault, scenario.responses[0].times) == (Fault("close"), 2)


def test_empty_file_is_the_default(tmp_path: Path) -> None:
    """An empty file is the default scenario."""
    file = tmp_path / "s.yaml"
    file.write_text("# nothing\n")
    assert load_scenario(file) == Scenario()


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({"modells": []}, "top level: .*'modells'", "'models'"),
        ({"models": [{"key": "a", "size": 1}]}, r"models\[0\]", "size_bytes"),
        ({"models": [{"key": "a"}, {"key": "a"}]}, "'a' is listed twice", ""),
        ({"responses": [{"fault": {"kind": "explode"}}]}, r"responses\[0\].fault.kind.*'explode'", ""),
        ({"responses": [{"match": {}}]}, r"responses\[0\]", ""),
        ({"vram_total_bytes": "much"}, "vram_total_bytes.*'much'", ""),
        ([], "top level.*object", ""),
    ],
)
def test_wrong_scenarios(data: Any, message: str, hint: str) -> None:
    """A wrong scenario is refused with the place, the problem and the nearest key."""
    with pytest.raises(BadInput, match=message) as caught:
        parse_scenario(data)
    assert hint in caught.value.hint


def test_unreadable_files(tmp_path: Path) -> None:
    """A missing file, broken YAML and binary content are BadInput naming the file."""
    (tmp_path / "a.yaml").write_text("{a: [")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("a.yaml", "b.yaml", "none.yaml"):
        with pytest.raises(BadInput, match=name):
            load_scenario(tmp_path / name)


def test_first_match_wins() -> None:
    """Rules are tried in order; without a match the scripted roles answer."""
    rules = [{"match": {"model": "m"}, "answer": {"text": "1"}}, {"match": {"contains": "x"}, "answer": {"text": "2"}}]
    assert says(rules, ask("x", model="m"), ask("x"), ask("y")) == ["1", "2", "scripted"]


def test_contains() -> None:
    """All of ``contains``, one of ``contains_any``, in the last user message or anywhere."""
    both = [{"match": {"contains": ["a", "b"]}, "answer": {"text": "!"}}]
    assert says(both, ask("a b"), ask("a"), ask("a b", "c")) == ["!", "scripted", "scripted"]
    either = [{"match": {"contains_any": ["a", "b"], "anywhere": True}, "answer": {"text": "!"}}]
    assert says(either, ask("b", "c"), ask("c")) == ["!", "scripted"]


def test_schema_tools_role() -> None:
    """Rules may ask for a response schema, for tools, or for a role of the system prompt."""
    form = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    tool = {"type": "function", "function": {"name": "t"}}
    rules = [
        {"match": {"role": "pilot"}, "answer": {"text": "role"}},
        {"match": {"schema": True}, "answer": {"text": "schema"}},
        {"match": {"tools": True}, "answer": {"text": "tools"}},
        {"match": {"tools": False, "schema": False}, "answer": {"text": "plain"}},
    ]
    role = SimRequest(CHAT_PATH, {"messages": [{"role": "system", "content": "Hi.\nLAO role: pilot\nBe good."}]})
    asked = (role, ask("", response_format=form), ask("", tools=[tool]), ask(""))
    assert says(rules, *asked) == ["role", "schema", "tools", "plain"]


def test_nth_and_times() -> None:
    """``nth`` answers one certain match, ``times`` only so many."""
    nth = [{"match": {"nth": 2}, "answer": {"text": "!"}}]
    assert says(nth, ask(""), ask(""), ask("")) == ["scripted", "!", "scripted"]
    times = [{"answer": {"text": "!"}, "times": 2}]
    assert says(times, ask(""), ask(""), ask("")) == ["!", "!", "scripted"]


def test_answers() -> None:
    """json is sent as text, repeat repeats, and a fault alone leaves the scripted answer."""
    rules = [{"answer": {"json": {"a": 1}}, "times": 1}, {"answer": {"text": "la", "repeat": 3}, "times": 1}]
    rules.append({"fault": {"kind": "wrong_model"}})  # type: ignore[dict-item]
    assert says(rules, ask(""), ask(""), ask("")) == ['{"a": 1}', "lalala", "scripted"]


def test_other_paths() -> None:
    """A rule for another path does not touch the chat."""
    script = Script(parse_scenario({"responses": [{"match": {"path": "/x"}, "fault": {"kind": "html"}}]}).responses)
    assert script.choose(ask(""))[1] is None
    assert script.fault("/x", {}) == Fault("html")
    assert script.fault("/y", {}) is None


def test_interposed_rules_come_first_until_they_are_taken_away() -> None:
    """A fault can be ordered while the server runs; what it struck is counted, and the scenario's own rules are not."""
    script = Script(parse_scenario({"responses": [{"answer": {"text": "own"}}]}).responses)
    script.interpose([Rule(fault=Fault("close"), times=1), Rule(Match(path="/other"), fault=Fault("hang"))])
    first, second = script.choose(ask("a")), script.choose(ask("a"))
    assert (first[1], second[1], second[0].text) == (Fault("close"), None, "own")
    assert script.fault("/other", {}) == Fault("hang")
    script.interpose([])
    assert script.fault("/other", {}) is None
    assert script.struck == {"close": 1, "hang": 1}
