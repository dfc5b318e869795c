"""What a server gains from several requests at once: tokens a second in all and of one request, time to the first."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import httpx

from lao.config.load import load
from lao.core.clock import SystemClock
from lao.core.errors import LaoError, ServerAway, Terminal
from lao.core.words import Json
from lao.servers.detect import connect
from lao.servers.protocol import LoadedModel
from lao.servers.simulated.scenario import Answer, Rule, Scenario
from lao.servers.simulated.server import SimulatedServer

AT_ONCE = (1, 2, 4)
COMPLETION_TOKENS = 128
SIMULATED_MODEL = "sim-coder"
_TIMEOUT_S = 300.0
_WORDS = ("copper", "window", "garden", "silent", "river", "method", "number", "yellow", "basket", "former", "signal")


@dataclass(frozen=True)
class Served:
    """One request; seconds since all of its round were sent. ``prompt`` and ``generated`` are tokens, as told."""

    prompt: int
    generated: int
    first_s: float
    end_s: float

    @property
    def rate(self) -> float | None:
        """Tokens a second from the first to the last one; None when all came at once."""
        took = self.end_s - self.first_s
        return (self.generated - 1) / took if self.generated > 1 and took > 0 else None


@dataclass(frozen=True)
class ParallelRow:
    """A round of requests that were sent at once.

    Attributes:
        slots: how many the server says it answers at once; None when it does not tell.
        context: tokens that one request has by the server's report; None when it does not tell.
        prompt: tokens of one prompt, the mean.
        first_s, worst_first_s: seconds to the first token, mean and longest.
        rate: tokens a second of one request after its first token, the mean; None when it cannot be told.
        whole_rate: all generated tokens by the time from the first request to the last answer.
    """

    at_once: int
    slots: int | None
    context: int | None
    prompt: int
    generated: int
    first_s: float
    worst_first_s: float
    rate: float | None
    whole_rate: float
    wall_s: float

    @property
    def crowded(self) -> bool:
        """Whether the server says that some of them had to wait for others."""
        return self.slots is not None and self.slots < self.at_once


def prompt(number: int) -> str:
    """Some 600 tokens whose first half is the same for all numbers; the answer to it is long."""
    same = "Here is a list of items. Read it, and then do what the last line says.\n" + _items(0)
    return f"{same}{_items(number)}Write one full sentence about each item of the list, in its order.\n"


def _items(number: int) -> str:
    """Some 300 tokens that are others for each number."""
    size = len(_WORDS)
    rows = ((_WORDS[(n * 5 + k * (number + k)) % size] for k in range(1, 8)) for n in range(18))
    return "".join(f"- item {number}.{n}: {' '.join(row)}\n" for n, row in enumerate(rows))


def measure(url: str, model: str) -> list[ParallelRow]:
    """One round for each of AT_ONCE, after one request that is not counted. Loads the model unless it is loaded.

    Raises:
        ServerAway, ConfigError, Terminal: no server, no such model, or a request that it refuses.
    """
    key = os.environ.get("OPENAI_API_KEY", "")
    with tempfile.TemporaryDirectory() as folder:
        settings = load(cwd=Path(folder), env={"LM_STUDIO_BASE_URL": url, "OPENAI_API_KEY": key})
    server = connect(settings, SystemClock())
    instance = server.load(model, None)
    headers = {"Authorization": f"Bearer {settings.server.api_key}"}
    with httpx.Client(base_url=server.chat_base_url, headers=headers, timeout=_TIMEOUT_S, trust_env=False) as http:
        number = 1
        _round(http, instance, range(number, number + 1))
        rows = []
        for at_once in AT_ONCE:  # new prompts in each round, so that none is in the cache whole
            numbers = range(number + 1, number + 1 + at_once)
            number += at_once
            rows.append(_row(instance, _round(http, instance, numbers)))
    return rows


def _round(http: httpx.Client, instance: LoadedModel, numbers: range) -> list[Served]:
    start = threading.Barrier(len(numbers))
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: _ask(http, instance.instance_id, prompt(number), start), numbers))


def _ask(http: httpx.Client, model: str, text: str, start: threading.Barrier) -> Served:
    body: dict[str, Json] = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": COMPLETION_TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    usage: dict[str, Json] = {}
    pieces, first = 0, None
    start.wait(_TIMEOUT_S)
    begun = time.monotonic()
    for chunk in _chunks(http, body):
        usage = chunk.get("usage") or usage
        if _says_something(chunk):
            pieces += 1
            first = first or time.monotonic()
    end = time.monotonic()
    if first is None:
        raise Terminal(f"model {model!r} answered nothing", "look at the server's log")
    generated = int(usage.get("completion_tokens") or pieces)  # without usage a piece is counted as a token
    return Served(int(usage.get("prompt_tokens") or 0), generated, first - begun, end - begun)


def _chunks(http: httpx.Client, body: dict[str, Json]) -> Iterator[dict[str, Json]]:
    try:
        with http.stream("POST", "/chat/completions", json=body) as answer:
            if answer.status_code != 200:
                answer.read()
                raise Terminal(f"the server refused a request (HTTP {answer.status_code}): {answer.text[:300]}")
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line.removeprefix("data: "))
                if chunk.get("error"):
                    raise Terminal(f"the server broke off an answer: {chunk['error']}")
                yield chunk
    except httpx.HTTPError as error:
        raise ServerAway(f"{http.base_url}: {type(error).__name__} {error}".rstrip()) from error


def _says_something(chunk: dict[str, Json]) -> bool:
    deltas = [choice.get("delta") or {} for choice in chunk.get("choices") or []]
    return any(delta.get(name) for delta in deltas for name in ("content", "reasoning_content", "reasoning"))


def _row(instance: LoadedModel, served: list[Served]) -> ParallelRow:
    generated, wall = sum(s.generated for s in served), max(s.end_s for s in served)
    rates = [s.rate for s in served if s.rate is not None]
    return ParallelRow(
        at_once=len(served),
        slots=instance.parallel,
        context=instance.context_length,
        prompt=round(fmean(s.prompt for s in served)),
        generated=generated,
        first_s=round(fmean(s.first_s for s in served), 2),
        worst_first_s=round(max(s.first_s for s in served), 2),
        rate=round(fmean(rates), 1) if rates else None,
        whole_rate=round(generated / wall, 1),
        wall_s=round(wall, 2),
    )


def table(rows: list[ParallelRow]) -> str:
    """The rows for people, and below them what the server said of its slots."""
    lines = [
        "| at once | slots | context of one | prompt | generated | s to first token | worst | tokens/s of one "
        "| tokens/s in all | s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        values = ("unknown" if value is None else str(value) for value in asdict(row).values())
        lines.append(f"| {' | '.join(values)} |")
    return "\n".join([*lines, *(f"\n{note}" for note in notes(rows))])


def notes(rows: list[ParallelRow]) -> list[str]:
    """What must be known to read the figures."""
    if any(row.slots is None for row in rows):
        return ["The server does not tell how many requests it answers at once: some may have waited for others."]
    return [
        f"{row.at_once} requests were sent at once and the server answers {row.slots} at once: the others waited."
        for row in rows
        if row.crowded
    ]


@contextmanager
def _address(url: str | None) -> Iterator[str]:
    """The given server, or a simulated one that makes forty tokens a second in each of two slots."""
    if url is not None:
        yield url
        return
    answer = Rule(answer=Answer("All of it. " * COMPLETION_TOKENS))
    with SimulatedServer(Scenario(responses=(answer,), parallel=2, tokens_per_second=40, first_token_s=0.2)) as server:
        yield server.url


def run(url: str | None, model: str, *, as_json: bool) -> int:
    """Measure and print; the exit status of the error when there was one.

    Args:
        url: None takes a simulated server.
    """
    try:
        with _address(url) as address:
            rows = measure(address, model)
    except LaoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if as_json:
        print(json.dumps([{**asdict(row), "crowded": row.crowded} for row in rows], indent=2))
    else:
        print(f"{model} on {url or 'a simulated server'}, {COMPLETION_TOKENS} tokens wanted of each request\n")
        print(table(rows))
    return 0
