"""The project's index as phases use it: the searcher behind the tools, the repository map in the prompts."""

from __future__ import annotations

from pathlib import Path

from lao.config.settings import Settings
from lao.core.states import Role
from lao.llm.tokens import estimate
from lao.search.repo_map import Focus, repo_map
from lao.search.searcher import Searcher
from lao.search.store import NAME, IndexFile
from lao.search.vectors import Embedder
from workflows.factory import Factory
from workflows.work import Work

MAP_SHARE = 32
"""The map takes at most one part in so many of the model's context."""

LEAST_MAP = 128
"""Tokens below which a map is not worth its place."""


def index_of(settings: Settings) -> IndexFile:
    """The index of the project, one file for all workspaces and desks."""
    return IndexFile(settings.paths.state_dir / NAME)


def searcher_of(factory: Factory) -> Searcher:
    """Search with the embedder where it is in memory already: a search loads no model."""

    def embedder() -> Embedder | None:
        from lao.servers.embeddings import resident_embedder

        return resident_embedder(factory.settings, factory.server)

    return Searcher(index_of(factory.settings), embedder)


def map_of(work: Work, root: Path, role: Role, focus: Focus) -> str:
    """The repository map for a prompt of this role, within its budget; "" where nothing fits."""
    settings = work.factory.settings
    budget = min(settings.search.map_tokens, work.model_settings(role).context_length // MAP_SHARE)
    if budget < LEAST_MAP:
        return ""
    return repo_map(index_of(settings), root, budget, estimate, focus, marker=work.marker)
