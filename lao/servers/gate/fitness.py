"""Whether the configured models can do their roles on this server, as far as its list tells. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterable

from lao.config.settings import Settings
from lao.core.errors import ConfigError, LaoError, Terminal
from lao.core.states import Role
from lao.servers.gate.contexts import Contexts
from lao.servers.gate.residents import check_kind
from lao.servers.protocol import ModelInfo, find_model


def problem_of(settings: Settings, models: Iterable[ModelInfo], role: Role, *, loads: bool) -> LaoError | None:
    """What keeps the role's model from its work: no such key, the wrong kind, a context that it cannot hold; else None.

    Args:
        loads: LAO loads models on this server; else the server's context counts, and prompts are kept within it.
    """
    try:
        info = find_model(models, settings.models[role].key)
        check_kind(info, role)
        if loads:
            Contexts(settings).check(info, settings.models[role])
    except (ConfigError, Terminal) as error:
        return error
    return None
