"""Keeps the metrics of this process and sends them to a collector over OTLP/HTTP by the OpenTelemetry SDK.

They are cumulative since the process began, so that what a collector has missed is in what it gets next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from lao import __version__
from lao.core.errors import BadInput
from lao.telemetry.measures import METRICS, Measured
from lao.telemetry.otlp import MISSING, full_endpoint

_PATH: Final = "/v1/metrics"


class MetricSender:
    """The histograms, and a connection to a collector.

    Args:
        endpoint: its address, with or without the path of the traces; None is the exporter's own default.
        instance: tells this project from others with the same service name.
        timeout_s: longest time of one ``send``.

    Raises:
        BadInput: the libraries are not installed.
    """

    def __init__(self, endpoint: str | None, service_name: str, instance: str, timeout_s: float) -> None:
        try:
            from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
            from opentelemetry.sdk.metrics.export import InMemoryMetricReader
            from opentelemetry.sdk.resources import Resource
        except ImportError as error:
            raise BadInput(f"otel.metrics is set, and a library is missing: {error}", MISSING) from error
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)  # who sends says it once
        about = {"service.name": service_name, "service.version": __version__, "service.instance.id": instance}
        self._endpoint = endpoint if endpoint is None else full_endpoint(endpoint, _PATH)
        self._reader = InMemoryMetricReader()
        self._provider = MeterProvider(
            metric_readers=[self._reader],
            resource=Resource.create(about),
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        meter = self._provider.get_meter("lao", __version__)
        self._histograms = {
            metric.name: meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=list(metric.bounds)
            )
            for metric in METRICS
        }
        self._exporter = self._made(timeout_s)

    def add(self, values: Iterable[Measured]) -> int:
        """Count the values in; returns how many there were."""
        count = 0
        for value in values:
            self._histograms[value.metric.name].record(value.value, value.attributes)
            count += 1
        return count

    def send(self, timeout_s: float | None = None) -> bool:
        """Whether the collector has taken all that was counted so far; ``timeout_s`` for this time only."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        data = self._reader.get_metrics_data()
        if data is None:
            return True
        exporter = self._exporter if timeout_s is None else self._made(timeout_s)
        return bool(exporter.export(data) is MetricExportResult.SUCCESS)

    def close(self) -> None:
        """End the connection; a request under way is not waited for."""
        self._exporter.shutdown()
        self._provider.shutdown()

    def _made(self, timeout_s: float) -> Any:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        return OTLPMetricExporter(endpoint=self._endpoint, timeout=timeout_s)
