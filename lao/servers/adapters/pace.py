"""What the adapters that load models share: waiting for a state, and what a context that is too small means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lao.core.clock import Clock
from lao.core.errors import ServerAway, Terminal, Transient
from lao.servers.protocol import LoadedModel, ModelInfo

T = TypeVar("T")

UNLOAD_TIMEOUT_S = 30.0
"""How long an unload may take. llama-server and llama-swap kill a process that does not stop within ten seconds."""

_FIRST_PAUSE_S = 0.25


@dataclass(frozen=True)
class Pace:
    """How long loads may take and how often a server is asked, in seconds."""

    clock: Clock
    load_timeout_s: float = 180.0
    poll_interval_s: float = 3.0

    def until(self, look: Callable[[], T | None], timeout_s: float) -> T | None:
        """What ``look`` gives as soon as it gives something, None when the time is over. The pauses grow from a
        quarter of a second to the poll interval: small models come and go at once."""
        deadline = self.clock.monotonic() + timeout_s
        pause = _FIRST_PAUSE_S
        while True:
            found = look()
            if found is not None:
                return found
            if self.clock.monotonic() >= deadline:
                return None
            self.clock.wait(max(0.05, min(pause, self.poll_interval_s)))
            pause *= 2

    def loaded(self, key: str, look: Callable[[], T | None]) -> T:
        """``until`` for a load.

        Raises:
            ServerAway: the time for a load is over.
        """
        found = self.until(look, self.load_timeout_s)
        if found is None:
            raise ServerAway(
                f"model {key!r} was accepted for loading but is not in the list after {self.load_timeout_s:.0f} s",
                "look at the server's log; orchestration.model_load_timeout_s bounds the wait",
            )
        return found

    def gone(self, instance_id: str, is_gone: Callable[[], bool]) -> None:
        """``until`` for an unload: an answer is not believed, the server's list is.

        Raises:
            Transient: the instance stays.
        """
        if self.until(lambda: True if is_gone() else None, UNLOAD_TIMEOUT_S) is None:
            raise Transient(
                f"model instance {instance_id!r} is still loaded {UNLOAD_TIMEOUT_S:.0f} s after its unload",
                "unload it on the server by hand, or restart the server",
            )


def in_place(info: ModelInfo, context_length: int | None, pace: Pace) -> LoadedModel | None:
    """The loaded instance that has the context; None when nothing of the model is loaded.

    Raises:
        Transient: an instance with a smaller context is in the way (unload it first).
    """
    for instance in info.loaded:
        if instance.holds(context_length):
            return instance
    if not info.loaded:
        return None
    raise Transient(
        f"model {info.key!r} is loaded with context {info.loaded[0].context_length}, {context_length} is needed",
        "it is unloaded before the next try",
        delay_s=pace.poll_interval_s,
    )


def too_small(key: str, given: int | None, asked: int | None, hint: str) -> Terminal:
    """The error for a context below the smallest that will do, with both figures."""
    return Terminal(f"model {key!r} was loaded with context {given} although {asked} was asked", hint)
