"""The shop's coupons."""

from shop.money import as_money
from shop.people import Customer


def first_of_coupons(customer: Customer) -> str:
    """The first of the customer's coupons."""
    return f"{customer.mark()} coupons {as_money(100)}"


def count_of_coupons(entries: list[str]) -> int:
    """How many coupons there are."""
    return len([entry for entry in entries if entry])
