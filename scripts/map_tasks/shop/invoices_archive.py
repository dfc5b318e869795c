"""The shop's invoices_archive."""

from shop.money import as_money
from shop.people import Customer


def first_of_invoices_archive(customer: Customer) -> str:
    """The first of the customer's invoices_archive."""
    return f"{customer.mark()} invoices_archive {as_money(100)}"


def count_of_invoices_archive(entries: list[str]) -> int:
    """How many invoices_archive there are."""
    return len([entry for entry in entries if entry])
