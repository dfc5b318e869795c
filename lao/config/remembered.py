"""``.lao/permissions.yaml``: the rules that a person's "always" made, beside those of factory.yaml. Writes no file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from lao.config.draft import Draft, lookup, place
from lao.config.rules import KINDS
from lao.core.errors import ConfigError

FILE_NAME: Final = "permissions.yaml"
_HEAD: Final = """# Rules that a person's "always" has made. They count like those of permissions in factory.yaml.
# Edit them freely: LAO only adds lines under allow. Models cannot write this file.
"""


def add(draft: Draft, state_dir: Path | None, cwd: Path) -> None:
    """Lay the remembered rules behind those of the draft.

    Raises:
        ConfigError: the file is broken, or has anything but lists under allow, ask and deny.
    """
    if state_dir is None or not os.path.isfile(state_dir / FILE_NAME):  # noqa: PTH113 - Path.is_file raises on odd names
        return
    from lao.config import parse  # PyYAML takes time to import

    file = state_dir / FILE_NAME
    shown = str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)
    document = parse.read(file, shown)
    for kind, entries in _checked(document, shown).items():
        known = lookup(draft.data, ("permissions", kind))
        if known is None:
            known = []
        elif not isinstance(known, list):
            continue  # the schema says what is wrong with it
        for index in range(len(entries)):
            draft.overrides["permissions", kind, len(known) + index] = f"{shown}:{document.lines[kind, index]}"
        place(draft.data, ("permissions", kind), [*known, *entries])


def _checked(document: Any, shown: str) -> dict[str, list[Any]]:
    from lao.config.parse import Scalar

    data = document.data
    if data is None or (isinstance(data, Scalar) and data.value is None):
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{shown}: expected lists under allow, ask and deny", "Correct the file, or delete it.")
    found: dict[str, list[Any]] = {}
    for key, entries in data.items():
        where = f"{shown}:{document.lines[key,]}: {key}"
        if key not in KINDS:
            raise ConfigError(f"{where}: unknown key; known here: {', '.join(KINDS)}", "Correct that line.")
        if isinstance(entries, Scalar) and entries.value is None:
            continue
        if not isinstance(entries, list):
            raise ConfigError(f"{where}: expected a list of rules", "Correct that line.")
        found[key] = [_plain(entry) for entry in entries]
    return found


def _plain(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {name: _plain(value) for name, value in entry.items()}
    return getattr(entry, "value", entry)


def with_rules(text: str, rules: Sequence[str], note: str) -> str:
    """The file's text with these rules under ``allow`` and nothing else changed; comments stay.

    Args:
        text: "" when there is no file yet.
        note: put behind each rule as a comment.

    Raises:
        ConfigError: the text is not one that LAO knows how to add to.
    """
    lines = [f"- {json.dumps(rule, ensure_ascii=False)} # {note}" for rule in rules]
    if not text.strip():
        return _HEAD + "allow:\n" + "".join(f"  {line}\n" for line in lines)
    found = re.search(r"^allow:[ \t]*(\[[ \t]*\]|null|~)?[ \t]*(#.*)?$", text, re.MULTILINE)
    if found is None:
        if re.search(r"^allow:", text, re.MULTILINE):
            raise ConfigError(
                f"{FILE_NAME}: the list under allow is in one line, so nothing can be added to it",
                "Write each rule of it in a line of its own, beginning with '- '.",
            )
        return text.rstrip("\n") + "\nallow:\n" + "".join(f"  {line}\n" for line in lines)
    rest = text[found.end() :]
    entry = re.match(r"\n(?:[ \t]*(?:#.*)?\n)*([ \t]*)- ", rest)
    indent = entry[1] if entry and not found[1] else "  "
    head = "allow:" + (f" {found[2]}" if found[2] else "")
    return text[: found.start()] + head + "".join(f"\n{indent}{line}" for line in lines) + rest
