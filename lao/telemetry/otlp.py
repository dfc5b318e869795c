"""Sends spans to a collector over OTLP/HTTP by the OpenTelemetry SDK. Decides nothing about when."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from lao import __version__
from lao.core.errors import BadInput
from lao.telemetry.spans import Span

_PATH: Final = "/v1/traces"
MISSING: Final = "pip install 'local-ai-agent-orchestrator[otel]', or set otel.enabled to false"
"""What to do when a library is not there."""


class Sender:
    """A connection to a collector.

    Args:
        endpoint: its address, with or without ``/v1/traces``; None is the exporter's own default.
        timeout_s: longest time of one ``send``.

    Raises:
        BadInput: the libraries are not installed.
    """

    def __init__(self, endpoint: str | None, service_name: str, timeout_s: float) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError as error:
            raise BadInput(f"otel.enabled is set, and a library is missing: {error}", MISSING) from error
        # each failed request would be logged there, with its retries; who sends says it once
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._resource = Resource.create({"service.name": service_name, "service.version": __version__})
        self._scope = InstrumentationScope("lao", __version__)
        self._exporter: Any = OTLPSpanExporter(endpoint=full_endpoint(endpoint), timeout=timeout_s)

    def send(self, spans: Sequence[Span]) -> bool:
        """Whether the collector has taken them all."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        return bool(self._exporter.export([self._made(span) for span in spans]) is SpanExportResult.SUCCESS)

    def close(self) -> None:
        """End the connection; a request under way is not waited for."""
        self._exporter.shutdown()

    def _made(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(own: int) -> SpanContext:
            return SpanContext(span.trace, own, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        return ReadableSpan(
            span.name,
            context=context(span.id),
            parent=None if span.parent is None else context(span.parent),
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.CLIENT if span.client else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=self._scope,
        )


def full_endpoint(endpoint: str | None, path: str = _PATH) -> str | None:
    """The address of the traces, or of what else has that path: ``otel.endpoint`` names the collector, as other
    programs' settings do, or the address of its traces."""
    if endpoint is None or endpoint.rstrip("/").endswith(path):
        return endpoint
    return endpoint.rstrip("/").removesuffix(_PATH) + path
