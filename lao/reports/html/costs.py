"""What a plan or a night has cost: tokens, the share from the cache, time, energy; measured, or said not to be."""

from __future__ import annotations

from collections.abc import Sequence

from lao.reports.html.markup import Markup, tag
from lao.reports.html.pieces import facts, measured, refs, row, section, table
from lao.reports.html.words import duration, number
from lao.reports.model import Energy, Usage

_HEADS = ("Model", "Role", "Calls", "Prompt tokens", "From cache", "Written tokens", "Time")
_FIGURES = (2, 3, 4, 5, 6)


def costs(usage: Sequence[Usage], energy: Energy | None, names: str, *, with_energy: bool) -> Markup | None:
    """The section; None when no model was asked and there is nothing to say of energy.

    Args:
        names: ``data-refs`` of the energy.
        with_energy: say how much it was, or that it was not measured.
    """
    if not usage and not with_energy:
        return None
    rows = [
        row(
            (
                item.model,
                item.role,
                number(item.calls),
                number(item.prompt_tokens),
                measured(_share(item)),
                number(item.completion_tokens),
                duration(item.seconds),
            ),
            refs(*item.claim.refs),
            numbers=_FIGURES,
        )
        for item in usage
    ]
    told = table("What each model did", _HEADS, rows, numbers=_FIGURES) if rows else None
    energies = tag("div", facts([("Energy", measured(_energy(energy)))]), data_refs=names) if with_energy else None
    return section("costs", "Tokens, time, energy", told, energies)


def _share(item: Usage) -> str | None:
    if item.cached_tokens is None:
        return None
    share = f" ({item.cached_tokens / item.prompt_tokens:.0%})" if item.prompt_tokens else ""
    return f"{number(item.cached_tokens)}{share}"


def _energy(energy: Energy | None) -> str | None:
    if energy is None:
        return None
    amount = f"{energy.joules / 1000:.1f} kJ" if energy.joules >= 1000 else f"{energy.joules:.0f} J"
    return f"{'' if energy.complete else 'at least '}{amount} ({energy.source})"
