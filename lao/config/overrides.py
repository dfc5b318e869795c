"""Flags and environment variables that stand above factory.yaml, and which keys they set. Reads no file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from lao.config.draft import Draft
from lao.config.schema import KeyPath
from lao.core.errors import ConfigError
from lao.core.states import Role

FLAGS_VARIABLE: Final = "LAO_FLAGS"
CONFIG_VARIABLES: Final = ("LAO_CONFIG", "FACTORY_CONFIG")


@dataclass(frozen=True)
class Override:
    """What a flag or variable sets.

    Attributes:
        keys: dotted keys.
        value: the value that a switch sets; None passes on what was given.
        is_path: relative to the current folder.
    """

    keys: tuple[str, ...]
    value: bool | None = None
    is_path: bool = False


FLAGS: Final[Mapping[str, Override]] = MappingProxyType(
    {
        "lm_studio_url": Override(("lm_studio_base_url",)),
        "ram_gb": Override(("total_ram_gb",)),
        "workspace": Override(("paths.workspace",), is_path=True),
        "plans_dir": Override(("paths.plans",), is_path=True),
        "db": Override(("paths.database",), is_path=True),
        **{f"{role.value}_model": Override((f"models.{role.value}.key",)) for role in Role},
        "seed": Override(tuple(f"models.{role.value}.seed" for role in Role)),
        "no_git": Override(("git.enabled",), value=False),
        "phase_gated": Override(("orchestration.phase_gated",), value=True),
        "batch_size": Override(("orchestration.coder_batch_size",)),
        "max_context_utilization": Override(("orchestration.max_context_utilization",)),
        "quality_gate": Override(("orchestration.quality_gate_mode",)),
        "permission_mode": Override(("permissions.mode",)),
        "output_style": Override(("output_style",)),
        "no_analyst": Override(("orchestration.analyst_enabled",), value=False),
        "no_pilot": Override(("orchestration.pilot_mode_enabled",), value=False),
    }
)

VARIABLES: Final[Mapping[str, Override]] = MappingProxyType(
    {
        "LM_STUDIO_BASE_URL": Override(("lm_studio_base_url",)),
        "OPENAI_API_KEY": Override(("openai_api_key",)),
        "TOTAL_RAM_GB": Override(("total_ram_gb",)),
        "WORKSPACE_ROOT": Override(("paths.workspace",), is_path=True),
        "PLANS_DIR": Override(("paths.plans",), is_path=True),
        "DB_PATH": Override(("paths.database",), is_path=True),
        "LAO_OTEL_ENDPOINT": Override(("otel.endpoint",)),
    }
)


def merged_flags(flags: Mapping[str, object] | None, env: Mapping[str, str]) -> dict[str, object]:
    """The flags given, above those that ``lao run`` handed to this process in LAO_FLAGS; None means not given.

    Raises:
        ConfigError: LAO_FLAGS is not a JSON object.
    """
    merged: dict[str, object] = {}
    text = env.get(FLAGS_VARIABLE)
    if text:
        try:
            inherited = json.loads(text)
        except ValueError as error:
            raise ConfigError(
                f"environment {FLAGS_VARIABLE} is not JSON: {error}", f"Unset {FLAGS_VARIABLE}."
            ) from error
        if not isinstance(inherited, dict):
            raise ConfigError(f"environment {FLAGS_VARIABLE} is not a JSON object", f"Unset {FLAGS_VARIABLE}.")
        merged.update(inherited)
    merged.update({name: value for name, value in (flags or {}).items() if value is not None})
    return {name: value for name, value in merged.items() if value is not None}


def apply_variables(draft: Draft, env: Mapping[str, str], cwd: Path) -> None:
    """Lay environment variables over the draft; an empty one counts as not set."""
    for name, override in VARIABLES.items():
        text = env.get(name)
        if text:
            value = _number(text) if name == "TOTAL_RAM_GB" else text
            _apply(draft, override, value, f"environment {name}", cwd)


def apply_flags(draft: Draft, flags: Mapping[str, object], cwd: Path) -> None:
    """Lay flags over the draft. Flags that are no settings (``plain``, ``plan`` ...) are left alone."""
    for name, override in FLAGS.items():
        value = flags.get(name)
        if value is None or (override.value is not None and value is False):
            continue
        _apply(draft, override, value, "flag --" + name.replace("_", "-"), cwd)


def _apply(draft: Draft, override: Override, value: Any, source: str, cwd: Path) -> None:
    if override.value is not None:
        value = override.value if value is True else value
    if override.is_path and isinstance(value, str) and value:
        value = str(cwd / expand_home(value, source))
    for key in override.keys:
        path: KeyPath = tuple(key.split("."))
        draft.put(path, value, source)


def expand_home(text: str, source: str) -> Path:
    """The path with a leading ``~`` replaced.

    Raises:
        ConfigError: the home folder is not known.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{source}: the home folder of {text!r} is not known", "Write the whole path.") from error


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
