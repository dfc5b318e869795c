"""Changing models in factory.yaml: only the changed values change; comments, line ends, indentation stay."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lao.config.edit import Values, set_models
from lao.core.errors import ConfigError

ODD = """\ufeff# mine\r
lm_studio_base_url:   'http://127.0.0.1:1234'   # here\r
\r
models:\r
     planner:   # thinks\r
        key:    'big'     # odd indentation\r
        size_bytes:   17\r
     coder: {key: plain-key, context_length: 8192}   # flow\r
\r
     # a comment between\r
     reviewer:\r
        description: >-\r
           folded\r
           text\r
        key: "quoted: key"\r
git: {enabled: true} # end without newline"""

EFFECTIVE: dict[str, Values] = {
    "planner": {"key": "big", "size_bytes": 17, "context_length": 32768},
    "coder": {"key": "plain-key", "size_bytes": 0, "context_length": 8192},
    "reviewer": {"key": "quoted: key", "size_bytes": 0, "context_length": 8192},
}


def spans(old: str, new: str) -> list[tuple[str, str]]:
    """What was replaced by what, by words."""
    import difflib

    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [(old[a:b], new[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def test_only_the_changed_scalars_change() -> None:
    """M1: with CRLF, a byte order mark, odd indentation, quotes of each kind: every other byte is as it was."""
    changes: dict[str, Values] = {
        "planner": {"key": "it's", "size_bytes": 99},
        "coder": {"key": "qwen/qwen3-8b"},
        "reviewer": {"key": "other"},
    }
    new = set_models(ODD, changes, EFFECTIVE)
    expected = ODD.replace("'big'", "'it''s'").replace("size_bytes:   17", "size_bytes:   99")
    expected = expected.replace("plain-key", "qwen/qwen3-8b").replace('"quoted: key"', '"other"')
    assert new == expected
    assert new.encode().count(b"\r\n") == ODD.encode().count(b"\r\n")


def test_a_text_that_must_be_quoted_is() -> None:
    """A key with a colon, or one that YAML would read as something else, is written in quotes."""
    for key in ("qwen2.5-coder:7b", "null", "1.5", "a #b", "", "ä b", "- x"):
        new = set_models("models:\n  coder:\n    key: x\n", {"coder": {"key": key}}, {})
        assert yaml.safe_load(new)["models"]["coder"]["key"] == key


ANCHORS = """\
models:
  planner: &large {key: big, size_bytes: 5}  # shared
  coder: *large
  reviewer: &rev
    <<: *large
    context_length: 4096
  pilot: *rev
  analyst:
      key: &k small
  embedder: {key: *k}
"""


@pytest.mark.parametrize("role", ["planner", "coder", "reviewer", "pilot", "analyst", "embedder"])
def test_a_role_that_shares_a_mapping_is_changed_alone(role: str) -> None:
    """Anchors: whichever role is changed, all the others mean what they meant."""
    before: dict[str, Any] = yaml.safe_load(ANCHORS)["models"]
    effective: dict[str, Values] = {
        name: {"key": entries["key"], "size_bytes": entries.get("size_bytes", 0)} for name, entries in before.items()
    }
    new = set_models(ANCHORS, {role: {"key": "new", "size_bytes": 7}}, effective)
    after = yaml.safe_load(new)["models"]
    assert (after[role]["key"], after[role]["size_bytes"]) == ("new", 7)
    for name in set(before) - {role}:
        assert after[name]["key"] == before[name]["key"], new
        assert after[name].get("size_bytes", 0) == before[name].get("size_bytes", 0), new
        assert after[name].get("context_length") == before[name].get("context_length"), new
    assert "# shared" in new


def test_changing_the_alias_touches_only_the_alias() -> None:
    """The anchor's own line is not rewritten for the role that follows it."""
    new = set_models(ANCHORS, {"coder": {"key": "new", "size_bytes": 7}}, {})
    assert spans(ANCHORS, new) == [("", "{<<: "), ("", ', key: "new", size_bytes: 7}')]


@pytest.mark.parametrize(
    "text",
    ["", "# only words", "git: {enabled: true}\n", "models:\n", "models: {}\n", "models: # none\ngit: {}\n",
     "models:\n  planner: {key: a}\n", "models:\n  coder:\n", "models:\n  coder: {}\ngit: {}\n",
     "models: {planner: {key: a}}\n", "models:\n  coder:\n    context_length: 4096\n", "models: {coder: null}\n"],
)  # fmt: skip
def test_what_is_not_there_is_added(text: str) -> None:
    """A missing section, role or key is written, and what was there stays a prefix or suffix of it."""
    new = set_models(text, {"coder": {"key": "x"}}, {})
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(new)
    assert after["models"]["coder"]["key"] == "x"
    assert {k: v for k, v in after.items() if k != "models"} == {k: v for k, v in before.items() if k != "models"}
    assert all(removed in ("", " null", "null") for removed, _ in spans(text, new))


@pytest.mark.parametrize("text", ["models: [a\n", "- a\n- b\n", "models: [a, b]\n", "a: 1\n---\nb: 2\n", "models: x\n"])
def test_what_cannot_be_changed_is_refused(text: str) -> None:
    """A text of another form is refused with what to do, and nothing is returned."""
    with pytest.raises(ConfigError, match="cannot be changed"):
        set_models(text, {"coder": {"key": "x"}}, {})
