"""``lao health``: does the model server answer, and does it have the configured models?"""

from __future__ import annotations

import sys
from typing import Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import here

UNHEALTHY = 1


@click.command(help="Check the model server and the configured model keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, as_json: bool) -> None:
    view = examine(session)
    if as_json:
        emit_json(view)
    else:
        _print(view)
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


def _print(view: dict[str, Any]) -> None:
    emit(f"server {view['server']}: {len(view['models'])} models")
    if not view["manages_memory"]:
        emit("  chat only: models are not loaded and unloaded by LAO")
    look = here()
    for role in view["roles"]:
        state = look.word(_level(role), _state(role))
        emit(look.plain(f"  {role['role']:9} {role['key']}: {state}{_slots(role, view['wanted_parallel'])}"))
    if not view["ok"]:
        emit("models of the server: " + (", ".join(view["models"]) or "none"))
        emit(f"{look.mark('remedy')} change models in factory.yaml")


def _level(role: dict[str, Any]) -> str:
    if role["problem"]:
        return "fail"
    return "ok" if role["found"] else "info"


def _state(role: dict[str, Any]) -> str:
    if role["problem"]:
        return f"{'WRONG' if role['found'] else 'MISSING'}: {role['problem']}"
    if not role["found"]:
        return "not there"
    slow = f" ({role['cpu_bytes'] / 1e9:.1f} GB of it on the CPU)" if role["cpu_bytes"] else ""
    return ("loaded" if role["loaded"] else "ok") + slow


def _slots(role: dict[str, Any], wanted: int) -> str:
    """A note where the server answers fewer requests at once than ``gpu.parallel`` asks for."""
    told = role["parallel"]
    return f" (answers {told} at once, gpu.parallel is {wanted})" if told is not None and told < wanted else ""
