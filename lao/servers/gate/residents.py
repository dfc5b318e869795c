"""Which large instances are in memory besides the wanted one, whose they are, and their unloading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lao.core.errors import ConfigError, ForeignModel, Transient
from lao.core.states import Role
from lao.servers.gate.settling import gigabytes
from lao.servers.gate.visit import Means, Visit
from lao.servers.protocol import LoadedModel, ModelInfo

_SMALL_EMBEDDING_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Resident:
    """An instance in memory. ``ours``: LAO has loaded it, in this process or an earlier one."""

    info: ModelInfo
    instance: LoadedModel
    ours: bool


class Residents:
    """What is in the memory of one gate's server."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def forget_gone(self, models: Sequence[ModelInfo]) -> None:
        """Instances that the list does not show are LAO's no more: what comes under their name later is another's."""
        listed = {(i.instance_id, info.key) for info in models for i in info.loaded}
        for instance, model in self._means.record.loaded().items():
            if (instance, model) not in listed:
                self._means.record.note_gone(instance)

    def others(self, models: Sequence[ModelInfo], visit: Visit, keep: LoadedModel | None) -> list[Resident]:
        """The instances that must go: other large models, and the wanted model's other instances.

        Every language model counts as large whatever its file: its context's cache is not in the file size. The
        embedder may stay beside the others, and comes beside them.
        """
        embedder = self._means.settings.models.get(Role.EMBEDDER)
        mine = self._means.record.loaded()
        found = []
        for info in models:
            if info.key != visit.key and (
                visit.role is Role.EMBEDDER
                or (embedder is not None and info.key == embedder.key and info.kind == "embedding")
                or (info.kind == "embedding" and info.size_bytes < _SMALL_EMBEDDING_BYTES)
            ):
                continue
            found += [
                Resident(info, instance, mine.get(instance.instance_id) == info.key)
                for instance in info.loaded
                if keep is None or instance.instance_id != keep.instance_id
            ]
        return found

    def check_strangers(self, others: Sequence[Resident]) -> None:
        """Whether all of them may be unloaded.

        Raises:
            ForeignModel: one is not LAO's, and ``evict_foreign`` is off.
        """
        strange = [o.instance.instance_id for o in others if not o.ours]
        if strange and not self._means.settings.memory_gate.evict_foreign:
            raise ForeignModel(
                f"{', '.join(map(repr, strange))} is in the model server's memory, and LAO has not loaded it",
                "unload it when it is not needed, or set memory_gate.evict_foreign: true in factory.yaml",
            )

    def unload(self, others: Sequence[Resident], visit: Visit) -> None:
        """Unload them one after the other, and see each of them gone.

        Raises:
            Transient: the server goes on listing the instance.
        """
        for other in others:
            name, started = other.instance.instance_id, self._means.clock.monotonic()
            self._ask_to_go(name)
            self._means.record.note_gone(name)
            visit.unloads += 1
            self._means.counters.add("unloads")
            whose = "" if other.ours else ", which LAO had not loaded"
            visit.tell(
                "model.unload",
                f"unloaded {name} ({gigabytes(other.info.size_bytes)}){whose}",
                model=other.info.key,
                instance=name,
                seconds=visit.since(started),
                size_bytes=other.info.size_bytes,
                foreign=not other.ours,
            )

    def part(self, others: Sequence[Resident], visit: Visit, *, give_up: bool) -> None:
        """Unload what came while the wanted model was loaded.

        Args:
            give_up: it came a second time.

        Raises:
            ForeignModel: as ``check_strangers``.
            Transient: it does not go, or comes again.
        """
        self.check_strangers(others)
        if give_up:
            names = ", ".join(repr(o.instance.instance_id) for o in others)
            raise Transient(
                f"model {visit.key!r} was loaded but is not the only large model in the server's memory: {names} came "
                "back after it was unloaded",
                "another program seems to load models on this server; close it",
            )
        self.unload(others, visit)

    def give_way(self, info: ModelInfo, instance: LoadedModel, visit: Visit) -> None:
        """Unload LAO's own instance when another cannot go, so that no two large models stay in memory."""
        if self._means.record.loaded().get(instance.instance_id) == info.key:
            self.unload([Resident(info, instance, ours=True)], visit)

    def _ask_to_go(self, name: str) -> None:
        """The adapter sees the instance gone from the server's list; while it stays, the server is asked once more."""
        try:
            self._means.server.unload(name)
        except Transient:
            self._means.server.unload(name)


def check_kind(info: ModelInfo, role: Role) -> None:
    """Whether the model is of the kind that the role works with, as far as the server tells.

    Raises:
        ConfigError: a language model as embedder, or an embedding model for anything else.
    """
    if info.guessed or (role is Role.EMBEDDER) == (info.kind == "embedding"):
        return
    is_one, needs = ("an embedding", "a language") if info.kind == "embedding" else ("a language", "an embedding")
    raise ConfigError(
        f"models.{role.value}.key: {info.key!r} is {is_one} model, role {role.value!r} needs {needs} model",
        f"set models.{role.value}.key in factory.yaml to {needs} model of the server",
    )
