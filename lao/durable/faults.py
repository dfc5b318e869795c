"""Named crash points, kept in the shipped code so that the crash lab and users can prove recovery. Free when unset."""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

POINTS: Final = (
    "after_claim",
    "before_step",
    "after_intent",
    "after_apply",
    "after_step",
    "before_finish",
    "after_finish",
    "after_wake",
)
"""Every point that the code passes; tests fail when one of them is never hit."""


class InjectedFault(RuntimeError):
    """Raised by ``LAO_FAULT=point:raise``."""


class FaultPlan:
    """Parsed ``LAO_FAULT``: ``point:kill``, ``point:raise``, ``point:stop`` (SIGSTOP) or ``point:sleep=SECONDS``.

    ``@n`` means the n-th pass.
    """

    def __init__(self, text: str) -> None:
        head, _, nth = text.partition("@")
        self.point, _, self.action = head.partition(":")
        self.countdown = int(nth) if nth else 1
        self._lock = threading.Lock()
        if self.point not in POINTS:
            raise ValueError(f"LAO_FAULT names unknown point {self.point!r}; known: {', '.join(POINTS)}")

    def hit(self, point: str) -> None:
        if point != self.point:
            return
        with self._lock:
            self.countdown -= 1
            if self.countdown:
                return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.action == "stop":
            signal.raise_signal(signal.SIGSTOP)  # to this thread: sent to the process, it could go on for a while
        elif self.action == "raise":
            raise InjectedFault(point)
        elif self.action.startswith("sleep="):
            threading.Event().wait(float(self.action.removeprefix("sleep=")))
        else:
            raise ValueError(f"LAO_FAULT has unknown action {self.action!r}; known: kill, raise, stop, sleep=SECONDS")


_plan: FaultPlan | None = FaultPlan(os.environ["LAO_FAULT"]) if os.environ.get("LAO_FAULT") else None


def crash_point(point: str) -> None:
    """Let an injected fault strike here, when ``LAO_FAULT`` asks for it."""
    if _plan is not None:
        _plan.hit(point)
