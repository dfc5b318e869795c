"""Promise: a small model as Pilot still answers, files plans, and never says what is no answer."""

from __future__ import annotations

from lao.core.states import TurnState
from lao.state import approvals, pauses
from lao.state.approvals import YES
from tests.workflows.test_approvals_flow import Visitor, answering
from tests.workflows.test_pilot import Open, answers, asked

WEAK = {"pilot": {"key": "sim-coder", "supports_tools": False}}


def test_a_weak_model_that_looks_in_circles_must_answer(plant: Open) -> None:
    """What a real model of 1.5 billion parameters does: after a call that it made already it gets no tools any more."""
    look = '{"tool": "pipeline_status", "arguments": {}}'
    factory = plant(answers(look, look, "Nothing is under way."), models=WEAK)
    turn = asked(factory, "what is the status?")
    assert (turn.answer, turn.tools) == ("Nothing is under way.", ("pipeline_status",))


def test_without_a_usable_answer_the_record_speaks(plant: Open) -> None:
    """A last answer that is a call again is never shown as one; what the record says is, and whose it is."""
    look = '{"tool": "pipeline_status", "arguments": {}}'
    factory = plant(answers(look, look, f"```json\n{look}\n```"), models=WEAK)
    turn = asked(factory, "what is the status?")
    assert turn.state is TurnState.DONE
    assert turn.answer.startswith("The model gave no usable answer. What the record says:\n\nplans: none;")


def test_a_weak_model_writes_a_plan_as_markdown(plant: Open) -> None:
    """It is asked for Markdown, once more where no command tests the work; LAO files it, after asking the person."""
    bare = "# Slugs\n\nWrite `slug.py` with slugify(text)."
    good = f"```markdown\n{bare}\n\nTest: `python3 slug.py`\n```"
    visitor = Visitor()
    factory = plant(answers(bare, good), models=WEAK, clock=visitor)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    visitor.act = answering(factory, YES)
    pauses.pause(factory.factory.store, None)
    wish = "make a plan that adds slugify(text) in slug.py"
    turn = asked(factory, wish)
    text = (factory.root / "plans" / "slugs.md").read_text()
    assert text == f"# Slugs\n\nAsked for: {wish}\n\nWrite `slug.py` with slugify(text).\n\nTest: `python3 slug.py`\n"
    assert turn.tools == ("create_plan Slugs",)
    assert turn.answer.startswith(text.strip())
    assert "wrote slugs.md in the plans folder" in turn.answer
