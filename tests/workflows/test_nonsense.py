"""A server that answers nonsense: waited for where one has answered before, said as a wrong address where none has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from lao.cli import run_cmd
from lao.core.errors import Transient
from lao.servers.simulated.scenario import CHAT_PATH, Fault, Match, Rule
from workflows.factory import Factory, active

from .conftest import Plant

Open = Callable[..., Plant]
MODELS = "/api/v1/models"
PLAN = "# Build\n\n- task: {name} | file: {name}.txt | content: x\n"


def once(kind: str, path: str) -> Rule:
    return Rule(Match(path=path), None, Fault(kind), 1)


@pytest.mark.parametrize("path", [CHAT_PATH, MODELS, f"{MODELS}/load", f"{MODELS}/unload"])
@pytest.mark.parametrize("kind", ["html", "garbage"])
def test_a_worker_that_is_new_waits_for_a_server_that_is_known(plant: Open, kind: str, path: str) -> None:
    """P7: found by the soak: one answer of a proxy in a worker's first requests used to park or fail the task."""
    project = plant()
    project.submit("first", PLAN.format(name="one"))
    project.turn()
    with closing(Factory(project.factory.settings)) as new, active.use(new):
        project.factory, old = new, project.factory
        project.server.interpose(once(kind, path))
        project.submit("second", PLAN.format(name="two"))
        project.turn()
        assert [(t["state"], t["attempts"]) for t in project.tasks()] == [("completed", 1)] * 2
        project.factory = old
    assert project.server.struck == {kind: 1}


def test_an_address_at_which_no_server_has_answered_is_said(plant: Open) -> None:
    """The first contact tells a wrong address at once: the plan waits for a person."""
    project = plant()
    project.server.interpose(once("html", MODELS))
    project.submit("first", PLAN.format(name="one"))
    project.turn()
    (plan,) = project.plans()
    assert plan["state"] == "needs_human"
    assert "is not a model server" in str(plan["reason"])


def test_lao_run_waits_for_a_server_that_fails_when_it_starts(plant: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """P7: found by the server faults: status 500 at its start used to end a run that watches; a single run says it."""
    project = plant()
    project.server.interpose(once("http", MODELS))
    with pytest.raises(Transient):
        run_cmd._check_server(project.factory, strict=True)
    project.server.interpose(once("http", MODELS))
    run_cmd._check_server(project.factory, strict=False)
    assert "LAO waits for it" in capsys.readouterr().err
    assert project.server.struck == {"http": 2}
