"""What telemetry costs: what is recorded more for each model call, and how long spans take to be made and encoded.

Prints three figures: microseconds for each model call (also while it is off), for a span made, for a span encoded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lao.agents.ask import _asked  # noqa: E402 - the checkout need not be installed
from lao.core.chat import ChatRequest  # noqa: E402
from lao.core.states import Phase, RunState  # noqa: E402
from lao.state.news import EventNews  # noqa: E402
from lao.state.records import Run  # noqa: E402
from lao.telemetry.spans import Source, spans_of  # noqa: E402

NUMBER = 2_000
ROUNDS = 5


def main() -> int:
    request = ChatRequest("m", ({"role": "user", "content": "x"},), 1000, temperature=0.2)
    run = Run(1, "0" * 16, 1, Phase.CODE, 1, RunState.RUNNING, 1, 0.0, 0.0, None)
    data = {"label": "model:turn-1", "first_token_s": 0.5, "finish_reason": "stop", "asked": _asked(request)}
    events = [EventNews(n, "call", "coder", "m", 1, 900, 200, None, 2.0, data, 1e9) for n in range(NUMBER)]
    source = Source("p", "llamacpp", "http://127.0.0.1:8080", lambda _id: run)
    print(f"recorded more for a model call: {_micros(lambda: [_asked(request) for _ in range(NUMBER)]):.2f} µs")
    print(f"a span made:                    {_micros(lambda: spans_of(source, events)):.1f} µs")
    spans = spans_of(source, events)
    try:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        from lao.telemetry.otlp import Sender
    except ImportError:
        print("a span encoded:                 not measured, the extra otel is not installed")
        return 0
    sender = Sender("http://127.0.0.1:9", "lao", 1.0)
    micros = _micros(lambda: encode_spans([sender._made(span) for span in spans]).SerializeToString())
    print(f"a span encoded:                 {micros:.1f} µs")
    return 0


def _micros(work: Callable[[], object]) -> float:
    """Microseconds for one of NUMBER; the best of ROUNDS."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best / NUMBER * 1e6


if __name__ == "__main__":
    sys.exit(main())
