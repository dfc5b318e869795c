"""``lao config``: the effective settings and where each comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session


@click.group("config")
def command() -> None:
    """Show the effective settings and where they come from."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def show(session: Session, as_json: bool) -> None:
    """Print every effective value and its source: a flag, a variable, a line of factory.yaml, or the default."""
    from lao.config.provenance import describe

    settings = session.settings()
    rows = describe(settings)
    file = settings.paths.config_file
    if as_json:
        values = {key: {"value": value, "source": source} for key, value, source in rows}
        emit_json({"config_file": None if file is None else str(file), "settings": values})
        return
    emit(f"# {file}" if file else "# no factory.yaml: defaults")
    texts = [(key, _text(value), source) for key, value, source in rows]
    key_width = max(len(key) for key, _, _ in texts)
    value_width = min(48, max(len(value) for _, value, _ in texts))
    for key, value, source in texts:
        emit(f"{key:<{key_width}}  {value:<{value_width}}  {source}")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
