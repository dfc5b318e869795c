"""The ping of a loaded model: only "not yet" counts."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.errors import ConfigError, ServerAway
from lao.servers.gate.ping import Ping
from lao.servers.protocol import LoadedModel
from lao.servers.simulated import SimulatedServer, parse_scenario

from .support import make_settings

ALPHA = LoadedModel("alpha", "alpha", 4096)


def ping(key: str = "", **scenario: Any) -> list[str]:
    """Ping a model that is loaded, unless a rule answers first; the kinds of the server's log."""
    with SimulatedServer(parse_scenario({"models": [{"key": "alpha", "size_bytes": 1}], **scenario})) as server:
        if "responses" not in scenario:
            server.load_by_hand("alpha")
        Ping(make_settings(url=server.url, kind="simulated", key=key))(ALPHA)
        return [str(entry["kind"]) for entry in server.log]


def fault(status: int, message: str) -> list[dict[str, Any]]:
    return [{"fault": {"kind": "http", "status": status, "body": {"error": {"message": message}}}}]


def test_a_model_that_answers() -> None:
    """A ping is no completion in the server's log, and loads nothing."""
    assert ping() == ["load", "ping"]


@pytest.mark.parametrize("status", [429, 503])
def test_not_yet(status: int) -> None:
    """A server that is loading or busy is ServerAway."""
    with pytest.raises(ServerAway, match="'alpha'"):
        ping(responses=fault(status, "Loading model"))


@pytest.mark.parametrize(("status", "text"), [(400, "no user query found in messages"), (500, "crashed")])
def test_other_faults_are_not_the_gate_s(status: int, text: str) -> None:
    """A template that refuses a dot, or a crash, is for the phase's own call to name."""
    assert ping(responses=fault(status, text))[-1] == "completion"


def test_token() -> None:
    """A refused token is an error of the configuration."""
    with pytest.raises(ConfigError, match="API token"):
        ping(key="wrong", api_token="right-token", responses=fault(400, "x"))
