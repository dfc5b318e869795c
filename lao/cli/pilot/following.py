"""Which turn a terminal was following: a note in ``.lao/pilot/``, so that the next one can show how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from lao.core.errors import LaoError
from lao.durable.files import write_atomic
from lao.durable.holding import owner_alive
from lao.durable.owners import current_owner

FOLDER: Final = "pilot"


def note(state_dir: Path, chat: int, turn: int) -> None:
    """This process follows a turn. Raises OSError or DiskFull when that cannot be noted."""
    text = json.dumps({"owner": current_owner().to_text(), "turn": turn})
    write_atomic(_file(state_dir, chat), text)


def forget(state_dir: Path, chat: int) -> None:
    """The end of the turn was seen. Raises OSError when the note cannot be removed."""
    _file(state_dir, chat).unlink(missing_ok=True)


def left(state_dir: Path) -> tuple[int, int] | None:
    """(chat, turn) of the newest turn whose terminal is gone without having shown its end; None when there is none."""
    found = []
    for path in (state_dir / FOLDER).glob("chat-*.json"):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if owner_alive(str(data["owner"])) is False:
                found.append((int(data["turn"]), int(path.stem.removeprefix("chat-"))))
        except (OSError, ValueError, KeyError, TypeError, LaoError):  # of another version, or torn: nothing to go by
            continue
    newest = max(found, default=None)
    return (newest[1], newest[0]) if newest else None


def _file(state_dir: Path, chat: int) -> Path:
    return state_dir / FOLDER / f"chat-{chat}.json"
