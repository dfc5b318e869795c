"""``lao init``: writes the files of a new project and never overwrites one. What they mean is documented in them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import click

from lao.cli.context import Session, emit, pass_session
from lao.cli.place import check_folder, note_use
from lao.core.errors import BadInput
from lao.core.states import Role

_DEFAULT_URL = "http://127.0.0.1:1234"
_DEFAULT_PRESET = "default"


@click.command("init")
@click.option("--no-interactive", is_flag=True, help="Ask nothing.")
@click.option("--skip-readme", is_flag=True, help="Write no README.md.")
@click.option("--preset", metavar="NAME", help="Models to start from (see models_cfg/catalogue.yaml).")
@pass_session
def command(session: Session, no_interactive: bool, skip_readme: bool, preset: str | None) -> None:
    """Set up a project in this folder: factory.yaml, factory.example.yaml, plans/ and .lao/. Keeps what is there."""
    from models_cfg.load import preset as models_of

    models = {role: dict(entries) for role, entries in models_of(preset or _DEFAULT_PRESET).items()}
    file = _config_file(session)
    check_folder(file.parent)
    url = session.text("lm_studio_url") or _DEFAULT_URL
    for role in Role:
        _set_key(models[role.value], session.text(f"{role.value}_model"))
    if not no_interactive and not os.path.lexists(file) and sys.stdin.isatty() and sys.stdout.isatty():
        url = _ask(url, models)
    _scaffold(session, file, _factory_yaml(url, models), skip_readme=skip_readme)
    note_use(file.parent)


def _config_file(session: Session) -> Path:
    cwd = session.cwd or Path.cwd()
    given = session.text("config")
    file = cwd / Path(given).expanduser() if given else cwd / "factory.yaml"
    return file.parent.resolve() / file.name


def _set_key(entries: dict[str, Any], key: str | None) -> None:
    """Another model has another size; LAO then goes by what the server says."""
    if key is not None and key != entries["key"]:
        entries["key"] = key
        entries.pop("size_bytes", None)


def _ask(url: str, models: Mapping[str, dict[str, Any]]) -> str:
    answer: str = click.prompt("Address of the model server", default=url)
    click.echo("Model keys, as the server lists them:")
    for role in Role:
        entries = models[role.value]
        follows = models[Role.PLANNER.value]["key"] if role in (Role.PILOT, Role.ANALYST) else entries["key"]
        _set_key(entries, click.prompt(f"  {role.value}", default=follows))
    return answer


def _factory_yaml(url: str, models: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for role, entries in models.items():
        lines.append(f"  {role}:")
        lines += [f"    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in entries.items()]
    template = Template(_packaged("lao.cli", "init_factory.txt"))
    return template.substitute(url=json.dumps(url, ensure_ascii=False), models="\n".join(lines))


def _packaged(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


@dataclass
class _Writer:
    """Creates what is missing and remembers what it found."""

    root: Path
    wrote: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def file(self, path: Path, text: str) -> None:
        try:
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            self.kept.append(self._name(path))
            return
        except OSError as error:
            raise _unwritable(path, error) from error
        self.wrote.append(self._name(path))

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


def _scaffold(session: Session, file: Path, text: str, *, skip_readme: bool) -> None:
    from lao.config.load import load

    writer = _Writer(file.parent)
    writer.file(file, text)
    settings = load(cwd=session.cwd, env=session.env, flags={**session.flags, "config": str(file)})
    writer.file(file.parent / "factory.example.yaml", _packaged("lao.config", "factory.example.yaml"))
    writer.folder(settings.paths.state_dir)
    if settings.paths.state_dir.name == ".lao":  # LAO's own folder: state, queue and locks are nobody's commits
        writer.file(settings.paths.state_dir / ".gitignore", "*\n")
    writer.folder(settings.paths.plans)
    writer.file(settings.paths.plans / "README.md", _packaged("lao.cli", "init_plans.md"))
    if not skip_readme:
        writer.file(file.parent / "README.md", _packaged("lao.cli", "init_readme.md"))
    for name in writer.wrote:
        emit(f"wrote  {name}")
    for name in writer.kept:
        emit(f"kept   {name}")
    emit("Next: `lao health`, then a plan in plans/ and `lao run`.")
