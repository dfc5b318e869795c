"""What a server says of its tools, made fit for weak models: names, descriptions, one plain type a property."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lao.tools.mcp.schemas import short, simplified, tool_name

PLAIN = {"string", "integer", "number", "boolean", "array", "object"}


def one(schema: Any, **around: Any) -> Any:
    """The property ``x`` of that schema, simplified."""
    return simplified({"type": "object", "properties": {"x": schema}, **around})["properties"]["x"]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"type": ["string", "null"], "format": "uri", "pattern": "^a"}, {"type": "string"}),
        ({"type": ["integer", "string"]}, {"type": "string"}),
        ({"type": ["null", "integer"], "minimum": 3, "default": 4}, {"type": "integer"}),
        ({"anyOf": [{"type": "null"}, {"type": "number"}], "description": "How many."},
         {"type": "number", "description": "How many."}),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "integer"}),
        ({"$ref": "#/$defs/color"}, {"type": "string", "enum": ["red", "blue"]}),
        ({"$ref": "https://example.org/schema.json"}, {"type": "string"}),
        ({"$ref": "#/properties/x"}, {"type": "object"}),
        ({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "integer"}}}]},
         {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]}),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}},
         {"type": "array", "items": {"type": "string"}}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        (True, {"type": "string"}),
    ],
)  # fmt: skip
def test_each_property_gets_one_plain_type(given: Any, plain: Any) -> None:
    """N1: no $ref, anyOf, list of types or pattern is left for a model or a chat template to stumble over."""
    assert one(given, **{"$defs": {"color": {"enum": ["red", "blue"]}}}) == plain


def test_only_properties_that_exist_are_required_and_few_are_kept() -> None:
    """N1: what is required stays, of the optional ones as many as fit."""
    many = {f"p{n}": {"type": "string"} for n in range(60)}
    plain = simplified({"properties": many, "required": ["p59", "gone", 7]})
    assert plain["required"] == ["p59"]
    assert len(plain["properties"]) == 24
    assert "p59" in plain["properties"]


def test_a_deep_schema_ends() -> None:
    """N1: types that contain themselves, and deep ones, come out small."""
    deep: Any = {"type": "string"}
    for _ in range(50):
        deep = {"type": "object", "properties": {"inner": deep}}
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}, "right": {"$ref": "#/$defs/tree"}}}
    assert len(json.dumps(one(deep))) < 400
    assert len(json.dumps(one({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}}))) < 2_000


def test_names_are_those_that_chat_interfaces_take() -> None:
    """N1: mcp__SERVER__TOOL; long ones stay different from one another."""
    assert tool_name("files", "read_file") == "mcp__files__read_file"
    assert tool_name("my server", "böse/tool.v2") == "mcp__my_server__b_se_tool_v2"
    names = {tool_name("s", "x" * 80 + end) for end in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {64}


def test_descriptions_are_one_short_paragraph() -> None:
    """N1: no control characters, nothing invisible, nothing long."""
    assert short("Reads\n\n a \x1b[31mfile\u202e.\u200b") == "Reads a [31mfile ."
    text = short("word " * 500)
    assert len(text) <= 300
    assert text.endswith("word…")
    assert short(None) == ""


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["string", "object", "#/$defs/a"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "items",
                    "$ref",
                    "anyOf",
                    "oneOf",
                    "allOf",
                    "enum",
                    "const",
                    "required",
                    "$defs",
                    "a",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(JUNK)
def test_whatever_a_server_sends_comes_out_plain(junk: Any) -> None:
    """N1: any JSON becomes a valid schema in which each property has one plain type."""
    plain = simplified(junk)
    Draft202012Validator.check_schema(plain)
    assert plain["type"] == "object"
    waiting = list(plain["properties"].values())
    while waiting:
        node = waiting.pop()
        assert node["type"] in PLAIN
        assert set(node) <= {"type", "description", "enum", "items", "properties", "required"}
        waiting += [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
