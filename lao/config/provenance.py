"""The effective settings as rows for people: key, value, where it came from. Secrets are hidden."""

from __future__ import annotations

from typing import Any

from lao.config.draft import lookup
from lao.config.redact import redact
from lao.config.settings import Settings


def describe(settings: Settings) -> list[tuple[str, Any, str]]:
    """``(dotted key, effective value, source)`` in the order of the schema."""
    raw = dict(settings.raw)
    return [(key, redact(key, lookup(raw, tuple(key.split(".")))), source) for key, source in settings.sources.items()]
