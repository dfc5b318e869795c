"""/model in the Pilot: what it shows, what it writes after a yes, and what Tab offers; no model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from lao.cli.context import Session
from lao.cli.pilot import route
from lao.cli.pilot.commands import registry
from lao.cli.pilot.commands.models import ROLES, ServerModels
from lao.cli.pilot.completion import Completions
from lao.cli.pilot.seat import Reply, Seat
from lao.cli.pilot.status import Glance
from lao.core.errors import BadInput, LaoError
from lao.core.states import Queue
from lao.servers.simulated.scenario import Scenario, SimModel
from lao.servers.simulated.server import SimulatedServer
from lao.state import runs
from workflows import pilot, queues
from workflows.factory import Factory, active

BIG, NOMIC = "qwen/qwen3-coder-30b", "text-embedding-nomic-embed-text-v1.5"
MODELS = (
    SimModel(BIG, 18_556_689_568, max_context_length=262_144),
    SimModel("small", 2_000_000_000, max_context_length=65_536),
    SimModel(NOMIC, 84_106_624, "embedding", 2048),
)
FILE = """\
# mine
lm_studio_base_url: '{url}'
models:
  planner: {{key: small, context_length: 16384}}  # plans
  pilot: {{key: small, context_length: 16384}}  # talks
"""


class Place:
    """A project with a server, and the commands in it."""

    def __init__(self, root: Path, server: SimulatedServer, **flags: object) -> None:
        self.file, self.server = root / "factory.yaml", server
        self.session = Session(cwd=root, env={}, flags=flags)
        self.factory = Factory(self.session.settings())
        self.seat = Seat(self.session, self.factory, pilot.open_chat(self.factory).id)

    def __call__(self, text: str) -> Reply:
        return registry.run(self.seat, route.read(text, registry.by_any_name()))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with SimulatedServer(Scenario(models=MODELS)) as server:
        (tmp_path / "factory.yaml").write_text(FILE.format(url=server.url))
        made = Place(tmp_path, server)
        with active.use(made.factory):
            yield made
        made.factory.close()
        for huey in (queues.cpu, queues.gpu):
            huey.storage.close()


def test_a_role_gets_another_model_after_a_yes(place: Place) -> None:
    """M1: first it says what would change and how it fits, and writes nothing; yes writes it, comments stay, and what
    still runs with the old one is said."""
    before = place.file.read_text()
    asked = place(f"/model pilot {BIG}")
    assert f"pilot: small -> {BIG}, with 16384 tokens of context: fits" in asked.text
    assert (asked.offer, place.file.read_text()) == (f"/model pilot {BIG} yes", before)
    done = place(asked.offer)
    assert f"pilot: key: {BIG}" in done.text
    assert "used from the next question: no worker runs" in done.text
    after = place.file.read_text()
    assert after == before.replace(
        "pilot: {key: small, context_length: 16384}", f"pilot: {{key: {BIG}, context_length: 16384}}"
    )
    assert "# talks" in after
    assert f"pilot     small, context 16384; factory.yaml says {BIG} since" in place("/model").text
    assert place(f"/model pilot {BIG} yes").text == "nothing changed"


def test_a_worker_that_runs_keeps_its_model_and_that_is_said(place: Place) -> None:
    """M1: nobody is told that a change holds before it does; a flag of this Pilot that outdoes the file is named."""
    runs.register_worker(place.factory.store, Queue.GPU.value, place.factory.owner.to_text(), pid=1)
    place.session.flags["pilot_model"] = "small"
    told = place(f"/model pilot {BIG} yes").text
    assert "workers that run keep the model that they began with; 'lao stop'" in told
    assert "started with --pilot-model small" in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/model coder", "too few"),
        ("/model poet small", "no role 'poet'"),
        ("/model coder small now", "does not know 'now'"),
        ("/model coder smal", "smal"),
        (f"/model coder {NOMIC}", "embedding"),
        (f"/model coder {NOMIC} yes", "embedding"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(place: Place, line: str, says: str) -> None:
    """M1: a role, a model or a word that there is not, or an embedder as coder."""
    before = place.file.read_text()
    with pytest.raises(LaoError, match=says):
        place(line)
    assert place.file.read_text() == before


def test_a_server_that_is_away_costs_a_message(place: Place) -> None:
    """M1: the models of a server that does not answer cannot be chosen, and Tab offers none."""
    place.server.stop()
    with pytest.raises(LaoError):
        place("/model coder small")
    assert ServerModels(place.session)() == ()
    place.server.start()


def test_tab_offers_roles_and_then_the_models_of_the_server(place: Place) -> None:
    """M1: the server is asked only where a model is completed, and not at every key."""
    asked: list[int] = []
    names = ServerModels(place.session)

    def models() -> tuple[str, ...]:
        asked.append(1)
        return tuple(names())

    tab = Completions(Glance, place.file.parent, models)

    def offered(text: str) -> list[str]:
        return [c.text for c in tab.get_completions(Document(text), CompleteEvent(completion_requested=True))]

    assert offered("/model ") == list(ROLES)
    assert (offered("/model pi"), asked) == (["pilot"], [])
    assert sorted(offered("/model pilot ")) == sorted([BIG, "small", NOMIC])
    assert offered("/model pilot qwen/") == [BIG]
    place.server.stop()
    assert offered("/model pilot s") == ["small"]
    place.server.start()


def test_no_is_no(place: Place) -> None:
    """M1: an unknown word after the model is no consent."""
    with pytest.raises(BadInput):
        place(f"/model pilot {BIG} y")
