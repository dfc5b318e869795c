"""``lao doctor``, groups Server and Models: who answers, and whether each role's model can do its work there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lao.cli.doctor.rows import Check, Level
from lao.cli.doctor.scene import Scene, Sight
from lao.core.clock import SystemClock
from lao.core.errors import LaoError, NotAServer, ServerAway
from lao.core.states import Role

if TYPE_CHECKING:
    from lao.config.settings import Settings
    from lao.servers.protocol import ModelInfo

NEEDED = (Role.PLANNER, Role.CODER, Role.REVIEWER)
"""Without these no plan can be worked on."""


def examine(scene: Scene) -> list[Check]:
    """The rows ``answers`` and ``loads``."""
    from lao.servers.discovery import NAMES

    settings, sight = scene.settings, scene.sight()
    if sight.error is not None or sight.server is None:
        return [_silent(settings, sight)]
    url, count = settings.server.base_url, len(sight.models)
    if not count:
        remedy = "download a model there (LM Studio: `lms get`), then `lao configure-models`"
        return [Check("answers", "fail", f"{url} answers and has no model", remedy)]
    answers = Check("answers", "ok", f"{url} answers with {count} models")
    if sight.server.manages_memory:
        return [answers, Check("loads", "ok", "LAO loads and unloads models there")]
    managing = ", ".join(NAMES[kind] for kind in ("lmstudio", "llamacpp", "ollama", "llamaswap"))
    text = "it only chats: LAO cannot load or unload models there, so every role needs what is loaded"
    remedy = f"give all roles the model that is loaded there, or use one of {managing} (docs/servers.md)"
    return [answers, Check("loads", "warn", text, remedy)]


def _silent(settings: Settings, sight: Sight) -> Check:
    """Why the server is not to be had, and where another one answers."""
    error = sight.error or LaoError("no answer")
    if isinstance(error, (ServerAway, NotAServer)):
        found = _elsewhere(settings)
        if found:
            return Check("answers", "fail", error.message, found)
    return Check("answers", "fail", error.message, error.hint or "start the model server, then `lao health`")


def _elsewhere(settings: Settings) -> str:
    """The change that leads to a server on one of the usual ports, "" when there is none."""
    from lao.servers import discovery

    urls = [url for url in discovery.addresses(discovery.PORTS) if url != settings.server.base_url.rstrip("/")]
    wanted = {settings.models[role].key for role in NEEDED}
    found = [one for one in discovery.find_servers(settings, SystemClock(), urls) if one.kind]
    found.sort(key=lambda one: -len(wanted & {info.key for info in one.models}))
    if not found:
        return ""
    best = found[0]
    return f"set `lm_studio_base_url: {best.url}` in factory.yaml: {best.name} answers there"


def models(scene: Scene) -> list[Check]:
    """A row for each role, by its name."""
    sight = scene.sight()
    if sight.server is None:
        return [Check(role.value, "skipped", "the server does not answer") for role in Role]
    return [_role(scene.settings, sight, role, sight.server.manages_memory) for role in Role]


def _role(settings: Settings, sight: Sight, role: Role, loads: bool) -> Check:
    from lao.servers.gate.fitness import problem_of

    model = settings.models[role]
    if not model.key and role not in NEEDED:
        return Check(role.value, "skipped", "no model is set")
    problem = problem_of(settings, sight.models, role, loads=loads)
    if problem is None:
        return Check(role.value, "ok", f"{model.key} with {model.context_length} tokens")
    level: Level = "fail" if role in NEEDED else "warn"
    return Check(role.value, level, problem.message, _cure(settings, sight, role) or problem.hint)


def _cure(settings: Settings, sight: Sight, role: Role) -> str:
    """The command that gives the role a model that can do its work, or a context that its model holds."""
    from lao.servers.protocol import nearest

    model = settings.models[role]
    kind = "embedding" if role is Role.EMBEDDER else "llm"
    fitting = [info for info in sight.models if info.kind == kind]
    info = next((info for info in fitting if info.key == model.key), None)
    if info is not None and info.max_context_length:
        return choose(settings, role, info, min(info.max_context_length, model.context_length))
    near = nearest(model.key, [info.key for info in fitting])
    if near:
        return choose(settings, role, next(info for info in fitting if info.key == near[0]))
    largest = max(fitting, key=lambda one: one.size_bytes, default=None)
    if largest is not None:
        return choose(settings, role, largest)
    what = "an embedding model" if role is Role.EMBEDDER else "a model"
    return f"download {what} on the server, then `lao configure-models`"


def choose(settings: Settings, role: Role, info: ModelInfo, context: int | None = None) -> str:
    """The command that gives the role this model."""
    first = "`lao init --no-interactive`, then " if settings.paths.config_file is None else ""
    most = info.max_context_length
    if context is None and most and most < settings.models[role].context_length:
        context = most
    more = f" --context {context}" if context else ""
    return f"{first}`lao configure-models --role {role.value} --key {info.key}{more}`"
