"""Promise: a kill -9 anywhere in a turn that makes a plan leaves one plan, whole: never two, never a half."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.states import TurnState
from lao.servers.simulated.scenario import parse_scenario
from tests.durability.factory_run import kill_group, project
from tests.durability.test_pilot_beside import ONE, QUIET, count, over, requests, terminal
from tests.durability.test_processes import until
from workflows import pilot

pytestmark = pytest.mark.durability

ORDER = "make a plan that writes wc.txt"
WORK = "- task: part 1 | file: wc.txt | content: x\n"
DRAFT, PLAN = f"# Word file\n\n{WORK}", f"# Word file\n\n{WORK}\nTest: `test -f wc.txt`\n"
FILED = f"# Word file\n\nAsked for: {ORDER}\n\n{WORK}\nTest: `test -f wc.txt`\n"
SETTINGS = {"models": ONE, "permissions": {"allow": ["create_plan"]}, **QUIET}

KILLS = (
    "after_claim:kill",  # nothing is done yet
    "after_apply:kill@1",  # the context is read and not recorded
    "after_apply:kill@2",  # the first draft has come and is not recorded
    "after_step:kill@2",  # it is recorded, and has no check
    "after_apply:kill@3",  # the second one has come
    "before_step:kill@4",  # it is recorded, nothing is filed
    "after_intent:kill",  # what is filed is known, and is not there
    "after_apply:kill@4",  # the file is there and its plan is queued; the step is not done
    "after_step:kill@4",  # the step is done, the turn is not
    "before_finish:kill",  # the answer is there and not recorded
    "after_finish:kill",  # all is recorded, nobody was woken
)


def says() -> tuple[object, ...]:
    """A model that writes a plan without a check, and with one when it is told."""
    again = {"match": {"role": "pilot", "contains": "names no command"}, "answer": {"text": PLAN}}
    return tuple(
        parse_scenario({"responses": [again, {"match": {"role": "pilot"}, "answer": {"text": DRAFT}}]}).responses
    )


@pytest.mark.parametrize("fault", KILLS)
def test_a_kill_in_a_turn_that_makes_a_plan(tmp_path: Path, fault: str) -> None:
    """K1 L3: after the restart the turn ends, at most one call is made again, one plan with all its text is there."""
    with project(tmp_path, settings=SETTINGS, responses=says()) as factory, terminal(factory) as opened:
        turn = pilot.ask(opened, pilot.open_chat(opened).id, ORDER)
        run = factory.start("run", "--plain", log=tmp_path / "log", LAO_FAULT=fault)
        try:
            until(lambda: count(factory, "SELECT sum(crashes) FROM lao_run") or pilot.turn(opened, turn.id).over, 120)
        finally:
            kill_group(run)
        if not fault.startswith("after_finish"):
            assert count(factory, "SELECT sum(crashes) FROM lao_run") > 0, "the fault was never reached"
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            found = over(opened, turn)
        finally:
            kill_group(run)
        assert found.state is TurnState.DONE, found.error
        assert found.tools == ("create_plan Word file",)
        assert found.answer.startswith(FILED.strip())
        assert "wrote word-file.md in the plans folder" in found.answer
        assert sum(requests(factory, "pilot").values()) in (2, 3)
        kept = {path.name: path.read_text() for path in (factory.root / "plans").iterdir() if path.name != "README.md"}
        assert kept == {"word-file.md": FILED}
        assert count(factory, "SELECT count(*) FROM lao_plan WHERE name = 'word-file'") == 1
        told = pilot.events(opened, turn.id)
        assert sum(e.kind == "tool_call" for e in told) == sum(e.kind == "tool_result" for e in told) == 1
