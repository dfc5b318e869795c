"""What the Pilot's own tools do: the same functions as the commands of the same names call."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.folders import make_folders
from lao.core.words import Json
from lao.durable.files import create_whole, write_atomic
from lao.state import plans, references
from lao.state.records import Plan
from lao.tools.context import ToolResult
from lao.tools.pilot.catalogue import pilot_tools
from lao.tools.registry import Tool
from workflows import control, pilot_record
from workflows.factory import Factory
from workflows.submission import checked, read_plan, submit_file
from workflows.wake import wake_all

Arguments = Mapping[str, Json]

_SLUG: Final = 60


def tools(factory: Factory) -> tuple[Tool, ...]:
    """The Pilot's tools for one project."""
    hands = _Hands(factory)
    run = {
        "pipeline_status": lambda _a: ToolResult(pilot_record.pipeline_status(factory)),
        "project_status": lambda _a: ToolResult(pilot_record.project_status(factory)),
        "gate_summary": lambda a: ToolResult(pilot_record.gate_summary(factory, _text(a, "plan"))),
        "explain_failure": lambda a: ToolResult(pilot_record.explain(factory, _text(a, "of"))),
        "plan_preflight": lambda a: ToolResult(pilot_record.preflight(factory, _text(a, "plan"), _text(a, "content"))),
        "retry_failed": hands.retry_failed,
        "pause_pipeline": hands.pause,
        "resume_pipeline": hands.resume,
        "cancel_plan": hands.cancel,
    }
    return pilot_tools(run, {"create_plan": hands.create_plan, "edit_plan": hands.edit_plan})


@dataclass(frozen=True)
class _Hands:
    factory: Factory

    def retry_failed(self, arguments: Arguments) -> ToolResult:
        plan = self._plan(arguments)
        count, ready = plans.retry(self.factory.store, plan.id if plan else None)
        wake_all(self.factory.store, ready)
        return ToolResult(f"{count} set back, {len(ready)} begin again" if count else "nothing has failed")

    def pause(self, arguments: Arguments) -> ToolResult:
        plan = self._plan(arguments)
        _, fresh = control.pause(self.factory, plan)
        name = f"plan {plan.name}" if plan else "everything"
        return ToolResult(f"{name} is paused{'' if fresh else ' already'}; what runs ends its phase")

    def resume(self, arguments: Arguments) -> ToolResult:
        ended, woken = control.resume(self.factory, self._plan(arguments))
        return ToolResult(f"goes on; {woken} runs woken" if ended else "nothing was paused")

    def cancel(self, arguments: Arguments) -> ToolResult:
        found = references.find(self.factory.store, _text(arguments, "plan"))
        plan, task = (found, None) if isinstance(found, Plan) else (plans.get(self.factory.store, found.plan_id), found)
        done = control.cancel(self.factory, plan, task)
        what = f"plan {plan.name}" if task is None else f"task {task.id}"
        if done.before:
            return ToolResult(f"{what} is {done.before} already; nothing was changed")
        return ToolResult(f"{what} is cancelled: {len(done.tasks)} open tasks ended; what is completed stays")

    def create_plan(self, arguments: Arguments) -> PlanFile:
        title, content = _text(arguments, "title"), _content(arguments)
        name = _slug(title)
        if not re.search(r"^#\s", content, re.MULTILINE):
            content = f"# {' '.join(title.split())}\n\n{content}"

        def text(before: str | None) -> str:
            if before is not None:
                raise BadInput(
                    f"there is a plan {name!r} already, and it is never overwritten",
                    "give another title, or change it with edit_plan",
                )
            return content

        return PlanFile(self.factory, name, text, new=True)

    def edit_plan(self, arguments: Arguments) -> PlanFile:
        name = Path(_text(arguments, "plan").removesuffix(".md")).name
        folder = self.factory.settings.paths.plans
        if not (folder / f"{name}.md").is_file():
            name = references.find_plan(self.factory.store, _text(arguments, "plan")).name

        def text(before: str | None) -> str:
            if before is None:
                raise BadInput(f"the plan {name!r} has no file in {str(folder)!r}", "file a new one with create_plan")
            if _text(arguments, "content").strip():
                return _content(arguments)
            search = _text(arguments, "search")
            if not search or before.count(search) != 1:
                raise BadInput(
                    f"the text to search for stands {before.count(search) if search else 0} times in plan {name!r}",
                    "give a text that stands in it exactly once, or the whole content",
                )
            return before.replace(search, _text(arguments, "replace"))

        return PlanFile(self.factory, name, text)

    def _plan(self, arguments: Arguments) -> Plan | None:
        reference = _text(arguments, "plan").strip()
        return references.find_plan(self.factory.store, reference) if reference else None


@dataclass(frozen=True)
class PlanFile:
    """Effect: the file of a plan has this text and is handed in (``lao.core.steps.Effect``).

    Attributes:
        text: gives the new text for the old one, None where there is no file.
        new: the file must not be there before.
    """

    factory: Factory
    name: str
    text: Callable[[str | None], str]
    new: bool = False

    @property
    def path(self) -> Path:
        return self.factory.settings.paths.plans / f"{self.name}.md"

    def prepare(self) -> Json:
        """Raises BadInput when the text cannot be a plan."""
        text = self.text(read_plan(self.path) if os.path.lexists(self.path) else None)
        checked(self.factory, self.path, text)
        return {"name": self.name, "text": text}

    def apply(self, intent: Json) -> Json:
        """Done twice, it is done once: the same text is the same file and the same plan."""
        path, text = self.factory.settings.paths.plans / f"{intent['name']}.md", intent["text"]
        make_folders(path.parent)
        if not (path.is_file() and path.read_bytes() == text.encode("utf-8")):
            _write_new(path, text) if self.new else write_atomic(path, text)
        taken = submit_file(self.factory, path)
        how = "queued" if taken.created else f"known already, {taken.plan.state.value}"
        told = f"wrote {path.name} in the plans folder; plan {taken.plan.name}, id {taken.plan.id}, is {how}"
        return ToolResult(told).to_json()

    def probe(self, intent: Json) -> Json | None:  # noqa: ARG002  # the Protocol's names
        return None


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all, and never over another one.

    Raises:
        BadInput: it is there.
    """
    if not create_whole(path, text):
        raise BadInput(f"there is a file {path.name!r} already", "give another title")


def _text(arguments: Arguments, name: str) -> str:
    return str(arguments.get(name) or "")


def _content(arguments: Arguments) -> str:
    """The text of a plan. Small models write line breaks as two characters."""
    text = _text(arguments, "content")
    if "\n" not in text and "\\n" in text:
        text = text.replace("\\n", "\n")
    return text.replace("\r\n", "\n").strip() + "\n"


def _slug(title: str) -> str:
    """A name for a file and a folder.

    Raises:
        BadInput: the title has no letter or digit.
    """
    plain = unicodedata.normalize("NFKD", title.removesuffix(".md")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_SLUG].strip("-")
    if not name:
        raise BadInput(f"no file can be named after the title {title!r}", "give a title of a few plain words")
    return name
