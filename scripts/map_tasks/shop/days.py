"""Days as people here write them."""

from datetime import date

_NAMES = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")


def written_day(day: date) -> str:
    """``Mo 3.2.2025``."""
    return f"{_NAMES[day.weekday()]} {day.day}.{day.month}.{day.year}"


def is_open(day: date) -> bool:
    """Whether the shop is open: not on Sundays, not on the first of August."""
    return day.weekday() != 6 and (day.month, day.day) != (8, 1)
