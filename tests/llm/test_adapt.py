"""Other forms of a request."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.chat import ChatRequest
from lao.llm.adapt import Adaptation, adapt, fresh, learned, simplified
from lao.llm.failures import Failure

PLAIN = ChatRequest("m", ({"role": "user", "content": "x"},), 10)


def test_references_are_put_in_place() -> None:
    """A schema without references, patterns and limits; an endless one ends."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}, "format": {"type": "string", "format": "date", "default": "x"}},
        "required": ["a", "gone"],
        "$defs": {"A": {"type": "array", "items": {"type": ["null", "integer"], "minimum": 3}, "maxItems": 2}},
    }
    assert simplified(schema) == {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "format": {"type": "string"}},
        "required": ["a"],
    }
    assert simplified({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"}) == {}


def test_alternatives_become_one_object() -> None:
    """One object that allows what any alternative does; null among the types goes; mixed types stay open."""

    def action(name: str, **types: str) -> dict[str, Any]:
        arguments = {
            "type": "object",
            "properties": {k: {"type": t} for k, t in types.items()},
            "required": list(types),
        }
        return {"type": "object", "properties": {"tool": {"const": name}, "arguments": arguments}, "required": ["tool"]}

    assert simplified({"anyOf": [action("a", x="string"), action("b", x="string", y="integer")]}) == {
        "type": "object",
        "properties": {
            "tool": {"enum": ["a", "b"]},
            "arguments": {
                "type": "object",
                "properties": {"x": {"type": "string"}, "y": {"type": "integer"}},
                "required": ["x"],
            },
        },
        "required": ["tool"],
    }
    assert simplified({"anyOf": [{"type": "string"}, {"type": "null"}]}) == {"type": "string"}
    assert simplified({"oneOf": [{"type": "string"}, {"type": "integer"}], "description": "d"}) == {"description": "d"}


def test_nothing_is_learned_that_changes_nothing() -> None:
    """A form that sends the same bytes is not tried."""
    for failure in (Failure.SYSTEM_ROLE_REFUSED, Failure.ALTERNATION_REFUSED, Failure.GRAMMAR_REFUSED):
        assert learned(Adaptation(), failure, PLAIN) is None
    assert learned(Adaptation(), Failure.TOKEN_LOOP, PLAIN) is None


def test_adapting_twice_is_adapting_once() -> None:
    """The usual form of a request is untouched without an adaptation; an adapted one is stable."""
    request = ChatRequest("m", ({"role": "system", "content": "s"}, {"role": "user", "content": "u"}), 10)
    assert adapt(request, Adaptation()) == request
    how = Adaptation(fold_system=True, alternation=2, schema=1, tools=2)
    assert adapt(adapt(request, how), how) == adapt(request, how)


@pytest.mark.parametrize(("given", "warmer"), [(None, 0.6), (0.0, 0.3), (0.9, 1.0)])
def test_a_fresh_sample_is_warmer_with_another_seed(given: float | None, warmer: float) -> None:
    """Temperature goes up, never above one; the seed is another each time."""
    request = ChatRequest("m", PLAIN.messages, 10, temperature=given)
    assert fresh(request, 1).temperature == warmer
    assert fresh(request, 1).seed != fresh(request, 2).seed
