"""The ``permission_mode`` of a plan's front matter: it may narrow what factory.yaml allows, and never widens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from lao.config.build import CLAUDE_MODES
from lao.config.problems import nearest
from lao.config.settings import PermissionSettings
from lao.core.errors import BadInput

KEYS: Final = ("permission_mode", "permissionMode")

NARROWER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "bypass": ("bypass", "auto", "accept_edits", "confirm", "plan_only", "dont_ask"),
        "auto": ("auto", "accept_edits", "confirm", "plan_only", "dont_ask"),
        "accept_edits": ("accept_edits", "confirm", "plan_only", "dont_ask"),
        "confirm": ("confirm",),
        "plan_only": ("plan_only",),
        "dont_ask": ("dont_ask",),
    }
)
"""Of each mode those that let nothing run which it does not let run itself. The last three compare with none: confirm
asks about edits that the others make, plan_only wants a plan approved, dont_ask refuses what the others ask about."""


def mode_of(settings: PermissionSettings, options: Mapping[str, Any]) -> str:
    """The mode that a plan with this front matter has: its own, else factory.yaml's.

    Raises:
        BadInput: it is no mode, two keys name different ones, or it allows something that factory.yaml does not.
    """
    given = [options[key] for key in KEYS if options.get(key) is not None]
    if not given:
        return settings.mode
    told, known = given[0], sorted({*NARROWER, *CLAUDE_MODES})
    if any(other != told for other in given):
        raise BadInput(
            f"the plan's front matter has both {KEYS[0]} {given[0]!r} and {KEYS[1]} {given[1]!r}", "write one of them"
        )
    mode = CLAUDE_MODES.get(told, told) if isinstance(told, str) else None
    if mode not in NARROWER:
        near = nearest(told, known) if isinstance(told, str) else None
        hint = f"did you mean {near!r}?" if near else f"the modes are {', '.join(NARROWER)}"
        raise BadInput(f"the plan's front matter has {KEYS[0]} {told!r}, which is no mode", hint)
    allowed = NARROWER[settings.mode]
    if mode not in allowed:
        raise BadInput(
            f"the plan's front matter has {KEYS[0]} {told!r}, which allows what factory.yaml's mode "
            f"{settings.mode!r} does not",
            f"a plan may only narrow it: write {' or '.join(allowed)}, or change permissions.mode in factory.yaml",
        )
    return mode


def narrowed(settings: PermissionSettings, options: Mapping[str, Any]) -> PermissionSettings:
    """The permissions of a plan that was taken in. Where factory.yaml has become narrower than its front matter since,
    factory.yaml's mode holds."""
    try:
        mode = mode_of(settings, options)
    except BadInput:
        return settings
    return settings if mode == settings.mode else replace(settings, mode=mode)
