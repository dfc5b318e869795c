"""Loads prompt files and fills their ``$names``. Writes no prompt itself."""

from __future__ import annotations

import json
from importlib import resources
from string import Template

from lao.core.words import Json


def load(name: str, **values: str) -> str:
    """The prompt ``prompts/<name>.md`` without its last line break, with ``$name`` replaced by ``values``."""
    text = resources.files("lao.agents.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8").rstrip("\n")
    return Template(text).substitute(values) if values else text


def schema(name: str) -> dict[str, Json]:
    """The JSON Schema ``prompts/<name>.json``."""
    text = resources.files("lao.agents.prompts").joinpath(f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Json] = json.loads(text)
    return loaded
