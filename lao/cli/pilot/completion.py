"""What Tab offers: commands, their arguments, and paths anywhere. Reads no state: it is handed the names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from lao.cli.pilot.commands.registry import Command, by_any_name, commands
from lao.cli.pilot.status import Glance

MOST: Final = 100


class Completions(Completer):
    """Completes a command's name at the beginning, its arguments after it, and paths elsewhere.

    Args:
        glance: the last look at the state, for names of plans, tasks and conversations.
        root: what relative paths count from.
        models: the keys of the server's models; asked for only where one is completed, in a thread of its own.
    """

    def __init__(self, glance: Callable[[], Glance], root: Path, models: Callable[[], Sequence[str]] = tuple) -> None:
        self._glance, self._root, self._models = glance, root, models

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002 - prompt_toolkit's signature
        before = document.text_before_cursor
        word = before[max(before.rfind(mark) for mark in (" ", "\n", "\t")) + 1 :]
        first = before.lstrip().partition(" ")[0]
        if before.startswith("/") and before == word:
            found = list(self._commands(word))
            yield from found or self._paths(word)
            return
        command = by_any_name().get(first[1:]) if first.startswith("/") else None
        second = len(before.split()) - bool(word) > 1
        offered = [name for name in self._words(command, second=second) if name.startswith(word)]
        yield from (Completion(name, -len(word)) for name in offered[:MOST])
        if "path" in (command.completes if command else ("path",)) and ("/" in word or word.startswith(("~", "."))):
            yield from self._paths(word)

    def _commands(self, word: str) -> Iterator[Completion]:
        for command in commands().values():
            for name in (command.name, *command.names):
                if f"/{name}".startswith(word):
                    yield Completion(f"/{name}", -len(word), display=f"/{name}", display_meta=command.help)

    def _words(self, command: Command | None, *, second: bool) -> Iterable[str]:
        if command is None:
            return ()
        if command.name == "help":
            return tuple(commands())
        kinds = command.then if second and command.then else command.completes
        return [name for kind in kinds for name in self._of(kind)]

    def _of(self, kind: str) -> Sequence[str]:
        if kind == "model":
            return self._models()
        glance = self._glance()
        return {"plan": glance.plans, "task": glance.tasks, "chat": glance.chats, "path": ()}.get(kind, (kind,))

    def _paths(self, word: str) -> Iterator[Completion]:
        folder, _, start = os.path.expanduser(word).rpartition("/")  # noqa: PTH111 - "~" alone stays text for Path
        place = self._root / (f"{folder}/" if folder or word.startswith("/") else ".")
        try:
            with os.scandir(place) as entries:
                names = sorted((e.name, e.is_dir()) for e in entries if e.name.startswith(start))
        except (OSError, ValueError):  # no such folder, or not ours to read: nothing to offer
            return
        for name, is_folder in names[:MOST]:
            if name.isprintable() and (start or not name.startswith(".")):
                yield Completion(name + ("/" if is_folder else ""), -len(start))
