"""Value-added tax."""

KINDS = {"food": 26, "lodging": 38, "other": 81}
"""Tenths of a percent."""


def vat_of(cents: int, kind: str = "other") -> int:
    """The tax on a net amount, in cents, rounded to five cents as shops do."""
    exact = cents * KINDS[kind] / 1000
    return round(exact / 5) * 5
