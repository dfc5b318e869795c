"""What a person means by a moment in the past: an age, a time of day, a date."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from lao.core.errors import BadInput

_UNITS: Final = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_AGE: Final = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|min|m|h|d)$")
_TIME: Final = re.compile(r"^(\d{1,2}):(\d{2})$")


def moment(text: str, now: float) -> float:
    """Seconds since the epoch of ``8h``, ``2d``, ``22:30`` (the last time it was so late, in local time), a date or a
    date with a time (ISO 8601; local time unless it has an offset).

    Raises:
        BadInput: it is none of these, or in the future.
    """
    found = _moment(text.strip(), now)
    if found is None:
        raise BadInput(f"{text!r} is no moment", "write an age (8h, 2d), a time (22:30) or a date (2026-11-23)")
    if not 0 <= found <= now:
        raise BadInput(f"{text!r} is not in the past", "write an age (8h, 2d), a time (22:30) or a date (2026-11-23)")
    return found


def _moment(text: str, now: float) -> float | None:
    age = _AGE.match(text)
    if age is not None:
        return now - float(age[1]) * _UNITS[age[2]]
    time = _TIME.match(text)
    try:
        if time is not None:
            today = dt.datetime.fromtimestamp(now, dt.timezone.utc).astimezone()
            then = today.replace(hour=int(time[1]), minute=int(time[2]), second=0, microsecond=0)
            return (then if then.timestamp() <= now else then - dt.timedelta(days=1)).timestamp()
        return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
