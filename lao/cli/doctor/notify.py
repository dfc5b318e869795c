"""``lao doctor``, group Notifications: whether messages to the person go their ways. Sends none."""

from __future__ import annotations

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene


def examine(scene: Scene) -> list[Check]:
    """One row for each way that ``notify`` names; none when it names none."""
    section = scene.settings.raw["notify"]
    ways = [name for name in ("command", "webhook") if section[name]]
    if not ways:
        return []
    seen = scene.lookover()
    view = seen.messages if seen is not None else None
    if view is None:
        return [Check(name, "ok", "nothing was to be told yet; 'lao notify test' tries it") for name in ways]
    box = f"{view['sent']} messages sent, {view['waiting']} wait, {view['lost']} given up"
    rows = []
    for name in ways:
        problem = view["problems"].get(name)
        remedy = f"mend notify.{name} in factory.yaml, then 'lao notify test'"
        rows.append(Check(name, "warn", f"{problem}; {box}", remedy) if problem else Check(name, "ok", box))
    return rows
