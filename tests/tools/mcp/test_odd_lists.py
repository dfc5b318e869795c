"""Lists of tools that are valid and odd: names twice, names in other letters, schemas that refer to themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tools.mcp.servers import Rig, scripted

Open = Callable[[str], Rig]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """``opened("behaviour")``."""
    made: list[Rig] = []

    def build(behaviour: str) -> Rig:
        made.append(Rig(tmp_path, (scripted(tmp_path, behaviour, startup_timeout_s=60.0),)))
        return made[-1]

    yield build
    for item in made:
        item.hub.close()


def test_two_tools_of_one_name(opened: Open) -> None:
    """It must show: the first of each name is offered and can be called, also under an odd one; a person is told."""
    world = opened("twins")
    box = world.toolbox()
    assert box.names == ("mcp__s__", "mcp__s__a_b", "mcp__s__gr__e", "mcp__s__put")
    told = {spec["function"]["name"]: spec["function"]["description"] for spec in box.openai_specs()}
    assert (told["mcp__s__put"], told["mcp__s__a_b"]) == ("number 0", "number 2")
    assert "a.b: x" in world.call(box, "mcp__s__a_b", text="x").text
    assert "größe: x" in world.call(box, "mcp__s__gr__e", text="x").text
    assert world.told == [
        "s: lists two tools called 'put'; the first one is offered",
        "s: its tools 'a.b' and 'a b' are both 'mcp__s__a_b' in plain letters; the first one is offered",
    ]


def test_schemas_that_refer_to_themselves(opened: Open) -> None:
    """It must show: $ref, oneOf and recursion become plain properties, and the tool is called."""
    world = opened("shapes")
    box = world.toolbox()
    (echo, note) = [spec["function"]["parameters"] for spec in box.openai_specs()]
    assert set(echo["properties"]) == {"next", "text"}
    assert (echo["properties"]["text"]["type"], echo["required"]) == ("string", ["text"])
    assert "$ref" not in json.dumps([echo, note])
    assert world.call(box, "mcp__s__echo", text="x", next={"text": "y"}).ok
    assert world.told == []
