"""What is known about one model on one server: calibration's findings and what follows from them. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Final

from lao.core.words import Json

RUNGS: Final = ("native", "salvage", "schema", "text")
"""The ways to get work out of a model: native tool calls, calls written as text, an action forced by a schema, files
in a plain answer."""

EDIT_FORMATS: Final = ("whole", "search_replace", "patch")
"""Of equally good formats the first is the best: it leaves the least to match."""

_GOOD_SHARE: Final = 2 / 3


@dataclass(frozen=True)
class Score:
    """How many of the tried edits of a format led to the right file."""

    right: int
    tried: int

    @property
    def share(self) -> float:
        return self.right / self.tried if self.tried else 0.0


@dataclass(frozen=True)
class Profile:
    """A model on a server. None and "" mean unknown: nothing follows from them.

    Attributes:
        server: base URL.
        version: the LAO that measured; at: when, seconds since 1970.
        context: tokens that the server really gives.
        tools_shown: whether the chat template puts the tools before the model.
        tools_stream, tools_plain: how a clear request for a call is answered, streamed and not: "native", "salvage"
            (a call written as text), "none".
        parallel_calls: whether two calls come in one answer.
        schema: whether a JSON schema is honoured.
        thinking: "field" (of its own), "tags" (in the text), "none".
        system_role: "followed", "accepted" (no error, no effect seen), "refused".
        edits: score of each tried edit format.
        cache_reuse: whether a long prefix sent again is quicker.
        rung: the rung that worked last in real tasks (one of RUNGS).
        figures: what the server's list says (context lengths, size, ...).
        seconds, calls: what calibration cost.
    """

    server: str
    model: str
    version: str = ""
    at: float = 0.0
    context: int | None = None
    tools_shown: bool | None = None
    tools_stream: str = ""
    tools_plain: str = ""
    parallel_calls: bool | None = None
    schema: bool | None = None
    thinking: str = ""
    system_role: str = ""
    edits: Mapping[str, Score] = field(default_factory=lambda: MappingProxyType({}))
    prefill_tokens_s: float | None = None
    decode_tokens_s: float | None = None
    cache_reuse: bool | None = None
    rung: str = ""
    figures: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    seconds: float = 0.0
    calls: int = 0

    @property
    def edit_format(self) -> str:
        """The format with the best score, "" when no edit was right."""
        known = [name for name in EDIT_FORMATS if name in self.edits and self.edits[name].right]
        return max(known, key=lambda name: self.edits[name].share, default="")

    @property
    def start_rung(self) -> str:
        """Where to begin with this model: what worked in real tasks, else what the probes say, "" when unknown.

        Files in plain answers come before salvaged calls and forced actions: a weak model's code suffers in JSON.
        """
        if self.rung:
            return self.rung
        if self.tools_stream == "native":
            return "native"
        if not self.tools_stream:
            return ""
        best = self.edits[self.edit_format].share if self.edit_format else 0.0
        if best >= _GOOD_SHARE:
            return "text"
        if self.tools_stream == "salvage":
            return "salvage"
        return "schema" if self.schema and not best else "text"

    @property
    def supports_tools(self) -> bool | None:
        """Whether to work with tools (forced actions are tool calls too); None when unknown."""
        return self.start_rung != "text" if self.start_rung else None

    def first_token_limit_s(self, prompt_tokens: int) -> float | None:
        """A safe wait for the first token of such a prompt: three times what it should take; None when unknown."""
        if not self.prefill_tokens_s:
            return None
        return round(min(7200.0, 30.0 + 3.0 * prompt_tokens / self.prefill_tokens_s), 1)

    def idle_limit_s(self) -> float | None:
        """A safe silence between two tokens: a hundred tokens' time, at least half a minute; None when unknown."""
        return round(min(600.0, max(30.0, 100.0 / self.decode_tokens_s)), 1) if self.decode_tokens_s else None

    def to_json(self) -> dict[str, Json]:
        # asdict would deep-copy the read-only mappings, which cannot be copied
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **shown,
            "edits": {name: asdict(score) for name, score in self.edits.items()},
            "figures": dict(self.figures),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Profile:
        """A profile of this or another version of LAO: what is not known here is left out."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in data.items() if name in known}
        edits = {n: Score(int(s["right"]), int(s["tried"])) for n, s in (kept.get("edits") or {}).items()}
        figures = MappingProxyType(dict(kept.get("figures") or {}))
        return cls(**{**kept, "edits": MappingProxyType(edits), "figures": figures})
