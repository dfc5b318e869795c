"""Hubs over scripted and real MCP servers for tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lao.core.clock import FakeClock
from lao.core.steps import DirectSteps, Steps
from lao.durable.containment import Containment
from lao.llm.tokens import estimate
from lao.tools.context import ToolAudit, ToolContext, ToolResult
from lao.tools.mcp.hub import McpHub, PhaseTools
from lao.tools.mcp.servers import McpServer
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import Todos

SCRIPT = Path(__file__).with_name("scripted_server.py")


def scripted(folder: Path, behaviour: str = "good", name: str = "s", **more: Any) -> McpServer:
    """The scripted MCP server with that behaviour."""
    return server(name, (sys.executable, str(SCRIPT), behaviour, str(folder)), folder, **more)


def server(name: str, command: tuple[str, ...], cwd: Path, **more: Any) -> McpServer:
    given: dict[str, Any] = {
        "source": "factory.yaml",
        "transport": "stdio",
        "command": command,
        "env": {},
        "cwd": cwd,
        "url": "",
        "headers": {},
        "enabled": True,
        "enabled_tools": None,
        "disabled_tools": (),
        "startup_timeout_s": 20.0,
        "tool_timeout_s": 20.0,
        "trust": True,
    }
    return McpServer(name=name, **{**given, **more})


@dataclass
class Rig:
    """A hub over some servers, what it told, and the audit of the calls."""

    root: Path
    servers: tuple[McpServer, ...]
    containment: Containment = Containment.NONE
    stopping: Callable[[], bool] = lambda: False
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[str] = field(default_factory=list)
    audits: list[ToolAudit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hub = McpHub(
            self.servers,
            marker=f"mcp-test/{self.root}/",
            containment=self.containment,
            notice=lambda name, text: self.told.append(f"{name}: {text}"),
            stop=self.stopping,
            count=estimate,
            now=self.clock.monotonic,
        )

    def toolbox(self, budget: int = 100_000) -> Toolbox:
        """As a new phase gets it."""
        context = ToolContext(self.root, "mcp-test", Todos(), self.audits.append, stop=self.stopping)
        return Toolbox(context, (), more=PhaseTools(self.hub, self.hub.offers(budget)).tools)

    def call(self, box: Toolbox, name: str, steps: Steps | None = None, **arguments: Any) -> ToolResult:
        return box.call(name, arguments, steps or DirectSteps(), "step")

    def count(self, name: str) -> int:
        """Lines that the scripted server wrote into a file of its folder."""
        path = self.root / name
        return len(path.read_text().splitlines()) if path.exists() else 0
