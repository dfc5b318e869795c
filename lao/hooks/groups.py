"""Which command hooks there are: from factory.yaml and from the files that it names. Runs none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.hooks.contract import EVENTS

_PLAIN: Final = re.compile(r"[\w|-]+")
_LARGEST_FILE: Final = 1_000_000


@dataclass(frozen=True)
class CommandHook:
    """One command.

    Attributes:
        matcher: of names, "" for all.
        timeout_s: seconds; None is the project's.
        source: where it is written, for people.
    """

    event: str
    matcher: str
    command: str
    timeout_s: float | None
    source: str

    def matches(self, names: Iterable[str]) -> bool:
        """Exact, one of ``A|B``, or a regular expression that is found in one of the names; an event without a name is
        matched by all."""
        known = tuple(names)
        if self.matcher in ("", "*") or not known:
            return True
        if _PLAIN.fullmatch(self.matcher):
            return bool(set(self.matcher.split("|")) & set(known))
        return any(re.search(self.matcher, name) for name in known)


def from_settings(section: Mapping[str, Json]) -> tuple[list[CommandHook], list[str]]:
    """The hooks of factory.yaml, which has passed the schema, and what is wrong with them."""
    return _groups({event: section.get(event) or [] for event in EVENTS}, "factory.yaml")


def from_file(path: Path, shown: str) -> tuple[list[CommandHook], list[str]]:
    """The hooks of a file like ``.claude/settings.json`` (or of its ``hooks`` alone), and what is wrong with it."""
    try:
        data = _read(path, shown)
    except BadInput as error:
        return [], [error.message]
    events = data.get("hooks", data)
    if not isinstance(events, dict):
        return [], [f"{shown}: hooks is no object"]
    return _groups(events, shown)


def _read(path: Path, shown: str) -> dict[str, Json]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInput(f"{shown}: larger than {_LARGEST_FILE} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{shown}: cannot be read: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise BadInput(f"{shown}:{error.lineno}: no JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{shown}: no JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{shown}: no JSON object")
    return data


def _groups(events: Mapping[str, Json], source: str) -> tuple[list[CommandHook], list[str]]:
    """What is wrong with one hook costs only that one."""
    hooks: list[CommandHook] = []
    problems: list[str] = []
    for event, groups in events.items():
        where = f"{source}: {event}"
        if event not in EVENTS:
            problems.append(f"{source}: LAO has no event {event!r}; its hooks are never run")
            continue
        try:
            for group in _list(groups, where):
                matcher = _matcher(group.get("matcher") or "", where)
                for hook in _list(group.get("hooks"), f"{where}: hooks"):
                    try:
                        hooks.append(_hook(hook, event, matcher, where))
                    except BadInput as error:
                        problems.append(error.message)
        except BadInput as error:
            problems.append(error.message)
    return hooks, problems


def _matcher(matcher: Json, where: str) -> str:
    if not isinstance(matcher, str):
        raise BadInput(f"{where}: a matcher is no text")
    try:
        re.compile("" if matcher == "*" else matcher)
    except re.error as error:
        raise BadInput(f"{where}: the matcher {matcher!r} is no regular expression: {error}") from error
    return matcher


def _list(value: Json, where: str) -> list[dict[str, Json]]:
    if not isinstance(value, list) or any(not isinstance(entry, dict) for entry in value):
        raise BadInput(f"{where} is no list of objects")
    return value


def _hook(hook: Mapping[str, Json], event: str, matcher: str, where: str) -> CommandHook:
    command, timeout, kind = hook.get("command"), hook.get("timeout"), hook.get("type", "command")
    if kind != "command":
        raise BadInput(f"{where}: hooks of the type {kind!r} are not known here; only commands are")
    if not isinstance(command, str) or not command.strip() or "\0" in command:
        raise BadInput(f"{where}: a hook without a command")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
        raise BadInput(f"{where}: the timeout of {command!r} is no number above 0")
    return CommandHook(event, matcher, command, timeout, where)
