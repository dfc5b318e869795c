"""From model calls to the two metrics of the GenAI conventions. Knows no OpenTelemetry library and sends nothing.

Names, units, attributes and bounds: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ (a draft).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lao.state.news import EventNews, Item
from lao.telemetry.spans import Attribute, Source


@dataclass(frozen=True)
class Metric:
    """A histogram. ``bounds`` are the upper ends of its buckets but the last."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...]


TOKENS: Final = Metric(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    tuple(float(4**n) for n in range(14)),
)
DURATION: Final = Metric(
    "gen_ai.client.operation.duration",
    "s",
    "GenAI operation duration.",
    tuple(round(0.01 * 2**n, 2) for n in range(14)),
)
METRICS: Final = (TOKENS, DURATION)

_OPERATIONS: Final = {"call": "chat", "embeddings": "embeddings"}


@dataclass(frozen=True)
class Measured:
    """One value of a metric, in its unit."""

    metric: Metric
    value: float
    attributes: dict[str, Attribute]


def measured(source: Source, items: Iterable[Item]) -> Iterator[Measured]:
    """What the model calls among the news add to the metrics, also those of no plan (a calibration, say). A call that
    failed counts with its ``error.type``, and with its time only where that is known."""
    where = urlsplit(source.server)
    for item in items:
        if not isinstance(item, EventNews) or item.kind not in _OPERATIONS:
            continue
        failed = str(item.data.get("failed") or "")
        told = {
            "gen_ai.operation.name": _OPERATIONS[item.kind],
            "gen_ai.provider.name": source.provider,
            "gen_ai.request.model": item.model,
            "gen_ai.response.model": item.data.get("response_model") or None,
            "server.address": where.hostname,
            "server.port": where.port,
        }
        common: dict[str, Attribute] = {name: value for name, value in told.items() if value is not None}
        if item.seconds > 0:
            yield Measured(DURATION, item.seconds, {**common, **({"error.type": failed} if failed else {})})
        for kind, tokens in (("input", item.prompt_tokens), ("output", item.completion_tokens)):
            if tokens > 0:
                yield Measured(TOKENS, tokens, {**common, "gen_ai.token.type": kind})
