"""A collector of the tests' own: OTLP over HTTP, decoded with the protocol's protobuf classes."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """One decoded span; ids in hex, ``parent`` "" for a root. ``attributes`` as Python values."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start: int
    end: int
    error: bool
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One series of a histogram as it was received. ``temporality`` 2 is cumulative; ``start`` and ``end`` in ns."""

    name: str
    unit: str
    temporality: int
    count: int
    sum: float
    counts: tuple[int, ...]
    bounds: tuple[float, ...]
    start: int
    end: int
    attributes: dict[str, Any]


class Collector:
    """Listens on a free port. ``status`` is what it answers, ``refused`` is a path that it does not know, ``hold``
    blocks its answers while it is clear. ``points`` are those of the latest request with metrics."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.points: list[Point] = []
        self.instances: list[dict[str, Any]] = []
        self.refused = ""
        self.resources: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        self.hold = threading.Event()
        self.hold.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.hold.wait(30)
                status = 404 if self.path == collector.refused else collector.status
                if status == 200:
                    body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                    (collector.count if self.path.endswith("/v1/metrics") else collector.take)(body)
                collector.paths.append(self.path)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def take(self, body: bytes) -> None:
        """Decode one request."""
        request = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            self.resources.append(_plain(group.resource.attributes))
            for scope in group.scope_spans:
                self.spans += [
                    Received(
                        s.name, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex(), s.kind,
                        s.start_time_unix_nano, s.end_time_unix_nano, s.status.code == 2, _plain(s.attributes),
                    )
                    for s in scope.spans
                ]  # fmt: skip

    def count(self, body: bytes) -> None:
        """Decode one request with metrics."""
        request = ExportMetricsServiceRequest.FromString(body)
        self.points = []
        for group in request.resource_metrics:
            self.instances.append(_plain(group.resource.attributes))
            self.points += [
                Point(
                    m.name, m.unit, m.histogram.aggregation_temporality, p.count, p.sum, tuple(p.bucket_counts),
                    tuple(p.explicit_bounds), p.start_time_unix_nano, p.time_unix_nano, _plain(p.attributes),
                )
                for scope in group.scope_metrics
                for m in scope.metrics
                for p in m.histogram.data_points
            ]  # fmt: skip

    def series(self, name: str, **attributes: Any) -> list[Point]:
        """The series of a metric with these attributes, dots written as two underscores."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        return [p for p in self.points if p.name == name and wanted.items() <= p.attributes.items()]

    def named(self, start: str) -> list[Received]:
        return [span for span in self.spans if span.name.startswith(start)]

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _plain(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in attributes:
        kind = item.value.WhichOneof("value")
        value = getattr(item.value, kind)
        found[item.key] = [v.string_value for v in value.values] if kind == "array_value" else value
    return found
