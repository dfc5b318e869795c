"""The thread that sends what the state has recorded as spans, where ``otel.enabled`` is set. It holds up no work.

How far it has come is kept in the state: what a collector that is away has missed is sent when it is back.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.state import journal, news, runs
from lao.telemetry.spans import Source, Span, spans_of
from workflows.factory import Factory

log = logging.getLogger("lao")

NAME: Final = "otel"
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


def send_spans(factory: Factory) -> None:
    """Send spans until the worker stops, and then what is left if the collector was there till then."""
    from lao.telemetry.otlp import Sender

    section = factory.settings.raw["otel"]
    try:
        sender = Sender(section["endpoint"], section["service_name"], SEND_S)
    except BadInput as error:
        factory.say_once(str(error))
        factory.stop.wait()
        return
    news.begin(factory.store, NAME)
    failures = 0
    while not factory.stop.is_set():
        taken = export(factory, sender)
        failures = 0 if taken else failures + 1
        if failures == 1:
            where = section["endpoint"] or "the default endpoint"
            log.warning("otel: the collector at %s takes no spans; they are kept and sent when it does", where)
        factory.stop.wait(LOOK_S if taken else min(LONGEST_PAUSE_S, LOOK_S * 2**failures))
    sender.close()
    if not failures:
        last = Sender(section["endpoint"], section["service_name"], LAST_S)
        export(factory, last)
        last.close()


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
