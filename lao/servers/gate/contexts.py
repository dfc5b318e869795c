"""Which context a model is loaded with: what its roles ask for, what will do, and what it was last given."""

from __future__ import annotations

from lao.config.settings import ModelSettings, Settings
from lao.core.errors import ConfigError
from lao.servers.gate.visit import Visit
from lao.servers.protocol import LoadedModel, ModelInfo

LEAST_CONTEXT = 4096
"""Tokens; with less neither a plan nor a task with its files can be shown to a model."""


class Contexts:
    """The contexts of one gate's models, in tokens."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._granted: dict[str, int] = {}

    def enough(self, wanted: ModelSettings, info: ModelInfo) -> int:
        """What a loaded instance must hold to be used as it is."""
        given = self._granted.get(wanted.key, wanted.context_length)
        return min(wanted.context_length, given, info.max_context_length or given)

    def ladder(self, info: ModelInfo) -> tuple[int | None, ...]:
        """What to ask for: as much as the largest role of this model needs, so that no role change loads it again;
        then, where ``min_context`` allows it, the half of that and so on.

        Raises:
            ConfigError: the model cannot hold what a role needs.
        """
        for model in self._roles(info.key):
            self.check(info, model)
        asked = max((m.context_length for m in self._roles(info.key)), default=0)
        first = min(asked, info.max_context_length or asked)
        floor = self._settings.memory_gate.min_context
        if not first or floor is None:
            return (first or None,)
        rungs = [first]
        while rungs[-1] > floor:
            rungs.append(max(floor, rungs[-1] // 2))
        return tuple(rungs)

    def least(self, key: str) -> int | None:
        """The smallest context that will do: what the user asked for; None: the asked one. Of a length that nobody set
        (the default) the server may give less; prompts are kept within what it gives."""
        roles = self._roles(key)
        needed = max((self._least_of(m) for m in roles), default=0)
        floor = self._settings.memory_gate.min_context
        if floor is not None:
            return min(floor, needed) or None
        return needed if any(self._is_default(m) for m in roles) else None

    def granted(self, key: str) -> int | None:
        """The smaller context that the model was last given."""
        return self._granted.get(key)

    def note(self, instance: LoadedModel, ladder: tuple[int | None, ...], visit: Visit) -> None:
        """Remember and tell a context that is smaller than what was wanted first."""
        given, asked = instance.context_length, ladder[0]
        if not asked or given is None or given >= asked:
            self._granted.pop(visit.key, None)
            return
        self._granted[visit.key] = given
        text = f"{visit.key} has a context of {given} tokens, not {asked}; prompts are kept within it"
        visit.tell("gate.context", text, context_length=given)

    def check(self, info: ModelInfo, model: ModelSettings) -> None:
        """Whether the model can hold what a role of it needs.

        Raises:
            ConfigError: it cannot.
        """
        most, needed = info.max_context_length, self._least_of(model)
        if most is None or needed <= most:
            return
        what = f"model {info.key!r} holds at most {most} tokens"
        if self._is_default(model):
            raise ConfigError(
                f"{what}, {needed} are needed for role {model.role.value!r}", "choose a model with more context"
            )
        raise ConfigError(
            f"{what}, but models.{model.role.value}.context_length is {model.context_length}",
            f"set it to {most} or less in factory.yaml, or choose another model",
        )

    def _least_of(self, model: ModelSettings) -> int:
        return min(LEAST_CONTEXT, model.context_length) if self._is_default(model) else model.context_length

    def _roles(self, key: str) -> list[ModelSettings]:
        return [m for m in self._settings.models.values() if m.key == key]

    def _is_default(self, model: ModelSettings) -> bool:
        return self._settings.sources.get(f"models.{model.role.value}.context_length") == "default"
