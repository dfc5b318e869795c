"""``lao calibrate``: what the models on this server can do, measured once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.look import here
from lao.cli.project import open_project

if TYPE_CHECKING:
    from lao.core.profile import Profile

_HELP = """Measure what the models can do on this server, and keep it as their profiles.

WHICH is a role or a model key; without it the models of all roles. A model that has a profile is not measured again
unless --force says so."""


@click.command(help=_HELP)
@click.argument("which", required=False, metavar="[ROLE|MODEL]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--force", is_flag=True, help="Measure again what has a profile already.")
@pass_session
def command(session: Session, which: str | None, as_json: bool, force: bool) -> None:
    with open_project(session) as factory:
        from workflows.calibrate import calibrate_models

        found = calibrate_models(factory, which, force=force, tell=say)
    if as_json:
        emit_json({"profiles": [view(profile) for profile in found]})
    else:
        for profile in found:
            _print(profile)


def view(profile: Profile) -> dict[str, Any]:
    """The profile, and what follows from it; see docs/calibration.md for the fields."""
    context = profile.context or 0
    return {
        **profile.to_json(),
        "supports_tools": profile.supports_tools,
        "edit_format": profile.edit_format,
        "start_rung": profile.start_rung,
        "limits": {
            "first_token_s": profile.first_token_limit_s(context) if context else None,
            "idle_s": profile.idle_limit_s(),
        },
    }


def _print(profile: Profile) -> None:
    from datetime import datetime

    when = datetime.fromtimestamp(profile.at).astimezone().strftime("%Y-%m-%d %H:%M")
    emit(f"{profile.model} on {profile.server}")
    emit(f"  measured {when} by LAO {profile.version}: {profile.calls} calls, {profile.seconds:.0f} s")
    for name, text in _rows(profile):
        emit(here().plain(f"  {name:18} {text}"))


def _rows(profile: Profile) -> list[tuple[str, str]]:
    edits = ", ".join(f"{name} {score.right} of {score.tried}" for name, score in profile.edits.items())
    limits = view(profile)["limits"]
    return [
        ("context", _figure(profile.context, "tokens")),
        ("tools shown", _yes(profile.tools_shown)),
        ("tool calls", f"{profile.tools_stream or '?'} streamed, {profile.tools_plain or '?'} not streamed"),
        ("parallel calls", _yes(profile.parallel_calls)),
        ("JSON schema", _yes(profile.schema)),
        ("thinking", profile.thinking or "?"),
        ("system role", profile.system_role or "?"),
        ("edits", edits or "?"),
        ("speed", f"{_figure(profile.prefill_tokens_s)} read, {_figure(profile.decode_tokens_s)} written, tokens/s"),
        ("prompt cache", _yes(profile.cache_reuse)),
        ("limits", f"first token {_figure(limits['first_token_s'], 's')}, silence {_figure(limits['idle_s'], 's')}"),
        ("→ begins with", profile.start_rung or "?"),
        ("→ edit format", profile.edit_format or "?"),
    ]


def _yes(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"


def _figure(value: float | None, unit: str = "") -> str:
    return "?" if value is None else f"{value:g} {unit}".rstrip()
