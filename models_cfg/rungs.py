"""The role presets by memory (memory.yaml), as records. Whether one fits is reckoned in lao/servers/fit.py."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal

import yaml

from models_cfg.entries import Entry, entries


@dataclass(frozen=True)
class Rung:
    """Which model, for all roles that generate, for so much memory.

    Attributes:
        gb: of the card, or of the whole machine.
        memory: "card" or "unified", see the file.
        context: tokens, for each role.
        max_completion: tokens.
        reason: one sentence.
    """

    gb: int
    memory: Literal["card", "unified"]
    model: Entry
    quantisation: str
    context: int
    max_completion: int
    embedder: Entry
    embedder_quantisation: str
    reason: str


@functools.cache
def rungs() -> Mapping[int, Rung]:
    """The presets by gigabytes, the smallest first."""
    text = resources.files("models_cfg").joinpath("memory.yaml").read_text(encoding="utf-8")
    known = entries()
    found = {}
    for gb, told in sorted(yaml.safe_load(text).items()):
        models = {"model": known[told["model"]], "embedder": known[told["embedder"]]}
        found[gb] = Rung(gb=gb, **{**told, **models})
    return MappingProxyType(found)
