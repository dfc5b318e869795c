"""What a plan asks for and no task does: parts with a file to write and a test of their own that a planner left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lao.agents import plan_items
from lao.agents.plan_text import body, plan_commands, sections, units
from lao.core.words import TaskSpec

_ORDER = re.compile(
    r"\b(?:write|create|add|implement|build|make|provide|generate|extend|change|fix|move|put)\b[^.!?\n]{0,60}?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|task\s+\d+[:.)]?|step\s+\d+[:.)]?)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A part of a plan that is work of its own: it orders files to be written and names a command that tests them."""

    title: str
    text: str
    files: tuple[str, ...]
    commands: tuple[str, ...]


def parts(plan_text: str) -> list[Part]:
    """The parts of a plan that are work of their own, in its order: leaf sections, or numbered items in them."""
    found = []
    for section in sections(body(plan_text)):
        for text in units(section.text):
            commands = tuple(command for _, command in plan_commands(text))
            files = _ordered_files(text)
            if commands and files:
                found.append(Part(_title(section.title, text, files), text.strip(), files, commands))
    return found


def with_forgotten(tasks: Sequence[TaskSpec], plan_text: str, not_files: Collection[str] = ()) -> list[TaskSpec]:
    """``tasks`` and one more for each part that none of them is about, in the plan's own words.

    Only where a part orders a file that no task writes or speaks of, so that what a planner has merged or renamed stays
    as it is. A weak planner often stops after the first part of a plan.

    Args:
        not_files: files that no task may write, such as given tests.
    """
    result = list(tasks)
    for part in parts(plan_text):
        files = tuple(path for path in part.files if path not in not_files)
        if not files or any(_speaks_of(task, path) for task in tasks for path in files):
            continue
        needs = tuple(t.title for t in tasks if any(_names(part.text, path) for path in t.file_paths))
        title = part.title if all(t.title != part.title for t in result) else f"{part.title} ({files[0]})"
        result.append(TaskSpec(title, part.text, files, needs, part.commands))
    return _in_the_plans_order(result, plan_text) if len(result) > len(tasks) else result


def _ordered_files(text: str) -> tuple[str, ...]:
    ordered = []
    for found in plan_items.TICKED_FILE.finditer(text):
        before = text[: found.start()].rsplit("\n\n", 1)[-1].replace("\n", " ")
        if _ORDER.search(before):
            ordered.append(found[1])
    return tuple(dict.fromkeys(ordered))


def _title(heading: str, text: str, files: Sequence[str]) -> str:
    title = _NUMBER.sub("", heading).strip()
    several = len(units(text)) == 1 and text.lstrip()[:1].isdigit()  # an item: the heading is its siblings', too
    return title if title and not several else f"Write {files[0]}"


def _speaks_of(task: TaskSpec, path: str) -> bool:
    name = PurePosixPath(path).name
    written = any(PurePosixPath(p).name == name for p in task.file_paths)
    return written or _names(f"{task.title}\n{task.description}", name)


def _names(text: str, path: str) -> bool:
    return bool(re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w-])", text))


def _in_the_plans_order(tasks: Sequence[TaskSpec], plan_text: str) -> list[TaskSpec]:
    """Tasks where the plan names their first file, so that a forgotten one does not wait for the last."""

    def place(task: TaskSpec) -> int:
        found = [plan_text.find(path) for path in task.file_paths if path in plan_text]
        return min(found, default=len(plan_text))

    return [replace(task) for task in sorted(tasks, key=place)]
