"""Finds factory.yaml and turns it, the environment and the flags into ``Settings``; the parts are beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lao.config import build, overrides, remembered, validate
from lao.config.draft import Draft
from lao.config.problems import Problems
from lao.config.schema import Schema, load_schema
from lao.config.settings import Settings
from lao.core.errors import ConfigError

FILE_NAME = "factory.yaml"


def load(
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The effective settings: flag, else environment, else factory.yaml, else default.

    Args:
        cwd: the current folder; relative paths of flags and variables count from it.
        env: the environment; None is the process's own.
        flags: by the names in ``overrides.FLAGS``, and ``config``; None values count as not given.

    Raises:
        ConfigError: the file, a variable or a flag is wrong; the message names line and key.
    """
    here = _current(cwd)
    env = os.environ if env is None else env
    given = overrides.merged_flags(flags, env)
    file = find_file(here, env, given)
    root = here if file is None else file.parent
    schema = load_schema()
    draft = _draft(file, here, schema, env)
    overrides.apply_variables(draft, env, here)
    overrides.apply_flags(draft, given, here)
    state_dir = build.state_dir(draft, schema, root)
    remembered.add(draft, state_dir, here)
    validate.check(draft, schema, state_dir)
    return build.build(draft, schema, file, root)


def find_file(cwd: Path, env: Mapping[str, str], flags: Mapping[str, object]) -> Path | None:
    """The configuration file: ``--config``, else LAO_CONFIG or FACTORY_CONFIG, else ./factory.yaml if there is one.

    Raises:
        ConfigError: ``--config`` is not text.
    """
    named = flags.get("config")
    source = "flag --config"
    if named is None:
        source = next((name for name in overrides.CONFIG_VARIABLES if env.get(name)), "")
        named = env.get(source) if source else None
    if named is None:
        file = cwd / FILE_NAME
        return file if os.path.lexists(file) else None
    if not isinstance(named, (str, Path)) or not str(named) or "\0" in str(named):
        raise ConfigError(f"{source}: expected a file name, found {named!r}")
    file = cwd / overrides.expand_home(str(named), source)
    # The folder is resolved, the file is not: a linked factory.yaml configures the folder that it was linked into.
    return file.parent.resolve() / file.name


def _current(cwd: Path | None) -> Path:
    try:
        return (Path.cwd() if cwd is None else cwd).resolve()
    except FileNotFoundError as error:
        raise ConfigError("the current folder no longer exists", "Change to the project's folder.") from error


def _draft(file: Path | None, cwd: Path, schema: Schema, env: Mapping[str, str]) -> Draft:
    if file is None:
        return Draft(shown="the configuration", name=FILE_NAME)
    from lao.config import normalise, parse  # PyYAML takes time to import, and without a file nothing needs it

    shown = str(file.relative_to(cwd)) if file.is_relative_to(cwd) else str(file)
    draft = Draft(shown=shown, name=file.name)
    problems = Problems()
    normalise.from_document(parse.read(file, shown), draft, schema, env, problems)
    problems.raise_if_any()
    return draft
