"""The thread of the cpu worker that tells a person who is not looking, where ``notify`` names a way. It holds up no
work.

Messages are made of the news of the state (``lao.state.news``) and of what lasts (gate, disk, questions, no movement),
and wait in the state until they have gone (``lao.state.outbox``): a crash loses none and repeats at most the one that
was being sent.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Final

from lao.core.errors import Interrupted
from lao.core.states import PlanState
from lao.durable import space
from lao.durable.processes import kill_marked
from lao.notify.message import Message, cut
from lao.notify.ways import Way, ways_of
from lao.state import approvals, news, outbox, plans, progress, queries
from lao.state.news import PlanNews
from lao.state.outbox import Letter, Outbox
from lao.state.pace import pace
from workflows.factory import Factory

log = logging.getLogger("lao")

LOOK_S: Final = 1.0
CONDITIONS_S: Final = 10.0
"""How often what lasts is looked at."""

TRIES: Final = 8
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 900.0
"""Eight tries with doubling pauses are some ten minutes; then the message is given up."""

LAST_S: Final = 4.0
"""Longest time of all that is sent when the worker stops."""

_ENDS: Final = {
    PlanState.COMPLETED: "plan_done",
    PlanState.FAILED: "plan_failed",
    PlanState.NEEDS_HUMAN: "needs_person",
}
_NEXT: Final = {
    "plan_done": "lao status",
    "plan_failed": "lao retry-failed {id}",
    "needs_person": "lao retry-failed {id}",
}


def wants_notify(factory: Factory) -> bool:
    """Whether ``notify`` names a way and an event."""
    section = factory.settings.raw["notify"]
    return bool((section["command"] or section["webhook"]) and section["on"])


def marker_of(factory: Factory) -> str:
    """On the processes of the command of this project."""
    return f"{factory.project_id}.notify"


def notify(factory: Factory) -> None:
    """Tell what happens until the worker stops, and then, in a few seconds, what is left."""
    kill_marked(marker_of(factory))
    ways = ways_of(factory.settings, marker_of(factory), os.environ, factory.containment.how)
    outbox.begin(factory.store)
    _forget_untold(factory)
    looked = -CONDITIONS_S
    while not factory.stop.is_set():
        conditions = factory.clock.monotonic() - looked >= CONDITIONS_S
        looked = factory.clock.monotonic() if conditions else looked
        gather(factory, ways, conditions=conditions)
        deliver(factory, ways, factory.stop.is_set)
        factory.stop.wait(LOOK_S)
    gather(factory, ways, conditions=False)
    ends = factory.clock.monotonic() + LAST_S
    last = tuple(way.within(LAST_S / 2) for way in ways)
    deliver(factory, last, lambda: factory.clock.monotonic() > ends)


def _forget_untold(factory: Factory) -> None:
    """What lasted while no worker lived begins anew: nothing could move then."""
    box = outbox.read(factory.store)
    box.standing = {key: since for key, since in box.standing.items() if key in box.told}
    outbox.keep(factory.store, box)


def gather(factory: Factory, ways: tuple[Way, ...], *, conditions: bool) -> None:
    """Put what is new into the outbox; one transaction with the place in the news.

    Args:
        conditions: whether to look at what lasts, too.
    """
    store, wanted = factory.store, factory.settings.raw["notify"]["on"]
    place, box = news.place_of(store, outbox.NAME), outbox.read(store)
    before = outbox.read(store)
    items = news.look(store, place)
    found = [_of_plan(factory, item) for item in items if isinstance(item, PlanNews) and item.state in _ENDS]
    if conditions:
        found += _of_conditions(factory, box)
    for message in found:
        if message.event in wanted:
            box.put(Letter(message.id, message.to_json(), [way.name for way in ways]))
    if items or box != before:
        outbox.keep(store, box, place)


def deliver(factory: Factory, ways: tuple[Way, ...], stop: Callable[[], bool]) -> int:
    """Send what is due, the oldest first, until ``stop`` says so; returns how many have gone all their ways."""
    box, gone = outbox.read(factory.store), 0
    for letter in list(box.letters):
        # a clock that was set back makes nothing wait longer than it could have waited
        if letter.due > factory.clock.now() and letter.due <= factory.clock.now() + LONGEST_PAUSE_S:
            continue
        if stop():
            break
        try:
            gone += _send(factory, box, letter, ways, stop)
        except Interrupted:
            break
        outbox.keep(factory.store, box)
    return gone


def _send(factory: Factory, box: Outbox, letter: Letter, ways: tuple[Way, ...], stop: Callable[[], bool]) -> bool:
    """One try of a message on each way that it has not gone; True when it has gone all of them."""
    for way in ways:
        if way.name not in letter.ways:
            continue
        sent = way.send(letter.document, stop)
        if sent.problem:
            if way.name not in box.problem:
                log.warning("notify: the %s %s; LAO goes on and tries again", way.name, sent.problem)
            box.problem[way.name] = sent.problem
            continue
        letter.ways.remove(way.name)
        box.problem.pop(way.name, None)
    known = {way.name for way in ways}
    if not known.intersection(letter.ways):
        box.letters.remove(letter)
        box.sent, box.last_at = box.sent + 1, factory.clock.now()
        return True
    letter.tries += 1
    letter.due = factory.clock.now() + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (letter.tries - 1))
    if letter.tries >= TRIES:
        box.letters.remove(letter)
        box.lost += 1
    return False


def _of_plan(factory: Factory, item: PlanNews) -> Message:
    event = _ENDS[item.state]
    counts = {"total": 0}
    for task in plans.tasks_of(factory.store, item.id):
        counts["total"] += 1
        counts[task.state.value] = counts.get(task.state.value, 0) + 1
    report = factory.settings.paths.state_dir / "reports" / item.id / "LAO_QUALITY.md"
    return Message(
        id=f"{event} {item.id} {item.at!r}",
        event=event,
        project=str(factory.settings.paths.root),
        state=item.state.value,
        reason=cut(item.reason),
        next=_NEXT[event].format(id=item.id),
        at=item.at,
        plan_id=item.id,
        plan=item.name,
        counts=counts,
        report=str(report) if report.is_file() else "",
    )


def _of_conditions(factory: Factory, box: Outbox) -> list[Message]:
    """Messages about what has lasted long enough and was not told; what is over may be told again."""
    now = factory.clock.now()
    lasting = {message.id: (message, after, since) for message, after, since in _lasting(factory, box.told)}
    before = box.standing
    # not later than now: somebody may have set the clock back
    box.standing = {key: min(now, max(before.get(key, now), since)) for key, (_, _, since) in lasting.items()}
    box.told = [key for key in box.told if box.standing.get(key) == before.get(key, now)]
    found = []
    for key, (message, after, _) in lasting.items():
        if key not in box.told and now - box.standing[key] >= after:
            box.told.append(key)
            # it may come again, and is another message then
            found.append(Message(**{**vars(message), "id": f"{key} {box.standing[key]!r}"}))
    return found


def _lasting(factory: Factory, told: list[str]) -> Iterator[tuple[Message, float, float]]:
    """What is the case now, each with the seconds that it must last to be told, and since when it can count at most."""
    section, root, now = factory.settings.raw["notify"], factory.settings.paths.root, factory.clock.now()

    def message(key: str, event: str, state: str, reason: str, after: str) -> Message:
        return Message(key, event, str(root), state, cut(reason), after, now)

    gate = queries.gate_view(factory.store)
    work = progress.standing(factory.store, pace(factory.store))
    if gate and gate["shut"] and not work.idle and work.paused is None:  # also while what waits tries it again
        text = f"{gate['role']} waits for {gate['model']}: {gate['text']} {gate['hint']}".strip()
        yield message("gate_stuck", "gate_stuck", "shut", text, "lao status"), 60 * section["gate_stuck_min"], 0.0
    folder, least = factory.settings.paths.state_dir, section["disk_low_mb"]
    least = 2 * factory.settings.orchestration.min_free_disk_mb if least is None else least
    free = space.free_mb(folder)
    if free < least * (1.25 if "disk_low" in told else 1):  # not again for every megabyte that comes and goes
        text = f"{free:.0f} MB free in {str(folder)!r}, {least:.0f} MB wanted"
        yield message("disk_low", "disk_low", "low", text, "lao doctor"), 0.0, 0.0
    questions = approvals.waiting(factory.store)
    for one in questions:
        text = f"may {one.tool} be run? {one.reason}"
        yield message(f"question {one.id}", "question", "waiting", text, f"lao approve {one.id}"), 0.0, 0.0
    if not (work.idle or questions or work.paused is not None):
        least_s = 60 * section["stalled_min"]
        text = f"nothing has moved for {section['stalled_min']:g} minutes, though there is work"
        moved = progress.last_movement(factory.store)
        yield message("stalled", "stalled", "stalled", text, "lao status"), least_s, moved
