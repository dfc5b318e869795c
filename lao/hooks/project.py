"""All hooks of a project: found and loaded once, run one after the other, each bounded. Knows no phase and no tool."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from lao.config.settings import Settings
from lao.core.errors import BadInput, DiskFull, NeedsHuman
from lao.core.words import Json
from lao.durable.containment import Containment
from lao.durable.processes import run_command
from lao.hooks import contract, groups
from lao.hooks.contract import About, Answer
from lao.hooks.groups import CommandHook
from lao.hooks.python_file import HookFile

FILE_NAME: Final = "hooks.py"
OUTPUT_LIMIT: Final = 64_000
"""Bytes of stdout, and of stderr, that are kept of a command hook."""


@dataclass(frozen=True)
class Means:
    """What running a hook takes.

    Attributes:
        marker: put on the processes of command hooks; no other command has it at the same time.
        stop: asked while one runs; True ends it (Interrupted).
        note: gets what was wrong with a hook, once for each time.
        before_command: called before a command hook, which may take long.
        transcript: writes the conversation of the run with this number as it is now; the path, or "".
    """

    marker: str
    note: Callable[[str], None] = lambda _text: None
    stop: Callable[[], bool] | None = None
    before_command: Callable[[], None] = lambda: None
    transcript: Callable[[int], str] = lambda _run: ""


@dataclass(frozen=True)
class ProjectHooks:
    """The hooks that a project has.

    Attributes:
        root: the folder of factory.yaml, in which command hooks are run.
        file: the Python hooks, if there are any.
        problems: what is wrong with what was found, for people.
        broken: why tool calls and phases are refused altogether: a hook cannot be loaded, and ``hooks.fail_closed``.
    """

    root: Path
    commands: tuple[CommandHook, ...] = ()
    file: HookFile | None = None
    fail_closed: bool = False
    timeout_s: float = 60.0
    environment: Mapping[str, str] = field(default_factory=dict)
    containment: Containment = Containment.NONE
    problems: tuple[str, ...] = ()
    broken: str = ""

    def python(self, name: str) -> bool:
        """Whether hooks.py has this function."""
        return self.file is not None and name in self.file.names

    def wants(self, *events: str) -> bool:
        """Whether a command hook is there for one of the events."""
        return any(hook.event in events for hook in self.commands)

    @property
    def before_tools(self) -> bool:
        """Whether something is asked before a tool call."""
        return bool(self.broken) or self.python("pre_tool") or self.wants(contract.PRE_TOOL)

    @property
    def after_tools(self) -> bool:
        """Whether something is told of a tool call that is over."""
        return self.python("post_tool") or self.wants(contract.POST_TOOL, contract.POST_FAILURE)

    def call(self, name: str, means: Means, *arguments: Any) -> tuple[Any, str]:
        """What a function of hooks.py returned, and why everything is refused now ("" when it is not)."""
        if self.file is None:
            return None, self.broken
        try:
            return self.file.call(name, *arguments), self.broken
        except BadInput as error:
            means.note(error.message)
            return None, self._closed(error.message)

    def run(self, hook: CommandHook, told: Mapping[str, Json], means: Means) -> Answer:
        """Run one command hook; with ``fail_closed`` one that failed refuses.

        Raises:
            Interrupted: the worker is stopping.
        """
        limit = hook.timeout_s or self.timeout_s
        means.before_command()
        if isinstance(number := told.get("run_id"), int):
            told = {**told, "transcript_path": means.transcript(number)}
        try:
            result = run_command(
                hook.command,
                cwd=self.root,
                timeout_s=limit,
                marker=means.marker,
                env={**self.environment, "CLAUDE_PROJECT_DIR": str(self.root), "LAO_PROJECT_DIR": str(self.root)},
                containment=self.containment,
                output_limit=OUTPUT_LIMIT,
                stop=means.stop,
                given=json.dumps(told, default=str).encode("utf-8", "replace"),
            )
        except (OSError, DiskFull) as error:
            answer = Answer(problem=f"could not be run: {error}")
        else:
            answer = contract.read_answer(hook.event, result, limit)
        if answer.message:
            means.note(f"{hook.source}: {answer.message}")
        if not answer.problem:
            return answer
        text = f"{hook.source}: hook {hook.command[:120]!r}: {answer.problem}"
        means.note(text)
        refused = self._closed(text) if hook.event == contract.PRE_TOOL else ""
        return replace(answer, deny=refused or answer.deny)

    def fire(self, event: str, about: About, means: Means, *, names: Iterable[str] = ()) -> list[Answer]:
        """Run the command hooks of an event that decides nothing.

        Raises:
            Interrupted: the worker is stopping.
        """
        told = about.to_json(event)
        known = tuple(names)
        return [self.run(h, told, means) for h in self.commands if h.event == event and h.matches(known)]

    def _closed(self, text: str) -> str:
        return f"a hook failed, and hooks.fail_closed is set: {text}" if self.fail_closed else ""


def load_hooks(settings: Settings, containment: Containment, env: Mapping[str, str] | None = None) -> ProjectHooks:
    """Find and load the hooks of a project. What is wrong with one is a problem of the result, not an error.

    Only files of the project's root folder and below are taken, and none from a folder in which a plan is worked on:
    models write there.
    """
    section = settings.raw.get("hooks") or {}
    root = settings.paths.root
    if not section.get("enabled", True):
        return ProjectHooks(root)
    env = os.environ if env is None else env
    commands, problems = groups.from_settings(section)
    for name in section.get("files") or ():
        path, wrong = _inside(settings, name)
        found, more = ([], [wrong]) if wrong else groups.from_file(path, name)
        commands += found
        problems += more
    limit = float(section.get("timeout_s") or 60.0)
    file, wrong = _python(settings, section.get("path"), limit)
    problems += [wrong] if wrong else []
    closed = bool(section.get("fail_closed"))
    return ProjectHooks(
        root,
        tuple(commands),
        file,
        closed,
        limit,
        {name: env[name] for name in section.get("pass_env") or () if name in env},
        containment,
        tuple(problems),
        f"hooks.fail_closed is set, and {problems[0]}" if closed and problems else "",
    )


def _python(settings: Settings, named: str | None, limit: float) -> tuple[HookFile | None, str]:
    path, wrong = _inside(settings, named or FILE_NAME)
    if wrong:
        return None, wrong
    if not path.is_file():
        return None, f"hooks.path: there is no file {named!r}" if named else ""
    try:
        return HookFile(path, limit), ""
    except BadInput as error:
        return None, error.message


def _inside(settings: Settings, name: str) -> tuple[Path, str]:
    """The path of a file of hooks, and why it is not taken. A link may lead anywhere but into a plan's folder."""
    root, state = settings.paths.root, settings.paths.state_dir
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(root):
        return path, f"{name!r} is outside the project's folder; hooks are taken from there only"
    real = Path(os.path.realpath(path))
    for place in {path, real}:
        if place.is_relative_to(root) and (place.is_relative_to(state) or _is_plan_folder(settings, place)):
            return path, f"{name!r} lies where plans are worked on; hooks are never taken from there"
    return path, ""


def _is_plan_folder(settings: Settings, place: Path) -> bool:
    """Whether the path is in the folder of a plan, which lies beside factory.yaml and is called as the plan is."""
    paths = settings.paths
    if place.is_relative_to(paths.workspace):
        return True
    parts = place.relative_to(paths.root).parts
    return len(parts) > 1 and (paths.plans / f"{parts[0]}.md").exists()


def end_if_told(answer: Answer, command: str) -> None:
    """End the phase where a hook says so.

    Raises:
        NeedsHuman: it does.
    """
    if answer.stop is not None:
        raise NeedsHuman(f"the hook {command[:120]!r} ended the phase: {answer.stop}", "then 'lao retry-failed'")


class Once:
    """Passes each text on once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        self._say(text)
