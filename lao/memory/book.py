"""The two memory files: facts of the project (kept in the state, shown in its file) and of the user (kept in the file).

What is asked for twice, or replayed after a kill, is there once: everything is keyed by a fact's digest. The project's
file is made new from the state whenever it is looked at, so a kill between the two costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.durable.files import write_atomic
from lao.memory import section
from lao.memory.facts import FACTS_LIMIT, checked, digest
from lao.state import facts as kept
from lao.state.facts import Fact
from lao.state.store import Store

PROJECT, USER = "project", "user"
SCOPES: Final = (PROJECT, USER)
BYTES_LIMIT: Final = 262_144
_ROUNDS: Final = 5
_LEAST_PART: Final = 3


@dataclass(frozen=True)
class MemoryBook:
    """What is remembered in a project and by its user.

    Attributes:
        project_file: LAO_MEMORY.md.
        user_file: ``~/.lao/MEMORY.md``.
        origin: who appends: "model" or "person"; ``plan``, ``task`` say where.
    """

    store: Store
    project_file: Path
    user_file: Path
    origin: str = "person"
    plan: str = ""
    task: int | None = None

    def file(self, scope: str) -> Path:
        """The file of a scope; links are followed, so that a linked file is changed and not replaced."""
        return Path(os.path.realpath(self.project_file if scope == PROJECT else self.user_file))

    def facts(self, scope: str) -> tuple[str, ...]:
        """The facts of a scope, the oldest first.

        Raises:
            BadInput: the user's file cannot be read.
        """
        if scope == PROJECT:
            return tuple(fact.text for fact in kept.known(self.store))
        return section.split(self._text(USER))[1]

    def own_text(self, scope: str) -> str:
        """What the user wrote into the file of a scope.

        Raises:
            BadInput: the file cannot be read.
        """
        return section.own_text(self._text(scope))

    def append(self, text: str, scope: str) -> bool:
        """Remember a fact; False when it is known already.

        Raises:
            BadInput: the fact cannot be kept (``lao.memory.facts.checked``), or the memory is full.
        """
        line = checked(text)
        facts = self.facts(scope)
        if digest(line) in {digest(f) for f in facts}:
            self.sync()
            return False
        if len(facts) >= FACTS_LIMIT:
            raise BadInput(f"the {scope} memory holds {len(facts)} facts and is full", "forget one first")
        if scope == PROJECT:
            kept.add(self.store, Fact(digest(line), line, "", self.origin, self.plan, self.task))
            self.sync()
        else:
            self._change(USER, lambda facts: facts if digest(line) in map(digest, facts) else (*facts, line))
        return True

    def forget(self, part: str, scope: str) -> tuple[str, ...]:
        """Forget the facts that contain ``part``, in any case; returns them.

        Raises:
            BadInput: ``part`` is too short to mean one.
        """
        wanted = " ".join(part.split())
        if len(wanted) < _LEAST_PART:
            raise BadInput(f"{part!r} could mean many facts", "give a longer part of the fact")
        if scope == PROJECT:
            gone = kept.forget(self.store, wanted)
            self.sync()
            return gone
        gone = tuple(fact for fact in self.facts(USER) if wanted.casefold() in fact.casefold())
        if gone:
            self._change(USER, lambda facts: tuple(f for f in facts if f not in gone))
        return gone

    def sync(self) -> bool:
        """Bring the project's file to what the state says; True when it was changed. Safe at any time, by anybody.

        Raises:
            BadInput: the file is no text, or too large; it is left as it is.
        """
        changed = False
        for _ in range(_ROUNDS):  # somebody else may learn something meanwhile
            facts = kept.known(self.store)
            wrote = self._change(PROJECT, lambda _facts, new=facts: tuple(map(_told, new)))  # type: ignore[misc]
            changed = changed or wrote
            if not wrote or kept.known(self.store) == facts:
                break
        return changed

    def _change(self, scope: str, make: Callable[[tuple[str, ...]], tuple[str, ...]]) -> bool:
        for _ in range(_ROUNDS):
            before = self._text(scope)
            after = section.render(before, make(section.split(before)[1]))
            if after == before:
                return False
            if self._text(scope) == before:  # an editor that saved meanwhile is not overwritten
                write_atomic(self.file(scope), after)
                return True
        raise BadInput(f"{self.file(scope)} changes all the time", "try again when nobody writes it")

    def _text(self, scope: str) -> str:
        file = self.file(scope)
        try:
            if not file.exists():
                return ""
            if not file.is_file():
                raise BadInput(f"memory file {str(file)!r} is not a regular file", "put a text file there")
            if file.stat().st_size > BYTES_LIMIT:
                raise BadInput(f"memory file {str(file)!r} has more than {BYTES_LIMIT} bytes", "shorten it")
            text = file.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(f"memory file {str(file)!r} is not UTF-8 text", "save it as UTF-8") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(f"memory file {str(file)!r} cannot be read: {reason}", "look at its rights") from error
        if "\0" in text:
            raise BadInput(f"memory file {str(file)!r} is binary", "put a text file there")
        return text


def _told(fact: Fact) -> str:
    """The fact's line in the file, with where it comes from."""
    task = f"task #{fact.task}" if fact.task is not None else ""
    where = ", ".join(
        part for part in (f"plan {fact.plan}" if fact.plan else "", task, (fact.commit or "")[:10]) if part
    )
    return f"{fact.text} ({where})" if where else fact.text
