"""What one call of the command line carries: the global flags and their settings, and the two output streams."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lao.config.settings import Settings
    from workflows.factory import Factory

_PATH_FLAGS = ("config", "workspace", "plans_dir", "db", "plan")


@dataclass
class Session:
    """One call.

    Attributes:
        flags: global options given before or after the command, by name with underscores; absent when not given.
        cwd: the folder that relative paths of flags count from; None is the process's own.
        env: the environment; None is the process's own.
        opened: the project that the caller has open already; commands work on it and leave it open.
    """

    flags: dict[str, object] = field(default_factory=dict)
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    opened: Factory | None = None
    _settings: Settings | None = None

    def settings(self) -> Settings:
        """The effective settings, loaded once.

        Raises:
            ConfigError: the configuration is wrong.
        """
        if self._settings is None:
            from lao.config.load import load

            self._settings = load(cwd=self.cwd, env=self.env, flags=self.flags)
        return self._settings

    def flag(self, name: str) -> bool:
        """Whether a switch such as ``"plain"`` was given."""
        return bool(self.flags.get(name))

    def text(self, name: str) -> str | None:
        """The value of an option such as ``"plan"``, or None."""
        value = self.flags.get(name)
        return None if value is None else str(value)

    def worker_env(self) -> dict[str, str]:
        """``LAO_FLAGS`` for worker processes: the flags that change settings, paths made absolute."""
        from lao.cli.global_options import GLOBAL_OPTIONS
        from lao.config.overrides import FLAGS_VARIABLE, merged_flags

        flags = merged_flags(self.flags, os.environ if self.env is None else self.env)
        known = {option.key for option in GLOBAL_OPTIONS if option.setting}
        passed = {name: self._absolute(name, value) for name, value in flags.items() if name in known}
        return {FLAGS_VARIABLE: json.dumps(passed, sort_keys=True)} if passed else {}

    def _absolute(self, name: str, value: object) -> object:
        if name not in _PATH_FLAGS or not isinstance(value, str):
            return value
        return str((self.cwd or Path.cwd()) / Path(value).expanduser())


pass_session = click.make_pass_decorator(Session, ensure=True)


def emit_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def emit(text: str = "") -> None:
    """Print a result on stdout."""
    click.echo(text)


def say(text: str) -> None:
    """Print a message for the person on stderr, so that stdout stays the result."""
    click.echo(text, err=True)
