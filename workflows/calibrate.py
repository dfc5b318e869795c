"""Calibrating models: which, when, and where the profile is kept and applied. The probes: lao.agents.calibration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from lao import __version__
from lao.config.settings import ModelSettings, Settings
from lao.core.errors import AttemptFailed, BadInput, Refused, Terminal, Transient
from lao.core.profile import Profile
from lao.core.states import PIPELINE_ROLES, Queue, Role
from lao.core.steps import StepKind, Steps
from lao.core.words import Json
from lao.servers.protocol import ModelInfo, nearest
from lao.state import journal, ledger, profiles
from workflows.factory import Factory
from workflows.supervisor import queue_lock

log = logging.getLogger("lao")

FIRST_USE_S, BY_HAND_S = 90.0, 300.0
"""How long the probes of one model may take, at its first use and by command."""

_DEFAULT = "default"
_STEP = "profile"
"""The first step in the journal of a run that goes by a profile."""


def targets(settings: Settings, which: str | None) -> tuple[Role, ...]:
    """One role for each distinct model to calibrate.

    Args:
        which: a role or a model key; None: the three roles of the pipeline, and the others whose model the user named.

    Raises:
        BadInput: there is no such role or model, or it is no chat model.
    """
    talking = [role for role in settings.models if role is not Role.EMBEDDER]
    if which is None:
        wanted = [r for r in talking if r in PIPELINE_ROLES or _is_set(settings, r, "key")]
    else:
        wanted = [r for r in talking if which in (r.value, settings.models[r].key)][:1]
        if not wanted:
            known = [*(r.value for r in talking), *dict.fromkeys(settings.models[r].key for r in talking)]
            near = ", ".join(repr(k) for k in nearest(which, known)) or ", ".join(r.value for r in talking)
            raise BadInput(
                f"no role or chat model {which!r}",
                f"known: {near}; for a model that no role has: lao calibrate coder --coder-model KEY",
            )
    first: dict[str, Role] = {}
    for role in wanted:
        first.setdefault(settings.models[role].key, role)
    return tuple(first.values())


def calibrate_models(
    factory: Factory, which: str | None = None, *, force: bool = False, tell: Callable[[str], None] = lambda _t: None
) -> tuple[Profile, ...]:
    """The profiles of the models, measured where there is none (``force``: all).

    Raises:
        BadInput: as ``targets``.
        Refused: something must be measured, and a worker has the gpu.
        LaoError: what the gate or the server reports.
    """
    roles = targets(factory.settings, which)
    found = {role: None if force else factory.profile(role) for role in roles}
    missing = [role for role in roles if found[role] is None]
    if missing:
        lock = queue_lock(factory.settings, Queue.GPU)
        try:
            lock.acquire()
        except Refused as error:
            names = ", ".join(repr(factory.model_settings(r).key) for r in missing)
            raise Refused(
                f"cannot calibrate {names} now: {error.message}",
                "stop the workers first; they calibrate an unknown model themselves unless calibration.auto is false",
            ) from error
        try:
            for role in missing:
                found[role] = _load_and_measure(factory, role, tell)
        finally:
            lock.release()
    return tuple(profile for profile in found.values() if profile is not None)


def _load_and_measure(factory: Factory, role: Role, tell: Callable[[str], None]) -> Profile:
    key = factory.model_settings(role).key
    tell(f"calibrating {key!r} ({role.value})")
    outcome = factory.ensure_resident(role)
    if not outcome.ok:
        raise outcome.error or Transient(f"the memory gate said {outcome.reason}", "see 'lao health'")
    name = outcome.instance.instance_id if outcome.instance else key
    return measure(factory, role, name, budget_s=BY_HAND_S, tell=lambda probe: tell(f"  {probe}"))


def at_first_use(
    factory: Factory,
    role: Role,
    model_name: str,
    seated: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Measure a model that has no profile, unless that is switched off or the server is the simulated one.

    Costs no phase its life: what goes wrong is logged, and the phase goes on without a profile.

    Raises:
        Interrupted: the worker is stopping.
    """
    key = factory.model_settings(role).key
    if not factory.settings.calibration_auto or key in factory.not_calibrated or factory.profile(role) is not None:
        return
    factory.not_calibrated.add(key)  # whatever happens: not a second time in this process
    try:
        if _is_simulated(factory):
            return
        log.info("%s has no profile yet; calibrating it", key)
        with seated():
            profile = measure(factory, role, model_name or key, budget_s=FIRST_USE_S)
    except (Transient, Terminal, AttemptFailed, BadInput) as error:
        log.warning("%s could not be calibrated, and is used without a profile: %s", key, error.message)
        return
    log.info("%s", one_line(profile))


def profile_of_run(
    factory: Factory,
    run_id: int,
    role: Role,
    steps: Steps,
    model_name: str,
    seated: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Profile | None:
    """The profile that a run goes by: the one that it began with, whatever is found out while it is interrupted.

    Args:
        seated: gives the GPU for as long as a model is measured; other runs wait for its profile meanwhile.
    """
    recorded = journal.load(factory.store, run_id)
    if recorded and recorded[0].label != _STEP:
        return None
    if not recorded:
        if role is not Role.PILOT:  # for which a person waits: its model is measured for other roles, or by hand
            with factory.calibrating:
                at_first_use(factory, role, model_name, seated)
        if factory.profile(role) is None:
            return None
    return Profile.from_json(steps.run(StepKind.READ, _STEP, lambda: _profile_json(factory, role)))


def _profile_json(factory: Factory, role: Role) -> Json:
    profile = factory.profile(role)
    assert profile is not None, "a profile is replaced, never removed"
    return profile.to_json()


def measure(
    factory: Factory, role: Role, model_name: str, *, budget_s: float, tell: Callable[[str], None] = lambda _t: None
) -> Profile:
    """Probe a resident model and keep its profile. Raises as ``lao.agents.calibration.run.calibrate``."""
    from lao.agents.calibration.bench import Bench
    from lao.agents.calibration.run import Subject, calibrate
    from lao.servers.rest import Rest

    settings = factory.settings
    key = factory.model_settings(role).key
    context, figures = _figures(factory, key, model_name)
    subject = Subject(
        settings.server.base_url, key, __version__, context, factory.model_settings(role).context_length, figures
    )
    connect_s = settings.orchestration.llm_connect_timeout_s
    wire = Rest(settings.server.base_url, settings.server.api_key, connect_timeout_s=connect_s, read_timeout_s=30.0)
    chat = factory.open_chat(retry_attempts=1)
    bench = Bench(chat, wire, factory.clock, model_name, factory.clock.monotonic() + budget_s)
    try:
        profile = calibrate(bench, subject, factory.clock.now(), tell)
    finally:
        chat.close()
        wire.close()
    profiles.put(factory.store, profile)
    spent = {"calls": bench.calls, "prompt_tokens": bench.prompt_tokens, "completion_tokens": bench.completion_tokens}
    ledger.add_model_event(
        factory.store, "calibrate", role=role.value, model=key, seconds=profile.seconds, data=dict(spent)
    )
    return profile


def _figures(factory: Factory, key: str, model_name: str) -> tuple[int | None, dict[str, Json]]:
    """The context that the server really gives the model, and what its list says."""
    server = factory.server
    info = next((m for m in server.models() if m.key == key), None)
    if info is None:
        return None, {"manages_memory": server.manages_memory}
    loaded = next((i for i in info.loaded if i.instance_id == model_name), info.loaded[0] if info.loaded else None)
    # A chat-only server has one context; one that loads models tells what the model could have at most.
    context = loaded.context_length if loaded else None if server.manages_memory else info.max_context_length
    return context, _listed(info, manages_memory=server.manages_memory)


def _listed(info: ModelInfo, *, manages_memory: bool) -> dict[str, Json]:
    return {
        "manages_memory": manages_memory,
        "kind": info.kind,
        "size_bytes": info.size_bytes,
        "max_context_length": info.max_context_length,
        "loaded": [{"id": i.instance_id, "context_length": i.context_length} for i in info.loaded],
    }


def _is_simulated(factory: Factory) -> bool:
    """Whether the simulated server answers: there is nothing to find out about its models."""
    from lao.servers.detect import SIMULATED
    from lao.servers.rest import Rest

    server = factory.settings.server
    if server.kind == "simulated":
        return True
    connect_s = factory.settings.orchestration.llm_connect_timeout_s
    rest = Rest(server.base_url, server.api_key, connect_timeout_s=connect_s, read_timeout_s=30.0)
    try:
        return rest.get("/v1/models").server.startswith(SIMULATED)
    finally:
        rest.close()


def overlaid(settings: Settings, role: Role, profile: Profile | None) -> ModelSettings:
    """The role's settings with what the profile knows; a key that the user set stays as it is."""
    model = settings.models[role]
    if profile is None:
        return model
    # Where LAO loads the models the gate tells the context of this very instance; an older figure would bind it.
    told_once = profile.context if profile.figures.get("manages_memory") is False else None
    known: dict[str, Json] = {
        "supports_tools": profile.supports_tools,
        "supports_json_schema": profile.schema,
        "edit_format": profile.edit_format or None,
        "context_length": min(model.context_length, told_once) if told_once else None,
    }
    usable = {name: v for name, v in known.items() if v is not None and not _is_set(settings, role, name)}
    return replace(model, **usable)


def first_token_limit_s(settings: Settings, model: ModelSettings, profile: Profile | None) -> float:
    """How long to wait for the first token: longer than the default where the model needs it, as set where set."""
    given = settings.orchestration.llm_request_timeout_s
    if settings.sources.get("orchestration.llm_request_timeout_s", _DEFAULT) != _DEFAULT or profile is None:
        return given
    return max(given, profile.first_token_limit_s(model.context_length) or 0.0)


def _is_set(settings: Settings, role: Role, name: str) -> bool:
    """Whether the user gave this key of the role (file, variable or flag)."""
    return settings.sources.get(f"models.{role.value}.{name}", _DEFAULT) != _DEFAULT


def one_line(profile: Profile) -> str:
    """What matters of a profile, for the log."""
    rung = profile.start_rung or "unknown"
    speed = f"{profile.decode_tokens_s:g} tokens/s" if profile.decode_tokens_s else "speed unknown"
    return (
        f"calibrated {profile.model} in {profile.seconds:.0f} s ({profile.calls} calls): "
        f"begins with {rung}, edits {profile.edit_format or 'unknown'}, {speed}"
    )
