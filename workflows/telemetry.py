"""The thread that sends what the state has recorded as spans and metrics, where ``otel.enabled`` is set. It holds up no
work.

How far it has come is kept in the state: what a collector that is away has missed is sent when it is back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.state import journal, news, runs
from lao.telemetry.measures import Measured, measured
from lao.telemetry.spans import Source, Span, spans_of
from workflows.factory import Factory

log = logging.getLogger("lao")

NAME: Final = "otel"
METRICS: Final = "otel-metrics"
LOOK_S: Final = 1.0
SEND_S: Final = 5.0
"""Longest time of one request."""

LAST_S: Final = 2.0
"""The same of the one when the worker stops."""

LONGEST_PAUSE_S: Final = 60.0
BATCH: Final = 256
"""Spans of one request."""


class Sends(Protocol):
    """What takes spans (``lao.telemetry.otlp.Sender``)."""

    def send(self, spans: list[Span]) -> bool:
        """Whether they were taken."""
        ...


class Counts(Protocol):
    """What keeps and sends metrics (``lao.telemetry.otlp_metrics.MetricSender``)."""

    def add(self, values: Iterable[Measured]) -> int:
        """Count the values in; returns how many there were."""
        ...

    def send(self, timeout_s: float | None = None) -> bool:
        """Whether the collector has taken all that was counted."""
        ...


class Metrics:
    """The metrics of this process: what is new is counted once, and the place is kept when it was taken."""

    def __init__(self, factory: Factory, counts: Counts) -> None:
        news.begin(factory.store, METRICS)
        self._factory, self._counts = factory, counts
        self._source = source_of(factory)
        self._place = news.place_of(factory.store, METRICS)
        self._new = 0

    def export(self, timeout_s: float | None = None) -> bool:
        """Count all that is new and send it; False when the collector did not take it: it goes with the next one."""
        before = self._place.event
        while items := news.look(self._factory.store, self._place):
            self._new += self._counts.add(measured(self._source, items))
        if self._new and not self._counts.send(timeout_s):
            return False
        if self._new or self._place.event != before:
            news.keep(self._factory.store, METRICS, self._place)
        self._new = 0
        return True


@dataclass
class _Way:
    """One of the things that are sent. It has pauses of its own: a collector may take spans and no metrics."""

    what: str
    export: Callable[[], bool]
    failures: int = 0
    due: float = 0.0

    def go(self, where: str) -> None:
        """Send what is new, unless it is in a pause."""
        if time.monotonic() < self.due:
            return
        self.failures = 0 if self.export() else self.failures + 1
        if self.failures == 1:
            text = "otel: the collector at %s takes no %s; they are kept and sent when it does"
            log.warning(text, where, self.what)
        pause = min(LONGEST_PAUSE_S, LOOK_S * 2**self.failures) if self.failures else 0.0
        self.due = time.monotonic() + pause


def begin_telemetry(factory: Factory) -> None:
    """Read from now on; before the first phase of this worker begins, so that its span is news too."""
    news.begin(factory.store, NAME)
    if factory.settings.raw["otel"]["metrics"]:
        news.begin(factory.store, METRICS)


def send_telemetry(factory: Factory) -> None:
    """Send spans and metrics until the worker stops, and then what is left if the collector was there till then."""
    from lao.telemetry.otlp import Sender
    from lao.telemetry.otlp_metrics import MetricSender

    section = factory.settings.raw["otel"]
    endpoint, service = section["endpoint"], section["service_name"]
    try:
        sender = Sender(endpoint, service, SEND_S)
        counts = MetricSender(endpoint, service, factory.project_id, SEND_S) if section["metrics"] else None
    except BadInput as error:
        factory.say_once(str(error))
        factory.stop.wait()
        return
    begin_telemetry(factory)
    metrics = Metrics(factory, counts) if counts is not None else None
    spans = _Way("spans", lambda: export(factory, sender))
    numbers = _Way("metrics", metrics.export) if metrics is not None else None
    where = endpoint or "the default endpoint"
    while not factory.stop.is_set():
        for way in filter(None, (spans, numbers)):
            if not factory.stop.is_set():
                way.go(where)
        factory.stop.wait(LOOK_S)
    sender.close()
    if not spans.failures:
        last = Sender(endpoint, service, LAST_S)
        export(factory, last)
        last.close()
    if metrics is not None and numbers is not None and counts is not None:
        if not numbers.failures:
            metrics.export(LAST_S)
        counts.close()


def export(factory: Factory, sender: Sends) -> bool:
    """Send all that is new; False when the collector did not take it, and then the place is not moved."""
    source = source_of(factory)
    while True:
        place = news.place_of(factory.store, NAME)
        items = news.look(factory.store, place)
        if not items:
            return True
        spans = spans_of(source, items)
        for at in range(0, len(spans), BATCH):
            if not sender.send(spans[at : at + BATCH]):
                return False
        news.keep(factory.store, NAME, place)


def source_of(factory: Factory) -> Source:
    """What the spans of this project are made with."""
    settings = factory.settings
    kind = settings.server.kind

    def answer(run_id: int, label: str) -> Json:
        return journal.result_of(factory.store, run_id, label)

    return Source(
        project=factory.project_id,
        provider="openai_compatible" if kind == "auto" else kind,
        server=settings.server.base_url,
        run=lambda run_id: runs.get(factory.store, run_id),
        content=bool(settings.raw["otel"]["content"]),
        answer=answer,
    )
