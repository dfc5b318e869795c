"""Lengths of time as people write them: ``90``, ``90s``, ``30m``, ``2h``, ``7d``. Knows no clock."""

from __future__ import annotations

import math
import re
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.IGNORECASE)
LONGEST_S: Final = 100 * 365 * 86400.0


def seconds_of(value: Json, what: str) -> float:
    """Seconds of a number, or of a text such as ``2h``.

    Args:
        what: what is named in the message, for example ``"--older-than"``.

    Raises:
        BadInput: it is neither, not above zero, or longer than a hundred years.
    """
    found = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    number = float(found[1]) * _UNITS[found[2].lower()] if found else value
    real = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
    if real and 0 < number <= LONGEST_S:
        return float(number)
    raise BadInput(f"{what} {value!r} is no length of time", "write seconds, or 90s, 30m, 2h, 7d")
