"""The shop's parcels."""

from shop.money import as_money
from shop.people import Customer


def first_of_parcels(customer: Customer) -> str:
    """The first of the customer's parcels."""
    return f"{customer.mark()} parcels {as_money(100)}"


def count_of_parcels(entries: list[str]) -> int:
    """How many parcels there are."""
    return len([entry for entry in entries if entry])
