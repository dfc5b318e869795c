"""Promises of the metrics: tokens and durations of all model calls, by the GenAI conventions, over real OTLP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from lao.core.errors import Terminal, Transient
from lao.servers.embeddings import EmbeddingCall, ServerEmbedder
from lao.servers.simulated.server import SimulatedServer
from lao.state import ledger, news
from lao.state.tables import ModelEventRow
from lao.telemetry.measures import DURATION, TOKENS
from lao.telemetry.otlp import Sender
from lao.telemetry.otlp_metrics import MetricSender
from tests.telemetry.collector import Collector
from tests.workflows.conftest import Plant
from tests.workflows.test_telemetry import tools
from tests.workflows.test_tools_in_flow import PLAN, call, scripted
from workflows import search, telemetry

Open = Callable[..., Plant]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def sent(factory: Plant, collector: Collector) -> tuple[telemetry.Metrics, MetricSender]:
    sender = MetricSender(collector.url, "lao", factory.factory.project_id, 5.0)
    return telemetry.Metrics(factory.factory, sender), sender


def worked(plant: Open, collector: Collector, **otel: object) -> tuple[Plant, telemetry.Metrics, MetricSender]:
    """A plan worked to its end, and metrics that have been looking since before it."""
    factory = plant(tools(), otel={"enabled": True, "endpoint": collector.url, **otel})
    metrics, sender = sent(factory, collector)
    factory.submit("measured", PLAN)
    factory.turn()
    return factory, metrics, sender


def test_the_metrics_are_those_of_the_convention(plant: Open, collector: Collector) -> None:
    """N3 C15: two histograms with the convention's names, units, bounds and attributes, which add up to the calls."""
    factory, metrics, sender = worked(plant, collector)
    assert metrics.export()
    sender.close()
    assert collector.paths == ["/v1/metrics"]
    assert collector.instances[0]["service.name"] == "lao"
    assert collector.instances[0]["service.instance.id"] == factory.factory.project_id
    calls = list(ModelEventRow.select().where(ModelEventRow.kind == "call"))
    for model in ("sim-planner", "sim-coder", "sim-reviewer"):
        own = [c for c in calls if c.model == model]
        (time,) = collector.series(DURATION.name, gen_ai__request__model=model)
        assert (time.unit, time.count, time.temporality) == ("s", len(own), 2)
        assert time.sum == pytest.approx(sum(c.seconds for c in own))
        assert time.bounds == pytest.approx(DURATION.bounds)
        for kind, column in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            (tokens,) = collector.series(TOKENS.name, gen_ai__request__model=model, gen_ai__token__type=kind)
            assert (tokens.unit, tokens.count) == ("{token}", len(own))
            assert tokens.sum == sum(getattr(c, column) for c in own)
            assert tokens.bounds == TOKENS.bounds
            assert sum(tokens.counts) == tokens.count
    told = collector.series(TOKENS.name)[0].attributes
    assert (told["gen_ai.operation.name"], told["gen_ai.provider.name"]) == ("chat", "openai_compatible")
    assert told["server.address"] == "127.0.0.1"
    assert told["server.port"] > 0
    assert DURATION.bounds[:3] + DURATION.bounds[-1:] == (0.01, 0.02, 0.04, 81.92)
    assert TOKENS.bounds[:3] + TOKENS.bounds[-1:] == (1, 4, 16, 67_108_864)


def test_what_was_counted_is_sent_once_and_grows(plant: Open, collector: Collector) -> None:
    """N3: nothing is sent where nothing is new; what a collector missed is in the next, and no call counts twice."""
    collector.status = 400
    factory, metrics, sender = worked(plant, collector)
    place = news.place_of(factory.factory.store, telemetry.METRICS).event
    assert not metrics.export()
    assert not metrics.export()
    assert news.place_of(factory.factory.store, telemetry.METRICS).event == place
    collector.status = 200
    assert metrics.export()
    requests = len(collector.paths)
    assert metrics.export()
    assert len(collector.paths) == requests
    first = sum(p.count for p in collector.series(DURATION.name))
    assert first == ModelEventRow.select().where(ModelEventRow.kind == "call").count()
    ledger.add_model_event(factory.factory.store, "embeddings", model="e", seconds=0.5, data={}, prompt_tokens=30)
    assert metrics.export()
    assert sum(p.count for p in collector.series(DURATION.name)) == first + 1
    (tokens,) = collector.series(TOKENS.name, gen_ai__operation__name="embeddings")
    assert (tokens.sum, tokens.attributes["gen_ai.token.type"]) == (30, "input")
    sender.close()
    again, fresh = sent(factory, collector)  # another worker
    collector.points = []
    assert again.export()
    assert collector.points == [], "the place was kept"
    fresh.close()


def test_a_call_that_failed_has_its_error(plant: Open, collector: Collector) -> None:
    """C15: error.type on the duration; a call without a known time adds none."""
    factory = plant(otel={"enabled": True, "endpoint": collector.url})
    metrics, sender = sent(factory, collector)
    for seconds, failed in ((1.5, "Transient"), (0.0, "empty_answer")):
        data = {"failed": failed}
        ledger.add_model_event(factory.factory.store, "embeddings", model="e", seconds=seconds, data=data)
    assert metrics.export()
    sender.close()
    (point,) = collector.points
    assert (point.name, point.count, point.attributes["error.type"]) == (DURATION.name, 1, "Transient")


def test_a_collector_of_traces_alone_gets_its_spans(
    plant: Open, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """N3: one that knows no metrics is told of once, and the spans go on."""
    collector.refused = "/v1/metrics"
    factory = plant(tools(), otel={"enabled": True, "endpoint": collector.url})

    def serve() -> None:
        telemetry.send_telemetry(factory.factory)
        factory.factory.store.close()  # this thread's own connection

    thread = threading.Thread(target=serve, daemon=True)
    with caplog.at_level(logging.WARNING, "lao"):
        thread.start()
        while not news.known(factory.factory.store, telemetry.METRICS):  # the later of the two
            thread.join(0.02)
        factory.submit("traced", PLAN)
        factory.turn()
        while "/v1/metrics" not in collector.paths:
            thread.join(0.02)
        factory.factory.stop.set()
        thread.join(20)
    factory.factory.stop.clear()
    assert not thread.is_alive()
    assert [span.name for span in collector.spans if not span.parent] == ["invoke_workflow traced"]
    said = [r.getMessage() for r in caplog.records if r.getMessage().startswith("otel")]
    assert said == [f"otel: the collector at {collector.url} takes no metrics; they are kept and sent when it does"]


@pytest.mark.parametrize(("wanted", "paths"), [(True, {"/v1/traces", "/v1/metrics"}), (False, {"/v1/traces"})])
def test_the_thread_of_the_worker_sends_both(plant: Open, collector: Collector, wanted: bool, paths: set[str]) -> None:
    """N3 B1: spans and metrics of one plan, all of it at the worker's end; otel.metrics: false sends only spans."""
    factory = plant(tools(), otel={"enabled": True, "endpoint": collector.url, "metrics": wanted})
    for name in (telemetry.NAME, telemetry.METRICS):
        news.begin(factory.factory.store, name)
    factory.submit("both", PLAN)
    factory.turn()
    factory.factory.stop.set()
    telemetry.send_telemetry(factory.factory)
    factory.factory.stop.clear()
    assert set(collector.paths) == paths
    assert bool(collector.points) == wanted
    assert collector.spans


EMBEDDER = "text-embedding-nomic-embed-text-v1.5"


def test_questions_to_the_embedder_are_spans_and_metrics(plant: Open, collector: Collector) -> None:
    """N3 C15: a coder's search with a resident embedder: spans under its phase, with tokens and the time."""
    turns = [call("shell_exec", command="echo basket > a.txt")], [call("find_relevant_files", query="basket")]
    factory = plant(
        scripted(*turns, [call("file_write", path="part_1.txt", content="x\n")]),
        otel={"enabled": True, "endpoint": collector.url},
        models={"embedder": {"key": EMBEDDER, "context_length": 2048}},
    )
    factory.factory.server.load(EMBEDDER, 2048)
    metrics, counts = sent(factory, collector)
    news.begin(factory.factory.store, telemetry.NAME)
    factory.submit("found", PLAN)
    factory.turn()
    sender = Sender(collector.url, "lao", 5.0)
    assert telemetry.export(factory.factory, sender)
    assert metrics.export()
    sender.close()
    counts.close()
    asked = collector.named("embeddings ")
    assert asked
    by_id = {span.id: span for span in collector.spans}
    assert {by_id[span.parent].name for span in asked} == {"invoke_agent coder"}
    told = asked[0].attributes
    assert (told["gen_ai.operation.name"], told["gen_ai.request.model"]) == ("embeddings", EMBEDDER)
    assert (asked[0].kind, asked[0].error) == (3, False)
    (times,) = collector.series(DURATION.name, gen_ai__operation__name="embeddings")
    assert times.count == len(asked)


def test_a_failed_question_to_the_embedder_is_told_with_its_error() -> None:
    """C15: the class of the error, also where nobody answered; the server's own count of tokens where it gives one."""
    calls: list[EmbeddingCall] = []
    with SimulatedServer() as server:
        server_url = server.url
        there = ServerEmbedder(server_url, "", EMBEDDER)
        there.told = calls.append
        there.embed(["a", "b"])
        there.close()
        wrong = ServerEmbedder(server_url, "", "nobody")
        wrong.told = calls.append
        with pytest.raises(Terminal):
            wrong.embed(["a"])
        wrong.close()
    away = ServerEmbedder(server_url, "", EMBEDDER, connect_s=0.5)
    away.told = calls.append
    with pytest.raises(Transient):
        away.embed(["a"])
    away.close()
    assert [(c.texts, c.failed) for c in calls] == [(2, ""), (1, "Terminal"), (1, "ServerAway")]
    assert calls[0].tokens > 0
    assert all(c.seconds >= 0 for c in calls)


@pytest.mark.parametrize("enabled", [False, True])
def test_without_telemetry_no_question_is_kept(plant: Open, enabled: bool) -> None:
    """N3: where it is off the embedder of a run is asked as ever and leaves no row."""
    factory = plant(otel={"enabled": enabled}, models={"embedder": {"key": EMBEDDER, "context_length": 2048}})
    factory.factory.server.load(EMBEDDER, 2048)
    (factory.root / "a.txt").write_text("basket\n")
    search.searcher_of(factory.factory, 1).find(factory.root, "basket")
    assert (ModelEventRow.select().where(ModelEventRow.kind == "embeddings").count() > 0) == enabled
