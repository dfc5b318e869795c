"""A scripted server and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client_bench import Bench
from .scripted import ScriptedServer, serving


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as it:
        yield it
        assert it.script == [], "the client made fewer requests than the script has"


@pytest.fixture
def bench(server: ScriptedServer) -> Iterator[Bench]:
    it = Bench(server.url)
    yield it
    it.model.close()
