"""``lao doctor``, group Configuration: does ``factory.yaml`` load, and do its permission rules have effect."""

from __future__ import annotations

from typing import Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene

_RULES: Final = "permissions."


def examine(scene: Scene) -> list[Check]:
    """The rows ``settings``, ``rules`` and ``mode``."""
    if scene.problem is not None:
        text = " ".join(scene.problem.message.split())
        remedy = scene.problem.hint or "correct the place that is named, then `lao config show`"
        rows = [Check("settings", "fail", text, remedy)]
        if _RULES in scene.problem.message:
            told = next((line.strip() for line in scene.problem.message.splitlines() if _RULES in line), text)
            rows.append(Check("rules", "fail", told, "take the rule out, or write it as the message says"))
        return rows
    file = scene.settings.paths.config_file
    if file is None:
        first = Check("settings", "warn", "no factory.yaml: the built-in defaults hold", "`lao init`")
    else:
        first = Check("settings", "ok", f"{file} loads")
    permissions = scene.settings.permissions
    rules = Check("rules", "ok", f"{len(permissions.rules)} permission rules, each can have effect")
    return [first, rules, _mode(scene)]


def _mode(scene: Scene) -> Check:
    mode = scene.settings.permissions.mode
    if mode == "bypass":
        text = "permissions.mode is bypass: models may do all that the sandbox lets them"
        return Check("mode", "warn", text, "set `permissions.mode: dont_ask` in factory.yaml")
    return Check("mode", "ok", f"permissions.mode is {mode}")
