"""H4: ``output_style`` is what the Pilot's model is told, and nothing that LAO adds breaks it."""

from __future__ import annotations

import json

import pytest

from tests.workflows.test_pilot import Open, asked


@pytest.mark.parametrize(
    ("style", "told"), [("terse", "Be terse"), ("json", "one JSON object"), ("narrative", "You are the Pilot")]
)
def test_the_style_is_in_the_prompt(plant: Open, style: str, told: str) -> None:
    """H4: terse and json are told; narrative, the default, adds nothing."""
    seen = {"match": {"role": "pilot", "contains": told, "anywhere": True}, "answer": {"text": "As you wish."}}
    other = {"match": {"role": "pilot", "contains_any": ["Be terse", "one JSON object"], "anywhere": True}}
    rules = [seen] if style != "narrative" else [{**other, "answer": {"text": "No."}}, seen]
    factory = plant({"responses": rules}, output_style=style)
    assert asked(factory).answer == "As you wish."


def test_json_stays_json_where_something_failed(plant: Open) -> None:
    """H4: the record is not written beneath a document that a program reads."""
    document = {"answer": "The check of part 1 fails.", "facts": ["exit code 3"]}
    rules = [{"match": {"role": "pilot"}, "answer": {"text": json.dumps(document)}}]
    factory = plant({"responses": rules}, output_style="json", attempts={"idle": False, "split": False})
    factory.submit("broken", "# Parts\n\n- task: part 1 | file: part_1.txt | content: x | test: sh -c 'exit 3'\n")
    factory.turn()
    assert json.loads(asked(factory, "what failed and why?").answer) == document
