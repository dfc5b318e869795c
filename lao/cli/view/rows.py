"""A snapshot as rows for a window of any size: plans with their bars, phases, what waits, and one status line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lao.cli.look import Look, Piece, about, bar, cells, count, duration
from workflows.progress import PhaseProgress, PlanProgress, Snapshot

MOST: Final = 12
"""Rows, whatever room there is: the rest of the window is for what has happened."""

_SIDE: Final = 2
_NARROW, _WIDE = 60, 110
_SEPARATOR: Final = " · "


def rows(snapshot: Snapshot, look: Look, width: int, height: int, *, ends: str = "Ctrl-C stops") -> list[str]:
    """At least one row, the status line, and at most as many as leave a line of the window for what has happened.

    Args:
        width, height: of the window, in cells and rows.
        ends: how the person ends what draws them.
    """
    room = width - 1  # the last column would leave the cursor between two rows
    standing = snapshot.standing
    plans = [_plan(plan, look, room) for plan in standing.plans]
    phases = [_phase(phase, snapshot, look, room) for phase in standing.phases]
    waits = [_wait(wait, standing.at, look, room) for wait in standing.waits]
    if standing.gate:
        waits.insert(0, [look.piece("wait"), (f" memory gate: {standing.gate}", "warn")])
    more = "+{} more  " if room >= _NARROW else "+{} "
    shown = _chosen([plans, phases, waits], min(MOST, height - _SIDE) - 1, more)
    return [*(look.line(row, room) for row in shown), look.line(_status(snapshot, look, room, ends), room)]


def _chosen(groups: Sequence[list[list[Piece]]], room: int, more: str) -> list[list[Piece]]:
    """The first row of each group, then of what is left; a group that is cut short says by how much."""
    taken = [0] * len(groups)
    order = [1, 0, 2]  # what is at work matters most
    for _ in range(max(0, room)):
        least = [n for n in order if taken[n] < len(groups[n])]
        if not least:
            break
        first = [n for n in least if taken[n] == 0]
        taken[(first or least)[0]] += 1
    shown: list[list[Piece]] = []
    for group, number in zip(groups, taken, strict=True):
        part = [list(row) for row in group[:number]]
        if part and number < len(group):
            part[-1].insert(0, (more.format(len(group) - number), "quiet"))
        shown += part
    return shown


def _plan(plan: PlanProgress, look: Look, room: int) -> list[Piece]:
    name = _fitted(look.clean(plan.name), min(24, max(6, room // 4)))
    row: list[Piece] = [(f"{name} ", "strong")]
    if room >= _NARROW and plan.total:
        row.append((f"{bar(plan.completed, plan.total, min(32, room // 4))} ", "good"))
    row.append((f"{plan.completed}/{plan.total}" if plan.total else plan.state, ""))
    if plan.parked:
        row.append((f"  {plan.parked} parked", "person"))
    if plan.paused:
        row.append(("  paused", "warn"))
    elif plan.total:
        left = "no history yet" if plan.left_s is None else f"≈{about(plan.left_s)} left"
        row.append((f"  {left}", ""))
    return row


def _phase(phase: PhaseProgress, snapshot: Snapshot, look: Look, room: int) -> list[Piece]:
    call = snapshot.call_of(phase.run)
    now = snapshot.standing.at
    details: list[Piece] = [(duration(now - phase.started_at) if phase.started_at is not None else "", "")]
    if call is not None and call.rate is not None:
        details.append((f"{call.rate:.0f} tok/s", "busy"))
    elif call is not None and not call.heard:
        details.append((f"reads the prompt {duration(call.at - call.since)}", ""))
    written = phase.completion + (call.tokens if call else 0)
    if written or phase.prompt:
        details.append(
            (f"{count(phase.prompt)} in {count(written)} out" if room >= _WIDE else f"{count(written)} out", "")
        )
    if phase.attempt > 1:
        details.append((f"attempt {phase.attempt}", "warn"))
    if call is not None:
        details.append((call.model, "busy"))
    row = [look.piece("running"), (f" {phase.phase:<6} ", "busy"), (look.clean(_of(phase)), "")]
    return _spread(row, details, room)


def _of(phase: PhaseProgress) -> str:
    return f"#{phase.task} {phase.title}" if phase.task is not None else phase.plan


def _spread(row: list[Piece], details: list[Piece], room: int) -> list[Piece]:
    """The row, and at the right edge as many details, the first ones first, as leave it half of the room."""
    kept: list[Piece] = []
    for text, style in filter(lambda piece: piece[0], details):
        if sum(cells(t) + 2 for t, _ in kept) + cells(text) + 2 <= room // 2:
            kept.insert(0, (text, style))
    right = sum(cells(text) + 2 for text, _ in kept)
    *head, (title, style) = row
    title = _fitted(title, max(1, room - right - sum(cells(text) for text, _ in head)))
    return [*head, (title, style), *(piece for text, style in kept for piece in (("  ", ""), (text, style)))]


def _wait(wait: PhaseProgress, now: float, look: Look, room: int) -> list[Piece]:
    row = [look.piece("wait"), (f" {wait.phase:<6} ", "warn"), (look.clean(f"{_of(wait)}: {wait.reason}"), "")]
    return _spread(row, [(f"again in {duration(wait.until - now)}", "")], room)


def _status(snapshot: Snapshot, look: Look, room: int, ends: str) -> list[Piece]:
    standing, totals = snapshot.standing, snapshot.totals
    state, text = _state(snapshot)
    parts: list[Piece] = [(text, "warn" if state in ("paused", "wait") else "")]
    if standing.questions:
        parts.append((_many(standing.questions, "question"), "person"))
    if snapshot.rate is not None:
        parts.append((f"{snapshot.rate:.0f} tok/s", "busy"))
    if snapshot.model:
        parts.append((snapshot.model, "busy"))
    queue = standing.queue or {}
    if any(queue.values()) or standing.later:
        later = f" later {standing.later}" if standing.later else ""
        parts.append(("queue " + " ".join(f"{name} {number}" for name, number in sorted(queue.items())) + later, ""))
    if totals.loads:
        parts.append((_many(totals.swaps, "swap"), ""))
    if totals.calls:
        parts.append((f"{count(totals.prompt)} in {count(totals.completion)} out", ""))
    if totals.faults:
        parts.append((_many(totals.faults, "fault"), "warn"))
    parts.append((ends, "quiet"))
    row = [look.piece(state), (" ", "")]
    used = 2
    for number, (text, style) in enumerate(parts):
        between = _SEPARATOR if number else ""
        if number and used + cells(between + text) > room:
            continue
        row += [(between, "quiet"), (text, style)]
        used += cells(between + text)
    return row


def _state(snapshot: Snapshot) -> tuple[str, str]:
    standing = snapshot.standing
    if standing.phases:
        return "running", "pausing" if standing.paused is not None else "working"
    if standing.paused is not None:
        return "paused", "paused; lao resume goes on"
    if standing.waits or standing.gate:
        return "wait", "waits"
    if not standing.idle:
        return "running", "starting"
    return "idle", "idle, drop a plan into the plans folder"


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _fitted(text: str, width: int) -> str:
    """The text cut or filled to exactly ``width`` cells."""
    if cells(text) > width:
        while text and cells(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - cells(text))
