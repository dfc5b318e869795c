"""What is in stock."""


class Shelf:
    """Goods by name."""

    def __init__(self) -> None:
        self._levels: dict[str, int] = {}

    def put_in(self, name: str, count: int) -> None:
        self._levels[name] = self._levels.get(name, 0) + count

    def level_of(self, name: str) -> int:
        return self._levels.get(name, 0)

    def take_out(self, name: str, count: int) -> int:
        """Takes at most ``count``; returns how many there were to take."""
        taken = min(count, self.level_of(name))
        self._levels[name] = self.level_of(name) - taken
        return taken
