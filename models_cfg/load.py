"""Loads the presets of catalogue.yaml. What a model entry may hold is the business of factory.schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from lao.core.errors import BadInput
from models_cfg.rungs import rungs


def presets() -> Mapping[str, Mapping[str, dict[str, Any]]]:
    """Preset name to role name to the entries of ``models.<role>``."""
    return {name: entry["models"] for name, entry in _catalogue().items()}


def abouts() -> Mapping[str, str]:
    """Preset name to one sentence about it."""
    return {name: entry["about"] for name, entry in _catalogue().items()}


def preset(name: str) -> Mapping[str, dict[str, Any]]:
    """The models of one preset by role name.

    Raises:
        BadInput: no preset of that name.
    """
    known = presets()
    if name not in known:
        told = "; ".join(f"{preset}: {about}" for preset, about in abouts().items())
        told += f"; {', '.join(f'{gb}gb' for gb in rungs())}: for so much memory (docs/models.md)"
        raise BadInput(f"no preset {name!r}", f"Presets: {told}")
    return known[name]


def _catalogue() -> dict[str, dict[str, Any]]:
    text = resources.files("models_cfg").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    catalogue: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return catalogue
