"""The keys of the Pilot's input line. Each calls a method of the desk; none decides anything."""

from __future__ import annotations

from typing import Final, Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_completions, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

KEYS: Final = (
    ("Enter", "send"),
    ("Alt-Enter, Esc Enter, or \\ at the end of the line", "a new line"),
    ("Tab", "complete a command, plan, task or path"),
    ("Up, Down, Ctrl-R", "what was typed before, also in earlier sessions"),
    ("Ctrl-O", "show the last tool result whole"),
    ("Ctrl-C", "stop the answer; twice: leave with exit code 130"),
    ("Ctrl-D", "leave, on an empty line"),
    ("Esc", "close the live gate of /done"),
)
"""For the docs and the help."""


class Desk(Protocol):
    """What keys do."""

    def stop(self) -> None:
        """Ctrl-C."""

    def leave(self) -> None:
        """Ctrl-D on an empty line."""

    def expand(self) -> None:
        """Ctrl-O."""

    def close(self) -> None:
        """Escape."""

    def paste(self, text: str) -> str:
        """What of a paste is taken."""


def bindings(desk: Desk) -> KeyBindings:
    """The keys, over the usual ones of an input line."""
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    empty = Condition(lambda: not get_app().current_buffer.text)

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        _enter(event.current_buffer)

    @keys.add("escape", "enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:  # noqa: ARG001 - prompt_toolkit's signature
        desk.stop()

    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:  # noqa: ARG001 - prompt_toolkit's signature
        desk.stop()

    @keys.add("c-d", filter=typing & empty)
    def _(event: KeyPressEvent) -> None:  # noqa: ARG001 - prompt_toolkit's signature
        desk.leave()

    @keys.add("c-o")
    def _(event: KeyPressEvent) -> None:  # noqa: ARG001 - prompt_toolkit's signature
        desk.expand()

    @keys.add("escape", filter=typing & ~has_completions)
    def _(event: KeyPressEvent) -> None:  # noqa: ARG001 - prompt_toolkit's signature
        desk.close()

    @keys.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(desk.paste(event.data.replace("\r\n", "\n").replace("\r", "\n")))

    return keys


def _enter(buffer: Buffer) -> None:
    """Take the completion that is chosen; go on after a backslash; else send."""
    state = buffer.complete_state
    if state is not None and state.current_completion is not None:
        buffer.complete_state = None
        return
    if buffer.document.text_before_cursor.endswith("\\") and buffer.document.is_cursor_at_the_end:
        buffer.delete_before_cursor()
        buffer.insert_text("\n")
        return
    buffer.validate_and_handle()
