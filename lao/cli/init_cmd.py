"""``lao init``: writes the files of a new project and never overwrites one. What they mean is documented in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, pass_session
from lao.cli.menus import on_a_terminal
from lao.cli.place import check_folder, note_use
from lao.core.errors import BadInput, LaoError
from lao.core.states import Role

if TYPE_CHECKING:
    from lao.cli.init_wizard import Answers

_DEFAULT_URL = "http://127.0.0.1:1234"
_DEFAULT_PRESET = "default"


@click.command("init")
@click.option("--no-interactive", is_flag=True, help="Ask nothing.")
@click.option("--skip-readme", is_flag=True, help="Write no README.md.")
@click.option(
    "--preset",
    metavar="NAME",
    help="Models to start from: a name of models_cfg/catalogue.yaml, or the memory, such as 24gb.",
)
@click.option(
    "--port", "ports", type=click.IntRange(1, 65535), multiple=True,
    help="Look for model servers here instead of the usual ports; may be repeated.",
)  # fmt: skip
@pass_session
def command(
    session: Session, no_interactive: bool, skip_readme: bool, preset: str | None, ports: tuple[int, ...]
) -> None:
    """Set up a project in this folder: factory.yaml, factory.example.yaml, plans/ and .lao/. Keeps what is there."""
    from lao.cli.init_wizard import Answers, set_key

    models = _models_of(preset or _DEFAULT_PRESET)
    file = _config_file(session)
    check_folder(file.parent)
    answers = Answers(session.text("lm_studio_url") or _DEFAULT_URL, models)
    asks = not no_interactive and not os.path.lexists(file) and on_a_terminal()
    if asks:
        answers = _ask(session, answers, ports, named=preset is not None)
    for role in Role:
        set_key(answers.models[role.value], session.text(f"{role.value}_model"))
    _scaffold(session, file, answers, skip_readme=skip_readme)
    note_use(file.parent)
    if asks:
        _show_health(session, file)
    emit(_next(asks=asks, starter=answers.starter))


def _next(*, asks: bool, starter: bool) -> str:
    """What to do now."""
    if not asks:
        return "Next: `lao health`, then a plan in plans/ and `lao run`."
    plan = "`lao run` works on plans/first-steps.md." if starter else "a plan in plans/, then `lao run`."
    return f"\nNext: {plan}\n      `lao demo` shows all of it on an example."


def _models_of(preset: str) -> dict[str, dict[str, Any]]:
    """The models of a preset by role: a named one, or ``24gb`` for so much memory."""
    from models_cfg.load import preset as named
    from models_cfg.rungs import rungs

    by_memory = {f"{gb}gb": rung for gb, rung in rungs().items()}
    if preset.lower() in by_memory:
        from lao.servers.proposal import from_rung

        chosen = from_rung(by_memory[preset.lower()], "lmstudio")
        return {role.value: dict(choice.entries()) for role, choice in chosen.items()}
    return {role: dict(entries) for role, entries in named(preset).items()}


def _ask(session: Session, answers: Answers, ports: tuple[int, ...], *, named: bool) -> Answers:
    from lao.cli.init_wizard import Wizard
    from lao.core.clock import SystemClock
    from lao.servers.discovery import PORTS

    preset = answers.models if named else None
    return Wizard(session, SystemClock(), ports or PORTS, answers.url, preset).ask(answers.models)


def _show_health(session: Session, file: Path) -> None:
    """What `lao health` says of the new project; a server that is away is no failure of init."""
    from lao.cli.health_cmd import examine, show

    emit("\nlao health:")
    try:
        found = examine(Session({**session.flags, "config": str(file)}, session.cwd, session.env))
        show({**found, "mcp": []})  # a new project has none
    except LaoError as error:
        emit(f"  {error}")


def _config_file(session: Session) -> Path:
    cwd = session.cwd or Path.cwd()
    given = session.text("config")
    file = cwd / Path(given).expanduser() if given else cwd / "factory.yaml"
    return file.parent.resolve() / file.name


def _factory_yaml(answers: Answers) -> str:
    lines = [f"  # {line}" for note in answers.notes for line in _folded(note)]
    for role, entries in answers.models.items():
        lines.append(f"  {role}:")
        lines += [f"    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in entries.items()]
    template = Template(_packaged("lao.cli", "init_factory.txt"))
    quoted = {"url": answers.url, "check": answers.check}
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in quoted.items()}
    return template.substitute(values, models="\n".join(lines))


def _folded(note: str) -> list[str]:
    """A comment in lines of a bearable length; an address stays whole."""
    import textwrap

    return textwrap.wrap(note, 110, break_long_words=False, break_on_hyphens=False)


def _packaged(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


@dataclass
class _Writer:
    """Creates what is missing and remembers what it found."""

    root: Path
    wrote: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def file(self, path: Path, text: str) -> None:
        from lao.durable.files import create_whole

        try:
            new = create_whole(path, text)
        except OSError as error:
            raise _unwritable(path, error) from error
        (self.wrote if new else self.kept).append(self._name(path))

    def folder(self, path: Path) -> None:
        if path.is_dir():
            self.kept.append(self._name(path) + "/")
            return
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(path, error) from error
        self.wrote.append(self._name(path) + "/")

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        f"cannot write {str(path)!r}: {error.strerror}", "Run `lao init` in a folder that you may write to."
    )


def _scaffold(session: Session, file: Path, answers: Answers, *, skip_readme: bool) -> None:
    from lao.config.load import load

    writer = _Writer(file.parent)
    writer.file(file, _factory_yaml(answers))
    settings = load(cwd=session.cwd, env=session.env, flags={**session.flags, "config": str(file)})
    writer.file(file.parent / "factory.example.yaml", _packaged("lao.config", "factory.example.yaml"))
    writer.folder(settings.paths.state_dir)
    if settings.paths.state_dir.name == ".lao":  # LAO's own folder: state, queue and locks are nobody's commits
        writer.file(settings.paths.state_dir / ".gitignore", "*\n")
    writer.folder(settings.paths.plans)
    writer.file(settings.paths.plans / "README.md", _packaged("lao.cli", "init_plans.md"))
    if answers.starter:
        writer.file(settings.paths.plans / "first-steps.md", _packaged("lao.cli", "init_plan.md"))
    if not skip_readme:
        writer.file(file.parent / "README.md", _packaged("lao.cli", "init_readme.md"))
    for name in writer.wrote:
        emit(f"wrote  {name}")
    for name in writer.kept:
        emit(f"kept   {name}")
