"""``lao doctor``, group MCP: whether the servers whose tools models may use start. Starts them for a moment."""

from __future__ import annotations

from lao.cli.context import Session
from lao.cli.doctor_cmd import Check
from lao.cli.mcp_cmd import examine as look


def examine(session: Session) -> list[Check]:
    """One row a server, and one for each entry that cannot be used; plans go on without those."""
    raw = session.settings().raw
    project_file = session.settings().paths.root / ".mcp.json"
    if not raw.get("mcp_servers") and not (raw["mcp"]["project_file"] and project_file.exists()):
        return []
    view = look(session)
    rows = [_row(server) for server in view["servers"] if server["state"] != "off"]
    rows += [Check(p["server"], "warn", f"not used: {p['problem']}", "mend the entry") for p in view["problems"]]
    return rows


def _row(server: dict[str, object]) -> Check:
    name = str(server["name"])
    if server["state"] == "failed":
        remedy = f"try its command by hand, or set enabled: false; 'lao mcp check' tries {name!r} again"
        return Check(name, "warn", f"does not start: {server['error']}", remedy)
    return Check(name, "ok", f"starts, {server['listed']} tools")
