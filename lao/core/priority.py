"""The ``priority`` of a plan's front matter: a word or a whole number. Higher is served first, on both queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json

WORDS: Final = {"high": 5, "normal": 0, "low": -5}
LOWEST, HIGHEST = -9, 9
TURN: Final = 10
"""Of a turn of the Pilot, for which a person waits: above every plan."""


def priority_of(options: Mapping[str, Json]) -> int:
    """From -9 to 9; 0 when the front matter does not say.

    Raises:
        BadInput: neither one of ``WORDS`` nor such a number.
    """
    value = options.get("priority", 0)
    if isinstance(value, str) and value.strip().lower() in WORDS:
        return WORDS[value.strip().lower()]
    if isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST:
        return value
    raise BadInput(
        f"the plan's front matter has priority {value!r}",
        f"write {', '.join(WORDS)}, or a whole number from {LOWEST} to {HIGHEST}",
    )
