"""From a checked draft to ``Settings``: defaults, absolute paths, provenance of every key. Checks only paths."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lao.config.draft import Draft, lookup
from lao.config.hosts import hosts_of
from lao.config.overrides import expand_home
from lao.config.rules import KINDS, parse_rules
from lao.config.schema import Schema, dotted
from lao.config.settings import (
    AttemptSettings,
    GitSettings,
    GpuSettings,
    MemoryGateSettings,
    MemorySettings,
    ModelSettings,
    OrchestrationSettings,
    PathSettings,
    PermissionSettings,
    SandboxSettings,
    SearchSettings,
    ServerSettings,
    Settings,
    SkillSettings,
)
from lao.core.errors import ConfigError
from lao.core.states import Role

DEFAULT_SOURCE = "default"

CLAUDE_MODES = {
    "default": "confirm",
    "manual": "confirm",
    "acceptEdits": "accept_edits",
    "plan": "plan_only",
    "dontAsk": "dont_ask",
    "bypassPermissions": "bypass",
}
"""Claude Code's names of the modes."""


def build(draft: Draft, schema: Schema, config_file: Path | None, root: Path) -> Settings:
    """The effective settings of a draft that passed ``validate.check``.

    Raises:
        ConfigError: a path is of the wrong kind (a folder where a file belongs).
    """
    sources = _sources(draft, schema)
    filled = schema.fill(draft.data)
    _forget_size_of_other_model(draft, filled, sources)
    _pilot_as_planner(draft, filled, sources)
    paths = _paths(draft, schema, config_file, root)
    for name in ("workspace", "plans", "database"):
        filled["paths"][name] = str(getattr(paths, name))
    orchestration = dict(filled["orchestration"])
    allowed = tuple(orchestration.pop("strict_closure_allowed_statuses"))
    retried = tuple(orchestration.pop("retry_failed_classes"))
    return Settings(
        server=ServerSettings(
            base_url=_bare_url(filled["lm_studio_base_url"]),
            api_key=filled["openai_api_key"],
            kind=filled["server"]["kind"],
        ),
        paths=paths,
        memory_gate=MemoryGateSettings(**filled["memory_gate"]),
        gpu=GpuSettings(**filled["gpu"]),
        orchestration=OrchestrationSettings(
            **orchestration, strict_closure_allowed_statuses=allowed, retry_failed_classes=retried
        ),
        attempts=_attempts(filled),
        calibration_auto=filled["calibration"]["auto"],
        git=GitSettings(**filled["git"]),
        models=MappingProxyType({role: ModelSettings(role=role, **filled["models"][role.value]) for role in Role}),
        permissions=_permissions(draft, filled),
        output_style=filled["output_style"],
        sandbox=_sandbox(draft, filled["sandbox"]),
        total_ram_gb=filled["total_ram_gb"],
        raw=MappingProxyType(filled),
        sources=MappingProxyType(sources),
        search=SearchSettings(**filled["search"]),
        skills=SkillSettings(**{**filled["skills"], "dirs": tuple(filled["skills"]["dirs"])}),
        memory=MemorySettings(**filled["memory"]),
    )


def _permissions(draft: Draft, filled: dict[str, Any]) -> PermissionSettings:
    """The rules with their places; the mode under our name, in the whole document too."""
    given = filled["permissions"]
    given["mode"] = CLAUDE_MODES.get(given["mode"], given["mode"])
    places = {(kind, n): draft.where(("permissions", kind, n)) for kind in KINDS for n in range(len(given[kind]))}
    return PermissionSettings(
        mode=given["mode"],
        rules=parse_rules(given, places),
        ask_timeout_s=given["ask_timeout_s"],
        plan_approval=given["plan_approval"],
    )


def _attempts(filled: dict[str, Any]) -> AttemptSettings:
    """The older ``agentic`` switch of the repair rounds still holds them down."""
    given = dict(filled["attempts"])
    given["repairs"] = min(given["repairs"], filled["agentic"]["inner_repair_max_iterations"])
    return AttemptSettings(**given)


def _sandbox(draft: Draft, given: dict[str, Any]) -> SandboxSettings:
    """With its paths whole. Those that are not there would be found out in the middle of the night."""
    paths = {name: tuple(_mounted(draft, name, text) for text in given[name]) for name in ("read_only", "writable")}
    network, hosts = given["network"], hosts_of(given["network"])
    more = {"environment": tuple(given["environment"]), "network": "list" if hosts else network, "hosts": hosts}
    return SandboxSettings(**{**given, **paths, **more})


def _mounted(draft: Draft, name: str, text: str) -> Path:
    place = f"{draft.where(('sandbox', name))}: sandbox.{name}"
    path = expand_home(text, place)
    if not path.is_absolute():
        raise ConfigError(f"{place}: {text!r} is not absolute", "Write the whole path, or one that begins with ~/.")
    real = Path(os.path.realpath(path))
    if real == Path("/"):
        raise ConfigError(f"{place}: {text!r} is the whole machine", "Name the folders that commands need.")
    if not real.exists():
        raise ConfigError(f"{place}: {text!r} does not exist", "Create it, or take it out of the list.")
    return real


def state_dir(draft: Draft, schema: Schema, root: Path) -> Path | None:
    """The folder of the state database, also of a draft that is not checked yet; None when it makes no sense."""
    given = lookup(draft.data, ("paths", "database"))
    if given is not None and (not isinstance(given, str) or not given or "\0" in given):
        return None
    return _path(draft, schema, "database", root).parent


def _sources(draft: Draft, schema: Schema) -> dict[str, str]:
    return {leaf.key: draft.source(tuple(leaf.key.split("."))) or DEFAULT_SOURCE for leaf in schema.leaves()}


def _forget_size_of_other_model(draft: Draft, filled: dict[str, Any], sources: dict[str, str]) -> None:
    """A size and a file belong to one model: another key without its own has an unknown one."""
    unknown = {"size_bytes": 0, "description": "", "path": None}
    for role in Role:
        key = ("models", role.value, "key")
        its_own = [("models", role.value, name) for name in unknown]
        if key in draft.overrides:
            stale = its_own
        elif draft.given(key):
            stale = [path for path in its_own if not draft.given(path)]
        else:
            continue
        model = filled["models"][role.value]
        for path in (p for p in stale if model[p[-1]] != unknown[p[-1]]):
            model[path[-1]] = unknown[path[-1]]
            sources[dotted(path)] = draft.overrides.get(key, DEFAULT_SOURCE)


def _pilot_as_planner(draft: Draft, filled: dict[str, Any], sources: dict[str, str]) -> None:
    """Without a key of its own the Pilot speaks by the planner's model; what else is said of it holds."""
    pilot, planner = filled["models"][Role.PILOT.value], filled["models"][Role.PLANNER.value]
    if draft.given(("models", Role.PILOT.value, "key")) or not draft.given(("models", Role.PLANNER.value, "key")):
        return
    for name, value in planner.items():
        path = ("models", Role.PILOT.value, name)
        if not draft.given(path):
            pilot[name] = value
            told = sources.get(dotted(("models", Role.PLANNER.value, name)), DEFAULT_SOURCE)
            sources[dotted(path)] = told if told == DEFAULT_SOURCE else f"{told} (as models.planner)"


def _paths(draft: Draft, schema: Schema, config_file: Path | None, root: Path) -> PathSettings:
    workspace, plans, database = (_path(draft, schema, name, root) for name in ("workspace", "plans", "database"))
    for name, path in (("workspace", workspace), ("plans", plans)):
        if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on odd names
            raise ConfigError(f"{_place(draft, name)}: {str(path)!r} is not a folder", "Name a folder there.")
    if os.path.isdir(database):  # noqa: PTH112
        hint = f"Name a file in it, for example {str(database / 'state.db')!r}."
        raise ConfigError(f"{_place(draft, 'database')}: {str(database)!r} is a folder", hint)
    return PathSettings(config_file=config_file, root=root, workspace=workspace, plans=plans, database=database)


def _place(draft: Draft, name: str) -> str:
    return f"{draft.where(('paths', name))}: paths.{name}"


def _path(draft: Draft, schema: Schema, name: str, root: Path) -> Path:
    text = lookup(draft.data, ("paths", name))
    if text is None:
        node = schema.at(("paths", name)) or {}
        text = node["default"]
    path = root / expand_home(text, _place(draft, name))
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{_place(draft, name)}: {text!r} is no usable path: {error}") from error


def _bare_url(url: str) -> str:
    """Without a slash at the end and without the /v1 that OpenAI clients are used to write."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
