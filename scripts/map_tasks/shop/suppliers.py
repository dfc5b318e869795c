"""The shop's suppliers."""

from shop.money import as_money
from shop.people import Customer


def first_of_suppliers(customer: Customer) -> str:
    """The first of the customer's suppliers."""
    return f"{customer.mark()} suppliers {as_money(100)}"


def count_of_suppliers(entries: list[str]) -> int:
    """How many suppliers there are."""
    return len([entry for entry in entries if entry])
