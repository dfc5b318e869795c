"""``lao doctor``, group MCP: whether the servers whose tools models may use start. Starts them for a moment."""

from __future__ import annotations

from typing import Any

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.cli.mcp_look import HEALTH_S, has_servers, remedy
from lao.cli.mcp_look import examine as look


def examine(scene: Scene) -> list[Check]:
    """One row a server, and one for each entry that cannot be used; plans go on without those."""
    if not has_servers(scene.session):
        return []
    view = look(scene.session, HEALTH_S)
    rows = [_row(server) for server in view["servers"] if server["state"] != "off"]
    rows += [Check(p["server"], "warn", f"not used: {p['problem']}", "mend the entry") for p in view["problems"]]
    return rows


def _row(server: dict[str, Any]) -> Check:
    name = str(server["name"])
    if server["state"] == "failed":
        return Check(name, "warn", f"does not start: {server['error']}", remedy(server))
    return Check(name, "ok", f"starts in {server['seconds']:.1f} s, {server['listed']} tools")
