"""``lao health``: does the model server answer, does it have the configured models, do the MCP servers start?"""

from __future__ import annotations

import sys
from typing import Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import here
from lao.cli.mcp_look import HEALTH_S, has_servers, remedy
from lao.cli.mcp_look import examine as look_at_servers

UNHEALTHY = 1


@click.command(help="Check the model server, the configured model keys, and the MCP servers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, as_json: bool) -> None:
    view = {**examine(session), "mcp": mcp_rows(session)}
    if as_json:
        emit_json(view)
    else:
        show(view)
    sys.exit(0 if view["ok"] else UNHEALTHY)


def examine(session: Session) -> dict[str, Any]:
    """The server's models, and each role's key with what stands against it (``problem``). Raises as ``connect``."""
    from lao.core.clock import SystemClock
    from lao.servers.detect import connect
    from lao.servers.gate.fitness import problem_of

    settings = session.settings()
    server = connect(settings, SystemClock())
    models = {info.key: info for info in server.models()}
    roles = []
    for role, model in settings.models.items():
        info = models.get(model.key)
        needed = role.value in ("planner", "coder", "reviewer")
        problem = problem_of(settings, models.values(), role, loads=server.manages_memory)
        roles.append(
            {
                "role": role.value,
                "key": model.key,
                "found": info is not None,
                "loaded": bool(info and info.loaded),
                "cpu_bytes": sum(i.cpu_bytes for i in info.loaded) if info else 0,
                "parallel": next((i.parallel for i in info.loaded), None) if info else None,
                "needed": needed,
                "problem": f"{problem.message}; {problem.hint}" if problem and (info or needed) else "",
            }
        )
    return {
        "ok": not any(r["problem"] for r in roles),
        "server": settings.server.base_url,
        "manages_memory": server.manages_memory,
        "wanted_parallel": settings.gpu.parallel,
        "models": sorted(models),
        "roles": roles,
    }


def mcp_rows(session: Session) -> list[dict[str, Any]]:
    """One row for each configured MCP server and each entry that cannot be used (``error``, ``remedy``): plans go on
    without those, so they are no fault of the factory. Takes some fifteen seconds at most."""
    if not has_servers(session):
        return []
    view = look_at_servers(session, HEALTH_S)
    rows: list[dict[str, Any]] = [
        {
            "name": server["name"],
            "connected": server["state"] == "ok",
            "enabled": server["enabled"],
            "tools": server.get("listed", 0),
            "seconds": server.get("seconds", 0.0),
            "error": server.get("error", ""),
            "remedy": remedy(server) if server["state"] == "failed" else "",
        }
        for server in view["servers"]
    ]
    unused = {"connected": False, "enabled": True, "tools": 0, "seconds": 0.0, "remedy": "mend the entry"}
    return rows + [{"name": p["server"], **unused, "error": f"not used: {p['problem']}"} for p in view["problems"]]


def show(view: dict[str, Any]) -> None:
    """Print what ``examine`` found, for a person."""
    emit(f"server {view['server']}: {len(view['models'])} models")
    if not view["manages_memory"]:
        emit("  chat only: models are not loaded and unloaded by LAO")
    look = here()
    for role in view["roles"]:
        state = look.word(_level(role), _state(role))
        emit(
            look.plain(f"  {role['role']:9} {role['key'] or '(none)'}: {state}{_slots(role, view['wanted_parallel'])}")
        )
    for row in view["mcp"]:
        emit(f"MCP {row['name']}: {_connection(row)}")
        if row["remedy"]:
            emit(f"  {look.mark('remedy')} {row['remedy']}")
    if not view["ok"]:
        emit("models of the server: " + (", ".join(view["models"]) or "none"))
        emit(f"{look.mark('remedy')} change models in factory.yaml")


def _level(role: dict[str, Any]) -> str:
    if role["problem"]:
        return "fail"
    return "ok" if role["found"] else "info"


def _connection(row: dict[str, Any]) -> str:
    if not row["enabled"]:
        return "switched off"
    if row["connected"]:
        return f"connected in {row['seconds']:.1f} s, {row['tools']} tools"
    return f"NOT CONNECTED after {row['seconds']:.1f} s: {row['error']}"


def _state(role: dict[str, Any]) -> str:
    if role["problem"]:
        return f"{'WRONG' if role['found'] else 'MISSING'}: {role['problem']}"
    if not role["key"]:
        return "not configured"
    if not role["found"]:
        return "not there"
    slow = f" ({role['cpu_bytes'] / 1e9:.1f} GB of it on the CPU)" if role["cpu_bytes"] else ""
    return ("loaded" if role["loaded"] else "ok") + slow


def _slots(role: dict[str, Any], wanted: int) -> str:
    """A note where the server answers fewer requests at once than ``gpu.parallel`` asks for."""
    told = role["parallel"]
    return f" (answers {told} at once, gpu.parallel is {wanted})" if told is not None and told < wanted else ""
