"""What several groups look at, asked for once: the settings, the model server, the state's rows. Judges nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from lao.cli.context import Session
from lao.config.settings import Settings
from lao.core.clock import SystemClock
from lao.core.errors import LaoError, ServerAway

if TYPE_CHECKING:
    from lao.servers.protocol import ModelInfo, ResidencyServer
    from lao.state.lookover import Lookover

SERVER_S: Final = 6.0
"""How long the server may take for the list of its models."""

_CONNECT_S: Final = 2.0
T = TypeVar("T")


@dataclass(frozen=True)
class Sight:
    """The model server as it answers now, or why it does not."""

    server: ResidencyServer | None = None
    models: tuple[ModelInfo, ...] = ()
    error: LaoError | None = None


class Scene:
    """One look over one project. Its methods may be called from several threads.

    Attributes:
        problem: why the configuration does not load, else None.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.problem: LaoError | None = None
        self._lock = threading.Lock()
        self._sight: Sight | None = None
        try:
            session.settings()
        except LaoError as error:
            self.problem = error
        except OSError as error:
            self.problem = LaoError(f"the configuration cannot be read: {error}", "make the file readable")

    @cached_property
    def settings(self) -> Settings:
        """The settings, with a short patience for connections; only where ``problem`` is None."""
        settings = self.session.settings()
        times = settings.orchestration
        quick = replace(times, llm_connect_timeout_s=min(times.llm_connect_timeout_s, _CONNECT_S))
        return replace(settings, orchestration=quick)

    def sight(self) -> Sight:
        """The server, asked once."""
        with self._lock:
            if self._sight is None:
                self._sight = self._look()
            return self._sight

    def lookover(self) -> Lookover | None:
        """The state's rows, None where there is no state yet or where it cannot be read, which its own group tells."""
        from lao.state import lookover

        try:
            return lookover.look(self.settings.paths.database)
        except (sqlite3.Error, OSError, ValueError):
            return None

    def _look(self) -> Sight:
        from lao.servers.detect import connect

        def ask() -> Sight:
            server = connect(self.settings, SystemClock())
            models = server.models()
            return Sight(server, models) if server.manages_memory in (True, False) else Sight()

        try:
            return within(SERVER_S, ask)
        except TimeoutError:
            url = self.settings.server.base_url
            error = ServerAway(f"what is at {url} takes the connection and says nothing for {SERVER_S:g} s")
            return Sight(error=error)
        except LaoError as error:
            return Sight(error=error)


def within(limit_s: float, job: Callable[[], T]) -> T:
    """What the job gives, done in a thread of its own that is left behind when its time is up.

    Raises:
        TimeoutError: it takes longer.
        LaoError, or whatever else the job raises.
    """
    from lao.durable.threads import Crew

    crew = Crew(1, "lao-doctor-within")
    future = crew.submit(job)
    if not wait((future,), limit_s).done:
        raise TimeoutError
    crew.close()
    return future.result()
