"""``lao doctor``, group Memory: is there room for each role's model with its context. Loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lao.cli.doctor.rows import Check, Level
from lao.cli.doctor.scene import Scene, Sight
from lao.cli.doctor.server import NEEDED, choose
from lao.core.errors import LaoError
from lao.core.states import Role

if TYPE_CHECKING:
    from lao.config.settings import Settings
    from lao.servers.memory.reading import MemoryReading
    from lao.servers.protocol import ModelInfo

MUCH_SWAP: Final = 4_000_000_000
"""Bytes; a model that is in there answers at the pace of the disk."""

_MIN_CONTEXT: Final = 4096


def examine(scene: Scene) -> list[Check]:
    """The rows ``free``, ``swap``, ``limit`` in a container, and one for each role that has a model."""
    from lao.servers.detect import probe_for
    from lao.servers.memory.probes import system_probe
    from lao.servers.rest import is_local

    sight = scene.sight()
    if sight.server is None and is_local(scene.settings.server.base_url):
        return _machine(system_probe().read())
    try:
        reading = probe_for(scene.settings).read()
    except LaoError:
        return [Check("free", "skipped", "the memory is the server's, which does not answer")]
    return [*_machine(reading), *_roles(scene.settings, sight, reading)]


def _machine(reading: MemoryReading) -> list[Check]:
    if reading.available_bytes is None:
        return [Check("free", "skipped", f"not to be seen from here ({reading.source})")]
    total = f" of {_gb(reading.total_bytes)}" if reading.total_bytes else ""
    rows = [Check("free", "ok", f"{_gb(reading.available_bytes)}{total} free for models ({reading.source})")]
    if reading.swap_used_bytes > MUCH_SWAP:
        text = f"{_gb(reading.swap_used_bytes)} are swapped out: the machine has less memory than it is asked for"
        rows.append(Check("swap", "warn", text, "end programs that hold much memory (`ps aux --sort=-rss | head`)"))
    else:
        rows.append(Check("swap", "ok", f"{_gb(reading.swap_used_bytes)} swapped out"))
    if reading.source == "cgroup":
        rows.append(Check("limit", "ok", f"a container's limit of {_gb(reading.total_bytes)} counts here"))
    return rows


def _roles(settings: Settings, sight: Sight, reading: MemoryReading) -> list[Check]:
    if sight.server is None or not sight.server.manages_memory:
        return []
    from lao.servers.fit import budget_of

    known = {info.key: info for info in sight.models}
    budget = budget_of(reading, sum(info.size_bytes for info in sight.models if info.loaded))
    roles = [role for role in Role if settings.models[role].key in known]
    return [_fit(settings, role, known, budget) for role in roles]


def _fit(settings: Settings, role: Role, known: dict[str, ModelInfo], budget: int) -> Check:
    from lao.servers.fit import fit

    model = settings.models[role]
    embedder = known.get(settings.models[Role.EMBEDDER].key)
    beside = embedder.size_bytes if embedder and role is not Role.EMBEDDER else 0
    fits = fit(known[model.key], budget, model.context_length, beside)
    need = f"{model.key} needs {_gb(fits.need_bytes)} of {_gb(budget)}"
    if fits.how == "unknown":
        return Check(role.value, "skipped", f"{model.key}: its size or the memory is not known")
    if fits.how == "fits":
        return Check(role.value, "ok", f"{need} with {model.context_length} tokens")
    if fits.how == "less":
        text = f"{model.key} fits with {fits.context} tokens of context, not with {model.context_length}"
        return Check(role.value, "warn", text, choose(settings, role, known[model.key], fits.context))
    level: Level = "fail" if role in NEEDED else "warn"
    return Check(role.value, level, f"{need}: it does not fit", _smaller(settings, role, known, budget, beside))


def _smaller(settings: Settings, role: Role, known: dict[str, ModelInfo], budget: int, beside: int) -> str:
    """The command that takes the largest of the server's models that fits, else what a person can do."""
    from lao.servers.fit import fit, weights_of

    kind = "embedding" if role is Role.EMBEDDER else "llm"
    wanted = settings.models[role].context_length
    fitting = [
        (info, fit(info, budget, wanted, beside)) for info in known.values() if info.kind == kind and weights_of(info)
    ]
    fitting = [(info, fits) for info, fits in fitting if fits.how in ("fits", "less") and fits.context >= _MIN_CONTEXT]
    if not fitting:
        return f"download a model of less than {_gb(budget - beside)}, then `lao configure-models`"
    info, fits = max(fitting, key=lambda pair: weights_of(pair[0]))
    return choose(settings, role, info, fits.context if fits.context < wanted else None)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
