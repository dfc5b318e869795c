"""The one error tree. Each class answers: is it retried, what does the user see, which exit code.

LaoError                      exit 1
├── BadInput                  exit 42   a file, flag or plan that the user must change
│   ├── ConfigError           exit 42   factory.yaml or an environment variable
│   │   └── NotAServer        exit 42   no model server answers at the address; passes where one has answered before
│   └── StateDamaged          exit 42   the state file cannot be trusted; nothing runs on it and nothing is changed
├── Refused                   exit 1    another worker holds the project, a command is not allowed now
├── Transient                 retried after a pause, uses no attempt (server away, disk full, database busy)
├── AttemptFailed             counts against the task's attempts; a fresh attempt follows
├── Terminal                  the plan or task fails; no attempt could change that
├── NeedsHuman     exit 4     parked until a person decides
│   └── BudgetSpent           with all that is open of its plan
└── Interrupted               the worker is stopping; the phase goes back to the queue untouched
"""

from __future__ import annotations


class LaoError(Exception):
    """Base of all errors that LAO raises on purpose.

    Args:
        message: what happened, to which id (identifiers with ``!r``).
        hint: what the user can do next, one sentence or a command.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class BadInput(LaoError):
    """Something that the user gave cannot be used as it is. Never retried."""

    exit_code = 42


class ConfigError(BadInput):
    """``factory.yaml``, a flag or an environment variable is wrong. Never retried."""


class NotAServer(ConfigError):
    """Something answers at the server's address, but not as a model server does. Where one has answered before it is
    taken for ``ServerAway``: a proxy or a server that restarts says such things for a moment."""


class StateDamaged(BadInput):
    """The state file is damaged, or older than what was acknowledged. Workers stop; a backup is restored by hand."""


class Refused(LaoError):
    """The command is right but may not run now (another worker owns the project)."""


class Transient(LaoError):
    """The world is not ready. Backed off and tried again; no attempt is used.

    Args:
        delay_s: a wait in seconds that the source of the error suggests, or None for the standard back-off.
    """

    def __init__(self, message: str, hint: str = "", *, delay_s: float | None = None) -> None:
        super().__init__(message, hint)
        self.delay_s = delay_s


class ServerAway(Transient):
    """The model server refuses connections, is loading, or broke off."""


class Nonsense(ServerAway):
    """What answers there speaks otherwise than a model server, which it was before: waited out, but not for ever."""


class OutOfMemory(Transient):
    """The memory gate did not see enough free memory in time."""


class ForeignModel(Transient):
    """A large model that LAO did not load is in the way, and ``memory_gate.evict_foreign`` forbids unloading it."""


class DiskFull(Transient):
    """No space left for state, queue or workspace."""


class OutOfResources(Transient):
    """The system refuses memory, processes, open files or a larger file."""


class AttemptFailed(LaoError):
    """The model's work was no good. Uses one attempt.

    Args:
        kind: the named failure class, for counters and the log (for example ``"empty_answer"``).
    """

    def __init__(self, message: str, hint: str = "", *, kind: str = "attempt") -> None:
        super().__init__(message, hint)
        self.kind = kind


class Terminal(LaoError):
    """No further attempt can succeed (unknown model, plan without tasks)."""


class NeedsHuman(LaoError):
    """A person must decide; the phase is set aside and the rest goes on."""

    exit_code = 4


class BudgetSpent(NeedsHuman):
    """The plan has used what its front matter allows; all that is open of it is parked."""


class Interrupted(LaoError):
    """The worker was asked to stop. The phase is released; an interruption is not a failure."""

    exit_code = 130
