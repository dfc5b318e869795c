"""Whose model surveys: the analyst's own where that costs no night, else the planner's, which is needed next anyway."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from lao.config.settings import Settings
from lao.core.states import Role

if TYPE_CHECKING:
    from lao.servers.protocol import ResidencyServer

log = logging.getLogger("lao")

_DEFAULT = "default"


class Surveyor:
    """Decided once a worker process, so that everything that happens to a run goes by one model.

    Attributes:
        role: whose settings and model a survey goes by.
        why: why it is not the analyst, "" while there is nothing to say.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decided = False
        self.role = Role.PLANNER
        self.why = ""

    def choose(self, server: Callable[[], ResidencyServer]) -> Role:
        """The analyst if the user gave it a model of its own that the server has, else the planner.

        Args:
            server: connects to the model server.

        Raises:
            LaoError: the server did not tell; it is asked again next time.
        """
        if self._decided:
            return self.role
        key = self._settings.models[Role.ANALYST].key
        named = self._settings.sources.get(f"models.{Role.ANALYST.value}.key", _DEFAULT) != _DEFAULT
        if named and key != self._settings.models[Role.PLANNER].key:
            if any(info.key == key for info in server().models()):
                self.role = Role.ANALYST
            else:
                self._say(f"the server has no model {key!r} (models.analyst.key); the planner's model surveys")
        self._decided = True
        return self.role

    def give_up(self, reason: str) -> Role:
        """The analyst's model could not be made resident: from now on the planner's surveys."""
        self.role = Role.PLANNER
        self._say(
            f"{self._settings.models[Role.ANALYST].key!r} could not be loaded ({reason}); the planner's model surveys"
        )
        return self.role

    def _say(self, why: str) -> None:
        self.why = why
        log.warning("%s", why)
