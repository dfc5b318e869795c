"""What loads of models really took, and which instances LAO loaded, for each server. Judges nothing; the gate does."""

from __future__ import annotations

from lao.state.store import Store
from lao.state.tables import InstanceRow, LoadRow

KEPT = 3
"""Figures for each model and context; older ones are forgotten."""


class KeptLoads:
    """The record of one server (the ``LoadRecord`` of the memory gate).

    Args:
        server: the server's base URL.
    """

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._server = server

    def taken(self, model: str, context: int) -> tuple[int, ...]:
        """Bytes that the last loads of the model with this context took, the newest last; at most ``KEPT``."""
        with self._store.reading():
            row = LoadRow.get_or_none(
                LoadRow.server == self._server, LoadRow.model == model, LoadRow.context == context
            )
            return tuple(int(count) for count in row.taken) if row else ()

    def note_taken(self, model: str, context: int, count: int) -> None:
        """Add a figure, in bytes."""
        with self._store.write():
            taken = [*self.taken(model, context), count][-KEPT:]
            LoadRow.replace(
                server=self._server, model=model, context=context, taken=taken, at=self._store.now()
            ).execute()

    def loaded(self) -> dict[str, str]:
        """The instances that LAO loaded, with their model."""
        with self._store.reading():
            rows = InstanceRow.select().where(InstanceRow.server == self._server).order_by(InstanceRow.instance)
            return {row.instance: row.model for row in rows}

    def note_loaded(self, instance: str, model: str) -> None:
        """LAO has loaded this instance."""
        with self._store.write():
            row = {"server": self._server, "instance": instance, "model": model, "at": self._store.now()}
            InstanceRow.replace(**row).execute()

    def note_gone(self, instance: str) -> None:
        """The instance is unloaded, or is not in the server's list any more; an unknown one is no error."""
        with self._store.write():
            InstanceRow.delete().where(InstanceRow.server == self._server, InstanceRow.instance == instance).execute()
