"""The home: ``lao`` alone on a terminal. Shows how things stand and starts the command that is chosen, as a program of
its own, so that nothing of one stays in the next."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from lao.cli.commands import COMMANDS
from lao.cli.context import Session, emit, say
from lao.cli.home_view import View, lines, look
from lao.cli.look import Look
from lao.cli.look import here as colours
from lao.cli.place import check_folder, printable, session_in, shown
from lao.core.errors import BadInput, LaoError

if TYPE_CHECKING:
    from lao.projects.registry import Project, Registry

MENU: Final = "LAO_INTERACTIVE_MENU"
Starter: TypeAlias = Callable[[Sequence[str], Path, Mapping[str, str]], int]
"""Runs ``lao`` with these arguments in a folder with this environment, and gives its exit code."""


@dataclass(frozen=True)
class Action:
    """One line of the menu.

    Attributes:
        name: the command, or one of the home's own: open, projects, exit.
        key: the letter that chooses it.
        group: the heading above it.
    """

    name: str
    key: str
    group: str
    text: str


_ACTIONS: Final = (
    Action("init", "i", "Start", "set up a project in this folder"),
    Action("pilot", "p", "Start", "talk to LAO about the work"),
    Action("demo", "d", "Start", "see it work on a small plan, with or without a model"),
    Action("run", "r", "Work", "work on the plans, until Ctrl-C"),
    Action("status", "s", "Work", "plans, tasks, workers"),
    Action("open", "o", "Projects", "go to the current project"),
    Action("scan", "c", "Projects", "look for projects below this folder"),
    Action("projects", "l", "Projects", "list them, go to one"),
    Action("health", "h", "Set-up", "the model server and its models"),
    Action("configure-models", "m", "Set-up", "choose the models of the roles"),
    Action("exit", "q", "", ""),
)
_OWN: Final = frozenset({"open", "projects", "scan", "exit"})


def home(ctx: click.Context) -> int | None:
    """Show the home until the person leaves; ``LAO_INTERACTIVE_MENU=0`` runs a project at once, as 3.1 did.

    Raises:
        BadInput: the current folder is gone, or is the root of the file system.
        KeyboardInterrupt: Ctrl-C at the menu.
    """
    session = ctx.ensure_object(Session)
    try:
        here = session.cwd or Path.cwd()
    except FileNotFoundError as error:
        raise BadInput("the current folder no longer exists", "Change to another folder.") from error
    env = os.environ if session.env is None else session.env
    if env.get(MENU) == "0" and (os.path.lexists(here / "factory.yaml") or "config" in session.flags):
        from lao.cli.run_cmd import command

        ctx.invoke(command)
        return None
    check_folder(here)
    return Home(session, here, env).stay()


class Home:
    """The menu and what it does.

    Args:
        ask: gives the line that is typed at a prompt; raises EOFError at the end of the input.
        start: runs a command.
    """

    def __init__(
        self,
        session: Session,
        folder: Path,
        env: Mapping[str, str],
        *,
        ask: Callable[[str], str] = input,
        start: Starter | None = None,
        commands: Mapping[str, object] = COMMANDS,
    ) -> None:
        self._session, self._folder, self._env = session, folder, env
        self._ask, self._start, self._commands = ask, start or start_lao, commands
        self._actions: tuple[Action, ...] = ()
        self._suggested = ""

    def stay(self) -> int:
        """Show, ask, do, until the person leaves or the input ends. Returns the exit code, 0."""
        overview = True
        while True:
            if overview:
                self._show()
            try:
                line = self._ask(f"\nchoice [Enter: {self._suggested if overview else 'overview'}]: ").strip()
            except EOFError:
                emit()
                return 0
            except UnicodeDecodeError:
                say("that was no text; type a number or a letter")
                continue
            if not line and not overview:
                overview = True
                continue
            action = self._meant(line or self._suggested)
            if action == "exit":
                return 0
            try:
                overview = self._do(action, line)
            except LaoError as error:
                say(f"lao: {error}")
                overview = False

    def _show(self) -> None:
        self._session = replace(self._session, _settings=None)  # a command, or the person, may have changed the file
        view = look(self._session, self._folder, self._current)
        self._folder = view.folder
        self._actions = tuple(a for a in _ACTIONS if self._offered(a, view))
        self._suggested = self._next(view)
        emit()
        for line in lines(view):
            emit(line)
        emit("\n".join(menu(self._actions, self._suggested, colours())))

    def _offered(self, action: Action, view: View) -> bool:
        if action.name == "open":
            return view.current is not None
        return action.name in _OWN or action.name in self._commands

    def _next(self, view: View) -> str:
        """What most people want next."""
        if not view.is_project:
            return "open" if view.current is not None else "init"
        if view.workers or view.problem:
            return "status" if view.workers else "health"
        return "run"

    def _meant(self, line: str) -> str:
        """The action of a number, a letter or a name; "" for anything else."""
        word = "exit" if line.casefold() == "quit" else line.casefold()
        numbered = numbers(self._actions)
        return next((a.name for a in self._actions if word in (numbered[a.name], a.key, a.name)), "")

    def _do(self, action: str, line: str) -> bool:
        """Carry it out. Returns whether the overview is shown anew at once, as something has changed."""
        if action == "open":
            current = self._registry().current()
            return current is not None and self._go(current.path)
        if action == "projects":
            return self._choose_project()
        if action == "scan":
            self._run(["projects", "scan"])
            return False
        if action:
            self._run([action])
            return action == "init"
        words = _words(line)
        if words and words[0] == "lao":
            words = words[1:]
        if not words or words[0] not in self._commands:
            say(self._unknown(line))
            return False
        self._run(words)
        return words[0] == "init"

    def _run(self, arguments: Sequence[str]) -> None:
        code = self._start(arguments, self._folder, {**self._env, **self._session.worker_env()})
        if code:
            say(f"({arguments[0]} ended with {code})")

    def _choose_project(self) -> bool:
        from lao.projects.registry import is_folder

        known = [p for p in self._registry().projects() if is_folder(p.path)]
        if not known:
            say("no projects yet: 'scan' looks for some below this folder, 'init' makes this folder one")
            return False
        for number, project in enumerate(known, 1):
            emit(f"  {number:>2}  {printable(project.name)}  {shown(project.path)}")
        try:
            line = self._ask("number or name [Enter: stay here]: ").strip()
        except EOFError:
            emit()
            return False
        if not line:
            return False
        if line.isascii() and line.isdigit() and 1 <= int(line) <= len(known):
            return self._go(known[int(line) - 1].path)
        return self._go(self._registry().find(line, self._folder).path)

    def _go(self, folder: Path) -> bool:
        """Work in that project from now on; flags that were given to ``lao`` belonged to the other folder."""
        from lao.projects.registry import is_folder

        if not is_folder(folder):
            raise BadInput(f"the folder {str(folder)!r} is gone", "'lao projects remove --gone' takes it off the list")
        self._registry().used(folder, choose=True)
        self._session, self._folder = session_in(folder, self._session), folder
        self._env = self._session.env or {}
        return True

    def _unknown(self, line: str) -> str:
        import difflib

        names = [*(a.name for a in self._actions), *self._commands]
        near = difflib.get_close_matches(line.split(maxsplit=1)[0], names, n=1, cutoff=0.6)
        advice = f"did you mean {near[0]!r}?" if near else "type a number, a letter or a lao command"
        return f"no choice {printable(line[:80])!r}; {advice}"

    def _current(self) -> Project | None:
        try:
            return self._registry().current()
        except LaoError as error:  # the menu is of use without the list
            say(f"lao: {error}")
            return None

    def _registry(self) -> Registry:
        from lao.projects.registry import Registry

        return Registry(report=lambda text: say(f"lao: {printable(text)}"))


def numbers(actions: Sequence[Action]) -> dict[str, str]:
    """The number of each action by its name: from 1 on, and 0 for the last one, exit."""
    return {a.name: "0" if a.name == "exit" else str(n) for n, a in enumerate(actions, 1)}


def menu(actions: Sequence[Action], suggested: str, look: Look) -> list[str]:
    """The lines of the menu, with headings; the suggested action has a > before it."""
    numbered = numbers(actions)
    told, group = [], ""
    for action in actions:
        if action.group != group:
            group = action.group
            told.append(f"\n{look.paint(group, 'strong')}" if group else "")
        chosen = action.name == suggested
        name = look.paint(f"{action.name:<16}" if action.text else action.name, "strong" if chosen else "")
        told.append(f"{'>' if chosen else ' '} {numbered[action.name]:>2} {action.key}  {name}  {action.text}".rstrip())
    return told


def start_lao(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> int:
    """Run ``lao`` as a child on this terminal; Ctrl-C is the child's.

    Returns:
        Its exit code, 128 and the number of the signal where one has ended it.
    """
    from workflows.supervisor import worker_environment

    this_lao = {"PYTHONPATH": worker_environment({})["PYTHONPATH"]}
    before = signal.signal(signal.SIGINT, _leave_to_the_child)  # not SIG_IGN, which a child would inherit
    try:
        code = subprocess.run(
            [sys.executable, "-m", "lao", *arguments], cwd=folder, env={**env, **this_lao}, check=False
        ).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _leave_to_the_child(_number: int, _frame: object) -> None:
    return


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []
