"""Customers."""

from dataclasses import dataclass


@dataclass
class Customer:
    """Somebody who buys."""

    first: str
    last: str
    number: int
    formal: bool = True

    def salutation(self) -> str:
        """How a letter begins."""
        return f"Grüezi {self.last}" if self.formal else f"Hoi {self.first}"

    def mark(self) -> str:
        """For files and labels: ``K-00042``."""
        return f"K-{self.number:05d}"
