"""Promises of telemetry: one trace for a plan with the GenAI names, none lost by a collector that is away, no cost when
it is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lao.core.states import Phase, Queue
from lao.state import news, runs
from lao.telemetry.otlp import Sender, full_endpoint
from lao.telemetry.spans import trace_id
from tests.telemetry.collector import Collector
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, call, scripted
from workflows import services, telemetry

Open = Callable[..., Plant]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def tools() -> dict[str, object]:
    return scripted(
        [call("file_write", path="../out.txt", content="secret text")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )


def worked(plant: Open, collector: Collector, **otel: object) -> tuple[Plant, Sender]:
    """A plan worked to its end, and a sender to the collector."""
    factory = plant(tools(), otel={"enabled": True, "endpoint": collector.url, **otel})
    news.begin(factory.factory.store, telemetry.NAME)
    factory.submit("traced", PLAN)
    factory.turn()
    return factory, Sender(collector.url, "lao", 5.0)


def test_a_plan_is_one_trace(plant: Open, collector: Collector) -> None:
    """N3 C15: workflow, agents, chats, tools and loads in one trace, each under its parent, with real times."""
    factory, sender = worked(plant, collector)
    assert telemetry.export(factory.factory, sender)
    sender.close()
    assert collector.paths == ["/v1/traces"]
    assert collector.resources[0]["service.name"] == "lao"
    plan_id = str(factory.plans()[0]["id"])
    trace = trace_id(factory.factory.project_id, plan_id)
    assert {span.trace for span in collector.spans} == {f"{trace:032x}"}
    by_id = {span.id: span for span in collector.spans}
    assert len(by_id) == len(collector.spans)
    roots = [span for span in collector.spans if not span.parent]
    assert [root.name for root in roots] == ["invoke_workflow traced"]
    assert all(span.parent in by_id for span in collector.spans if span.parent)
    assert all(span.start <= span.end for span in collector.spans)
    agents = sorted(s.name for s in collector.spans if s.parent == roots[0].id)
    named = [f"invoke_agent {role}" for role in ("coder", "planner", "reviewer")]
    assert agents == [*named, *(f"phase {p.value}" for p in (Phase.CLOSE, Phase.INGEST, Phase.VERIFY))]
    chats = collector.named("chat ")
    assert {by_id[c.parent].name: c.name for c in chats}["invoke_agent coder"] == "chat sim-coder"
    assert [by_id[t.parent].name for t in collector.named("execute_tool")] == ["invoke_agent coder"] * 2
    assert {load.name for load in collector.named("load ")} == {
        "load sim-planner",
        "load sim-coder",
        "load sim-reviewer",
    }


def test_the_attributes_are_those_of_the_convention(plant: Open, collector: Collector) -> None:
    """C15: names of the GenAI semantic conventions; a refused call is an error; no content unless it is asked for."""
    factory, sender = worked(plant, collector)
    assert telemetry.export(factory.factory, sender)
    sender.close()
    chat = next(s for s in collector.named("chat sim-coder"))
    told = chat.attributes
    assert (told["gen_ai.operation.name"], told["gen_ai.request.model"]) == ("chat", "sim-coder")
    assert told["gen_ai.provider.name"] == "openai_compatible"
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["gen_ai.request.max_tokens"] > 0
    assert told["gen_ai.request.temperature"] == pytest.approx(0.2)
    assert told["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert (told["server.address"], chat.kind) == ("127.0.0.1", 3)
    refused, done = collector.named("execute_tool file_write")
    assert (refused.attributes["gen_ai.tool.name"], refused.attributes["error.type"]) == ("file_write", "refused")
    assert (refused.error, done.error) == (True, False)
    assert "error.type" not in done.attributes
    assert "secret text" not in str(collector.spans)


def test_content_is_sent_when_it_is_asked_for(plant: Open, collector: Collector) -> None:
    """N3: otel.content adds answers and arguments."""
    factory, sender = worked(plant, collector, content=True)
    assert telemetry.export(factory.factory, sender)
    sender.close()
    arguments = [s.attributes["gen_ai.tool.call.arguments"] for s in collector.named("execute_tool")]
    assert "secret text" in arguments[0]
    texts = [json.loads(s.attributes["gen_ai.output.messages"]) for s in collector.named("chat sim-coder")]
    assert texts[-1][0]["parts"][0]["content"] == "Done."


def test_what_a_collector_has_missed_is_sent_when_it_is_back(plant: Open, collector: Collector) -> None:
    """N3: nothing is lost while it refuses, and what was taken is not sent twice."""
    collector.status = 400
    factory, sender = worked(plant, collector)
    assert not telemetry.export(factory.factory, sender)
    assert not telemetry.export(factory.factory, sender)
    collector.status = 200
    assert telemetry.export(factory.factory, sender)
    count = len(collector.spans)
    assert count > 10
    assert telemetry.export(factory.factory, sender)
    assert len(collector.spans) == count == len({span.id for span in collector.spans})
    sender.close()


def test_a_collector_that_hangs_holds_up_nothing(plant: Open, collector: Collector) -> None:
    """N3: the work goes on meanwhile, the thread ends soon after the stop, and it is said once."""
    collector.hold.clear()
    factory = plant(tools(), otel={"enabled": True, "endpoint": collector.url})

    def serve() -> None:
        telemetry.send_telemetry(factory.factory)
        factory.factory.store.close()  # this thread's own connection

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    while not news.known(factory.factory.store, telemetry.NAME):
        thread.join(0.02)
    factory.submit("held", PLAN)
    factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"]
    factory.factory.stop.set()
    started = time.monotonic()
    thread.join(20)
    assert not thread.is_alive()
    assert time.monotonic() - started < 2 * telemetry.SEND_S
    factory.factory.stop.clear()


def test_a_run_that_another_process_went_on_with_is_one_span(plant: Open, collector: Collector) -> None:
    """N3 K2: the ids come from the plan, so that another process, or one after a crash, adds to the same trace."""
    factory, sender = worked(plant, collector)
    store = factory.factory.store
    code = (
        "import sys\nfrom pathlib import Path\nfrom lao.config.load import load\n"
        "from workflows.factory import Factory, active\nfrom workflows import telemetry\n"
        "from lao.telemetry.otlp import Sender\n"
        "factory = Factory(load(cwd=Path(sys.argv[1]), env={}))\n"
        "with active.use(factory):\n"
        "    assert telemetry.export(factory, Sender(sys.argv[2], 'lao', 5.0))\n"
        "factory.close()\n"
    )
    place = news.place_of(store, telemetry.NAME)
    assert telemetry.export(factory.factory, sender)
    news.keep(store, telemetry.NAME, place)  # as if the first process had died before it could note its place
    first = {span.id for span in collector.spans}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(factory.root), collector.url], env=env, check=True)
    assert len(collector.spans) == 2 * len(first)
    assert {span.id for span in collector.spans} == first
    sender.close()


def test_when_it_is_off_nothing_of_it_is_there(plant: Open) -> None:
    """N3: no thread is started and no library imported by what a worker imports."""
    factory = plant()
    assert telemetry.send_telemetry not in services._wanted(factory.factory, Queue.CPU)
    code = "import sys, workflows.cpu, workflows.gpu, workflows.services; "
    code += "print([m for m in sys.modules if m.startswith(('opentelemetry', 'google.protobuf'))])"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=factory.root
    )
    assert done.stdout.strip() == "[]"
    assert runs.get(factory.factory.store, 1) is None


def test_it_runs_in_the_cpu_worker_only(plant: Open) -> None:
    """N3: one sender a project."""
    factory = plant(otel={"enabled": True})
    assert telemetry.send_telemetry in services._wanted(factory.factory, Queue.CPU)
    assert telemetry.send_telemetry not in services._wanted(factory.factory, Queue.GPU)


@pytest.mark.parametrize(
    ("given", "full"),
    [
        (None, None),
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("http://c:4318/v1/traces", "http://c:4318/v1/traces"),
    ],
)
def test_the_endpoint_is_the_collectors(given: str | None, full: str | None) -> None:
    """B1: otel.endpoint with and without the path; null is the exporter's own."""
    assert full_endpoint(given) == full
