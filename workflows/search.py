"""The project's index as phases use it: the searcher behind the tools, the repository map in the prompts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lao.config.settings import Settings
from lao.core.errors import ConfigError, Refused, Terminal, Transient
from lao.core.states import Queue, Role
from lao.llm.tokens import estimate
from lao.search.repo_map import Focus, repo_map
from lao.search.searcher import Searcher
from lao.search.store import NAME, IndexFile
from lao.search.vectors import Embedder
from lao.state import ledger
from workflows.factory import Factory
from workflows.supervisor import queue_lock
from workflows.work import Work

if TYPE_CHECKING:
    from lao.servers.embeddings import EmbeddingCall

MAP_SHARE = 32
"""The map takes at most one part in so many of the model's context."""

LEAST_MAP = 128
"""Tokens below which a map is not worth its place."""


def index_of(settings: Settings) -> IndexFile:
    """The index of the project, one file for all workspaces and desks."""
    return IndexFile(settings.paths.state_dir / NAME)


def searcher_of(factory: Factory, run: int | None = None) -> Searcher:
    """Search with the embedder where it is in memory already: a search loads no model. What it is asked in this run is
    kept for telemetry, where that is on."""

    def embedder() -> Embedder | None:
        from lao.servers.embeddings import resident_embedder

        found = resident_embedder(factory.settings, factory.server)
        if found is not None and run is not None and factory.settings.raw["otel"]["enabled"]:
            found.told = partial(_keep, factory, run)
        return found

    return Searcher(index_of(factory.settings), embedder)


def _keep(factory: Factory, run: int, call: EmbeddingCall) -> None:
    data = {"run": run, "texts": call.texts, "response_model": call.answered_by, "failed": call.failed}
    ledger.add_model_event(
        factory.store,
        "embeddings",
        role=Role.EMBEDDER.value,
        model=call.model,
        seconds=call.seconds,
        data=data,
        prompt_tokens=call.tokens,
    )


def map_of(work: Work, root: Path, role: Role, focus: Focus) -> str:
    """The repository map for a prompt of this role, within its budget; "" where nothing fits."""
    settings = work.factory.settings
    budget = min(settings.search.map_tokens, work.model_settings(role).context_length // MAP_SHARE)
    if budget < LEAST_MAP:
        return ""
    return repo_map(index_of(settings), root, budget, estimate, focus, marker=work.marker, hidden=work.hidden(root))


def embedder_by_hand(factory: Factory) -> tuple[Embedder | None, str]:
    """The embedder for a command, made resident by the memory gate where that is LAO's to do; else why there is none.

    The gate leaves the large model where it is and loads nothing that does not fit beside it.
    """
    from lao.servers.embeddings import embedder_on, resident_embedder

    settings = factory.settings
    wanted = settings.models[Role.EMBEDDER].key
    if not wanted:
        return None, "no embedder is configured (models.embedder.key)"
    try:
        found = resident_embedder(settings, factory.server)
        if found is not None:
            return found, ""
        if not any(info.key == wanted for info in factory.server.models()):
            return None, f"the server has no embedder {wanted!r}"
        if not factory.server.manages_memory:
            return None, f"{wanted!r} is no embedding model, as far as its server tells"
    except (Transient, Terminal, ConfigError) as error:
        return None, error.message
    lock = queue_lock(settings, Queue.GPU)
    try:
        lock.acquire()
    except Refused:
        return None, f"{wanted!r} is not in memory, and a worker has the GPU"
    try:
        outcome = factory.ensure_resident(Role.EMBEDDER)
    finally:
        lock.release()
    if not outcome.ok:
        return None, outcome.error.message if outcome.error else f"the memory gate said {outcome.reason}"
    return embedder_on(settings, factory.server, outcome.instance), ""
