"""Promise: a turn of the Pilot goes before running work and harms none; a kill -9 costs at most the call in flight."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lao.config.load import load
from lao.core.states import TurnState
from lao.servers.simulated.scenario import parse_scenario
from lao.state import approvals
from lao.state.chats import Turn
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.test_processes import until
from workflows import pilot
from workflows.factory import Factory, active

pytestmark = pytest.mark.durability

ONE = {role: {"key": "sim-coder", "supports_tools": True} for role in ("planner", "coder", "reviewer", "pilot")}
TWO = {**ONE, "pilot": {"key": "sim-planner", "supports_tools": True}}
QUIET = {"calibration": {"auto": False}}


def call(name: str, **arguments: object) -> dict[str, object]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def pilot_says(*turns: dict[str, object]) -> tuple[Any, ...]:
    rules = [{"match": {"role": "pilot"}, "answer": turn, "times": 1} for turn in turns]
    return parse_scenario({"responses": rules}).responses


@contextmanager
def terminal(factory: Project) -> Iterator[Factory]:
    """This process as the Pilot's terminal, which shows questions."""
    opened = Factory(load(cwd=factory.root, env={}))
    try:
        with active.use(opened):
            approvals.attend(opened.store, opened.owner.to_text())
            yield opened
    finally:
        opened.close()


def over(opened: Factory, turn: Turn) -> Turn:
    until(lambda: pilot.turn(opened, turn.id).over, 120)
    return pilot.turn(opened, turn.id)


def requests(factory: Project, role: str) -> Counter[tuple[object, ...]]:
    """What a role was asked, each request by its size and form."""
    asked = [entry for entry in factory.server.log if entry.get("role") == role]
    return Counter((entry["messages"], entry["prompt_tokens"], entry["tools"]) for entry in asked)


def count(factory: Project, query: str) -> int:
    with sqlite3.connect(factory.root / ".lao" / "state.db") as db:
        (found,) = db.execute(query).fetchone()
    db.close()
    return int(found)


def worked(factory: Project, log: Path, ask: bool) -> Turn | None:
    """Work a plan of two tasks; a turn is asked while the coder generates."""
    (factory.root / "plans" / "parts.md").write_text(plan_text(2, chained=True))
    run = factory.start("run", "--single-run", "--plain", log=log)
    turn = None
    try:
        until(lambda: any(e.get("role") == "coder" for e in factory.server.log), 120)
        if ask:
            with terminal(factory) as opened:
                turn = pilot.ask(opened, pilot.open_chat(opened).id, "How is it going?")
                begun = len(factory.server.log)
                turn = over(opened, turn)
                log_of = factory.server.log[begun:]
                first = next(n for n, e in enumerate(log_of) if e.get("role") == "pilot")
                others = [e for e in log_of[:first] if e.get("role") not in ("pilot", None)]
                assert len(others) <= 1, others
        assert run.wait(240) == 0
    finally:
        kill_group(run)
    return turn


@pytest.mark.parametrize("models", [ONE, TWO], ids=["the same model", "another model"])
def test_a_turn_beside_a_running_plan(tmp_path: Path, models: dict[str, object]) -> None:
    """L2 E1: it is asked after at most one call of the coder; the plan's calls and its result are those of a run
    without it; one model is resident at a time."""
    results, asked = [], []
    for name, ask in (("without", False), ("with", True)):
        folder = tmp_path / name
        folder.mkdir()
        responses = pilot_says({"text": "It goes well."})
        settings = {"models": models, **QUIET}
        with project(folder, settings=settings, responses=responses, first_token_s=0.4) as factory:
            turn = worked(factory, tmp_path / f"log-{name}", ask)
            if turn is not None:
                assert (turn.state, turn.answer) == (TurnState.DONE, "It goes well.")
            assert factory.server.stats["max_large_resident"] == 1
            assert factory.server.stats["most_at_once"] == 1
            asked.append({role: requests(factory, role) for role in ("planner", "coder", "reviewer")})
            results.append({p.name: p.read_text() for p in (factory.root / "parts").glob("part_*.txt")})
            assert sum(requests(factory, "pilot").values()) == int(ask)
    assert results[0] == results[1]
    assert len(results[0]) == 2
    assert asked[0] == asked[1]


def test_interrupting_cuts_the_stream(tmp_path: Path) -> None:
    """L2: the server sees that nobody listens; what had come of the answer is kept, and the next is answered."""
    responses = pilot_says({"text": " ".join(map(str, range(4000)))}, {"text": "Here."})
    settings = {"models": ONE, **QUIET}
    with (
        project(tmp_path, settings=settings, responses=responses, tokens_per_second=50.0) as factory,
        terminal(factory) as opened,
    ):
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            turn = pilot.ask(opened, pilot.open_chat(opened).id, "Talk.")
            until(lambda: sum(e.kind == "text" for e in pilot.events(opened, turn.id)) > 3, 120)
            pilot.interrupt(opened, turn.id)
            found = pilot.turn(opened, turn.id)
            assert found.state is TurnState.INTERRUPTED
            assert found.answer.startswith("0 1 2")
            until(lambda: any(e.get("status") == "abandoned" for e in factory.server.log), 30)
            again = over(opened, pilot.ask(opened, turn.chat, "Are you there?"))
            assert (again.state, again.answer) == (TurnState.DONE, "Here.")
            assert [e.kind for e in pilot.events(opened, turn.id)][-1] == "interrupted"
        finally:
            kill_group(run)


@pytest.mark.parametrize(
    "fault", ["after_intent:kill", "after_apply:kill@3", "after_apply:kill@4", "before_finish:kill"]
)
def test_a_kill_in_the_middle_of_a_turn(tmp_path: Path, fault: str) -> None:
    """K1: in the middle of its tool, after a model call, at the end: the turn goes on after the restart, at most one
    call is made again, and what the tool did is done once."""
    new = call("create_plan", title="counter", content="- task: part 1 | file: wc.txt | content: x")
    seen = {"match": {"role": "pilot", "contains": "wrote counter.md", "anywhere": True}, "answer": {"text": "Filed."}}
    responses = parse_scenario({"responses": [seen, {"match": {"role": "pilot"}, "answer": new}]}).responses
    settings = {"models": ONE, "permissions": {"allow": ["create_plan"]}, **QUIET}
    with project(tmp_path, settings=settings, responses=responses) as factory, terminal(factory) as opened:
        turn = pilot.ask(opened, pilot.open_chat(opened).id, "a counter: file that")
        run = factory.start("run", "--plain", log=tmp_path / "log", LAO_FAULT=fault)
        try:
            until(lambda: count(factory, "SELECT sum(crashes) FROM lao_run") or pilot.turn(opened, turn.id).over, 120)
        finally:
            kill_group(run)
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            found = over(opened, turn)
        finally:
            kill_group(run)
        assert found.state is TurnState.DONE, found.error
        assert (found.answer, found.tools) == ("Filed.", ("create_plan counter",))
        assert sum(requests(factory, "pilot").values()) in (2, 3)
        assert [p.name for p in (factory.root / "plans").glob("*.md")] == ["counter.md"]
        assert count(factory, "SELECT count(*) FROM lao_plan WHERE name = 'counter'") == 1
        told = pilot.events(opened, turn.id)
        assert sum(e.kind == "tool_call" for e in told) == sum(e.kind == "tool_result" for e in told) == 1
        assert told[-1].kind == "done"


def test_a_worker_is_started_when_none_lives(tmp_path: Path) -> None:
    """L2: once; it answers, and 'lao stop' ends it."""
    with (
        project(tmp_path, settings={"models": ONE, **QUIET}, responses=pilot_says({"text": "Here."})) as factory,
        terminal(factory) as opened,
    ):
        turn = pilot.ask(opened, pilot.open_chat(opened).id, "Is anybody there?")
        assert pilot.events(opened, turn.id)[0].data["why"] == "no worker"
        try:
            assert pilot.ensure_worker(opened).startswith("no worker was running; started one (process ")
            assert over(opened, turn).answer == "Here."
            assert pilot.ensure_worker(opened).startswith("a worker runs already (process ")
        finally:
            assert factory.lao("stop").returncode == 0
        assert (factory.root / ".lao" / "logs" / "pilot-workers.log").read_text()
