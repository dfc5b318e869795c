"""The shop's shifts."""

from shop.money import as_money
from shop.people import Customer


def first_of_shifts(customer: Customer) -> str:
    """The first of the customer's shifts."""
    return f"{customer.mark()} shifts {as_money(100)}"


def count_of_shifts(entries: list[str]) -> int:
    """How many shifts there are."""
    return len([entry for entry in entries if entry])
