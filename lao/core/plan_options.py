"""What a plan's front matter asks for beside its commands: other plans first, a budget, the models it is meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lao.core.durations import seconds_of
from lao.core.errors import BadInput
from lao.core.words import Json

_BUDGET_KEYS: Final = ("tokens", "seconds")


@dataclass(frozen=True)
class Budget:
    """What a plan may use; None is no limit.

    Attributes:
        tokens: read and written by its model calls.
        seconds: in which any of its phases was at work.
    """

    tokens: int | None = None
    seconds: float | None = None


def needs_of(options: Mapping[str, Json]) -> tuple[str, ...]:
    """The plans that must be completed first: names, files or ids, as they are written, each once.

    Raises:
        BadInput: ``depends_on`` is neither a text nor a list of texts.
    """
    value = options.get("depends_on")
    if value is None:
        return ()
    given = [value] if isinstance(value, str) else value
    if isinstance(given, list) and all(isinstance(one, str) and one.strip() for one in given):
        return tuple(dict.fromkeys(one.strip() for one in given))
    raise BadInput(
        f"the plan's front matter has depends_on {value!r}", "write the name of a plan, or a list: [shop, basket]"
    )


def budget_of(options: Mapping[str, Json]) -> Budget:
    """The plan's budget; one without limits when the front matter has none.

    Raises:
        BadInput: ``budget`` is no mapping of ``tokens`` and ``seconds``, or a limit is no number above zero.
    """
    value = options.get("budget")
    if value is None:
        return Budget()
    hint = "for example 'budget: {tokens: 200000, seconds: 2h}'"
    if not isinstance(value, Mapping):
        raise BadInput(f"the plan's front matter has budget {value!r}", hint)
    unknown = sorted(str(key) for key in value if key not in _BUDGET_KEYS)
    if unknown:
        raise BadInput(f"the plan's budget has the unknown key {unknown[0]!r}", f"known: {', '.join(_BUDGET_KEYS)}")
    tokens, seconds = value.get("tokens"), value.get("seconds")
    if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1):
        raise BadInput(f"the plan's budget has tokens {tokens!r}", hint)
    return Budget(tokens, None if seconds is None else seconds_of(seconds, "the plan's budget of seconds"))


def check_models(options: Mapping[str, Json], keys: Mapping[str, str]) -> None:
    """Whether the models that a plan names are those that would work on it.

    ``models`` says what a plan was written for. All plans of a project share one model for each role, so that the GPU
    swaps as little as possible; a plan that wants another one is refused instead of being worked on by the wrong one.

    Args:
        keys: role to the configured model.

    Raises:
        BadInput: no mapping of roles to keys, an unknown role, or another model than the configured one.
    """
    value = options.get("models")
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value.values()):
        raise BadInput(f"the plan's front matter has models {value!r}", "for example 'models: {coder: KEY}'")
    for role, key in value.items():
        if role not in keys:
            raise BadInput(f"the plan's models name the unknown role {role!r}", f"the roles are {', '.join(keys)}")
        if key != keys[role]:
            raise BadInput(
                f"the plan wants {key!r} as {role}, factory.yaml has {keys[role]!r}",
                f"all plans of a project share a role's model: set models.{role}.key in factory.yaml to {key!r}, or "
                "remove it from the plan",
            )
