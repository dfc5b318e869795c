"""``lao doctor``, group Embedder: does it give vectors, and such as the search index has. Loads nothing."""

from __future__ import annotations

import sqlite3

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.core.errors import LaoError
from lao.core.states import Role


def examine(scene: Scene) -> list[Check]:
    """The rows ``vectors`` and ``index``."""
    from lao.servers.embeddings import resident_embedder
    from lao.servers.fit import SMALL_CONTEXT

    key, sight = scene.settings.models[Role.EMBEDDER].key, scene.sight()
    if not key:
        return [Check("vectors", "skipped", "no models.embedder.key: search goes by words alone")]
    if sight.server is None:
        return [Check("vectors", "skipped", "the server does not answer")]
    try:
        embedder = resident_embedder(scene.settings, sight.server)
        if embedder is None:
            there = any(info.key == key for info in sight.models)
            why = "is not in memory; nothing is loaded for a look" if there else "is not on the server: see models"
            return [Check("vectors", "skipped", f"{key} {why}")]
        size = len(embedder.embed(["What does this function return?"])[0])
    except LaoError as error:
        hint = f"take another embedder: `lao configure-models --role embedder --key KEY --context {SMALL_CONTEXT}`"
        return [Check("vectors", "warn", error.message, hint)]
    return [Check("vectors", "ok", f"{key} gives vectors of {size} numbers"), _index(scene, key, size)]


def _index(scene: Scene, key: str, size: int) -> Check:
    from lao.search.store import NAME, vector_sizes

    try:
        sizes = vector_sizes(scene.settings.paths.state_dir / NAME, key)
    except sqlite3.Error as error:
        return Check("index", "warn", f"the search index cannot be read ({error})", "`lao index --rebuild`")
    if sizes - {size}:
        told = ", ".join(str(other) for other in sorted(sizes - {size}))
        text = f"the index has vectors of {told} numbers by {key}, which gives {size} now: those are not found"
        return Check("index", "warn", text, "`lao index --rebuild`")
    return Check("index", "ok", "the index has no vectors of another length")
