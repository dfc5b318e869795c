"""``lao doctor``, group Notifications: whether messages to the person go their ways. Sends none."""

from __future__ import annotations

from lao.cli.context import Session
from lao.cli.doctor_cmd import Check
from lao.cli.project import open_project


def examine(session: Session) -> list[Check]:
    """One row for each way that ``notify`` names; none when it names none."""
    settings = session.settings()
    section = settings.raw["notify"]
    ways = [name for name in ("command", "webhook") if section[name]]
    if not ways or not settings.paths.database.exists():
        return []
    from lao.state import outbox

    with open_project(session, whole=False) as factory:
        view = outbox.view(factory.store)
    if view is None:
        return [Check(name, "ok", "nothing was to be told yet; 'lao notify test' tries it") for name in ways]
    box = f"{view['sent']} messages sent, {view['waiting']} wait, {view['lost']} given up"
    problems = view["problems"] if isinstance(view["problems"], dict) else {}
    rows = []
    for name in ways:
        problem = problems.get(name)
        remedy = f"mend notify.{name} in factory.yaml, then 'lao notify test'"
        rows.append(Check(name, "warn", f"{problem}; {box}", remedy) if problem else Check(name, "ok", box))
    return rows
