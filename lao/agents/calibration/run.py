"""The order of the probes and what becomes of their findings. Which model, and where a profile is kept: workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lao.agents.calibration import calling, editing, pace, speech, structure
from lao.agents.calibration.bench import Bench, NoTime
from lao.core.errors import AttemptFailed, Terminal
from lao.core.profile import Profile
from lao.core.words import Json

Probe = Callable[[], dict[str, Json]]

_STREAMED = "tools, streamed"
_DECIDING = frozenset({_STREAMED, "schema", "whole files", "search and replace"})
_GIVEN = frozenset({"context", "tools_shown"})
"""What is known without an answer of the model."""


@dataclass(frozen=True)
class Subject:
    """What is known before any probe.

    Attributes:
        context: tokens of the loaded instance, None when the server does not tell.
        wanted_context: tokens that the configuration asks for.
        figures: what the server's list says.
    """

    server: str
    model: str
    version: str
    context: int | None = None
    wanted_context: int = 0
    figures: Mapping[str, Json] = field(default_factory=dict)


def calibrate(bench: Bench, subject: Subject, now: float, tell: Callable[[str], None] = lambda _text: None) -> Profile:
    """Probe the model. A probe whose answer makes no sense, or that has no time left, leaves its fields unknown.

    Args:
        tell: gets the name of each probe before it begins.

    Raises:
        AttemptFailed: no probe got a usable answer, or time ran out before the probes that decide anything: a busy
            machine says nothing about a model.
        Transient, Terminal, ConfigError, Interrupted: what the model raises; there is no profile then.
    """
    begun = bench.clock.monotonic()
    found: dict[str, Json] = {"context": subject.context} if subject.context else {}
    for name, probe in _probes(bench, subject, found):
        tell(name)
        try:
            result = probe()
        except NoTime as error:
            if name in _DECIDING:
                raise AttemptFailed(
                    f"time ran out after {bench.calls} calls to model {subject.model!r}, before {name} could be probed",
                    "run 'lao calibrate' when nothing else uses the server or the machine",
                    kind="calibration",
                ) from error
            continue
        except Terminal:
            if not found.keys() - _GIVEN:
                raise  # not one request went through: it is not the probe that is refused
            continue
        except AttemptFailed as error:
            result = calling.meaning_of(error) if name == _STREAMED else {}
        _merge(found, result)
    if not found.keys() - _GIVEN:
        raise AttemptFailed(
            f"nothing could be found out about model {subject.model!r} on {subject.server}: no answer was usable",
            "try it by hand, or run 'lao calibrate' again later",
            kind="calibration",
        )
    return Profile.from_json(
        {
            **found,
            "server": subject.server,
            "model": subject.model,
            "version": subject.version,
            "at": now,
            "figures": dict(subject.figures),
            "decode_tokens_s": bench.decode_tokens_s,
            "seconds": round(bench.clock.monotonic() - begun, 1),
            "calls": bench.calls,
        }
    )


def _probes(bench: Bench, subject: Subject, found: dict[str, Json]) -> Iterator[tuple[str, Probe]]:
    """The probes in the order of their worth; ``found`` fills up on the way, and says which are worth nothing."""
    yield "system role and thinking", lambda: speech.probe(bench)
    yield "tools shown", lambda: calling.probe_shown(bench)
    yield _STREAMED, lambda: calling.probe_stream(bench)
    yield "schema", lambda: structure.probe(bench)
    yield "whole files", lambda: editing.probe(bench, "whole")
    yield "search and replace", lambda: editing.probe(bench, "search_replace")
    yield "prefill and cache", lambda: pace.probe_prefill(bench)
    if "tools_plain" not in found:
        yield "tools, not streamed", lambda: calling.probe_plain(bench)
    if found.get("tools_plain") == "native":
        yield "parallel calls", lambda: calling.probe_parallel(bench)
    yield "patches", lambda: editing.probe(bench, "patch")
    if not subject.context and subject.wanted_context:
        prefill = found.get("prefill_tokens_s")
        yield "context", lambda: pace.probe_context(bench, subject.wanted_context, prefill)


def _merge(found: dict[str, Json], result: Mapping[str, Json]) -> None:
    """A later finding replaces an earlier one; scores of edit formats add up."""
    scores = {**found.get("edits", {}), **result.get("edits", {})}
    found.update(result)
    if scores:
        found["edits"] = scores
