"""The shop's printers."""

from shop.money import as_money
from shop.people import Customer


def first_of_printers(customer: Customer) -> str:
    """The first of the customer's printers."""
    return f"{customer.mark()} printers {as_money(100)}"


def count_of_printers(entries: list[str]) -> int:
    """How many printers there are."""
    return len([entry for entry in entries if entry])
