"""Amounts are whole cents."""

import re


def as_money(cents: int, sign: str = "CHF") -> str:
    """An amount for people: ``CHF 1'234.50``."""
    whole, rest = divmod(abs(cents), 100)
    grouped = f"{whole:,}".replace(",", "'")
    return f"{'-' if cents < 0 else ''}{sign} {grouped}.{rest:02d}"


def cents_of(text: str) -> int:
    """The reverse of ``as_money``. Raises ValueError when the text is no amount."""
    found = re.search(r"(-?)\D*([\d']+)\.(\d\d)", text)
    if not found:
        raise ValueError(f"no amount: {text!r}")
    value = int(found[2].replace("'", "")) * 100 + int(found[3])
    return -value if found[1] else value
