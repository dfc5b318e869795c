"""The skills on offer in one attempt, and which one is open: an open skill can take tools away, never give any."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from lao.core.words import Json
from lao.skills.catalogue import Catalogue, files_of, read_file
from lao.skills.format import Skill, Source

Permission = Callable[[str, dict[str, Json]], "str | None"]

_ALWAYS: Final = frozenset({"skill_list", "skill_run", "skill_clear", "task_todo_get", "task_todo_set", "memory_read"})
_MEANS: Final[Mapping[str, tuple[str, ...]]] = {
    "agent": ("agent_run",),
    "task": ("agent_run",),
    "bash": ("shell_exec",),
    "shell": ("shell_exec",),
    "read": ("file_read", "list_dir"),
    "ls": ("list_dir",),
    "glob": ("list_dir", "find_relevant_files"),
    "grep": ("find_relevant_files",),
    "write": ("file_write",),
    "filewrite": ("file_write",),
    "edit": ("file_patch", "file_write"),
    "multiedit": ("file_patch",),
}
_RULE: Final = re.compile(r"^([^()]+?)(?:\((.*)\))?$", re.DOTALL)
_SHELL_MARKS: Final = re.compile(r"[;&|<>`\n]|\$\(")


class Shelf:
    """The skills of one attempt. Everything is derived from calls and their recorded results, as in ``lao.tools.seen``,
    so that a resumed attempt has the same skill open."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.open: Skill | None = None

    def begin(self) -> None:
        """A new attempt: no skill is open."""
        self.open = None

    def note(self, tool: str, arguments: Mapping[str, Json], *, ok: bool) -> None:
        """Learn from a call that was made or replayed."""
        if tool == "skill_clear":
            self.open = None
        elif tool == "skill_run" and ok and not arguments.get("file"):
            self.open = self.catalogue.get(str(arguments["name"]))

    def listing(self) -> str:
        """One line a skill."""
        lines = [f"- {s.name}: {s.description}{_from(s)}" for s in self.catalogue.skills.values()]
        return "\n".join(lines) or "There are no skills."

    def shown(self, name: str) -> str:
        """A skill's instructions, its files, and what it takes away.

        Raises:
            BadInput: there is no such skill.
        """
        skill = self.catalogue.get(name)
        parts = [f"# Skill {skill.name}{_from(skill)}", skill.body]
        if files := files_of(skill):
            parts.append("Files of this skill, shown by skill_run with file:\n" + "\n".join(f"- {f}" for f in files))
        if skill.allowed_tools:
            told = ", ".join(skill.allowed_tools)
            parts.append(f"Until skill_clear only these tools run: {told}.")
        return "\n\n".join(parts)

    def file(self, name: str, path: str) -> str:
        """The text of one of a skill's files.

        Raises:
            BadInput: no such skill or file.
        """
        return read_file(self.catalogue.get(name), path)

    def refusal(self, tool: str, arguments: Mapping[str, Json]) -> str | None:
        """Why the open skill does not let this call run, or None."""
        skill = self.open
        if skill is None or not skill.allowed_tools or tool in _ALWAYS:
            return None
        if any(_lets(rule, tool, arguments) for rule in skill.allowed_tools):
            return None
        told = ", ".join(skill.allowed_tools)
        return f"the open skill {skill.name!r} allows only {told}; call skill_clear to leave it"


def _from(skill: Skill) -> str:
    """A workspace's skill is named as what it is: text that came with the work."""
    return " (from the workspace)" if skill.source is Source.WORKSPACE else ""


def _lets(rule: str, tool: str, arguments: Mapping[str, Json]) -> bool:
    match = _RULE.match(rule.strip())
    if match is None:
        return False
    name, specifier = match[1].strip(), match[2]
    if tool != name and tool not in _MEANS.get(name.lower(), ()):
        return False
    if specifier is None or specifier.strip() in ("", "*"):
        return True
    if tool == "shell_exec":
        return _lets_command(specifier.strip(), str(arguments.get("command", "")).strip())
    return fnmatchcase(str(arguments.get("path", "")).removeprefix("./"), specifier.strip().removeprefix("./"))


def _lets_command(pattern: str, command: str) -> bool:
    """One plain command; what a shell would make several of is not taken apart here, so it is not let through."""
    if _SHELL_MARKS.search(command):
        return False
    if pattern.endswith(":*"):
        prefix = pattern[:-2].strip()
        return command == prefix or command.startswith(prefix + " ")
    return fnmatchcase(command, pattern) or (pattern.endswith(" *") and command == pattern[:-2])
