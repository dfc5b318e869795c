"""``lao notify``: sends a sample of a message to a person, and says what came of it."""

from __future__ import annotations

import os
import sys
import time

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import here
from lao.core.errors import BadInput

WRONG = 1
"""Exit status when a way did not take the sample."""


@click.group("notify")
def command() -> None:
    """Try the messages that this project sends to you."""


@command.command("test")
@click.option("--event", default="plan_done", metavar="EVENT", help="The event of the sample (default plan_done).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the message, and what came of each way.")
@pass_session
def test(session: Session, event: str, as_json: bool) -> None:
    """Send a sample by each way that notify names, once. Exit status 1 when one did not take it."""
    from lao.durable.containment import choose
    from lao.notify.message import EVENTS, sample
    from lao.notify.ways import try_each, ways_of

    if event not in EVENTS:
        raise BadInput(f"there is no event {event!r}", f"one of: {', '.join(EVENTS)}")
    settings = session.settings()
    ways = ways_of(settings, f"notify-test.{os.getpid()}", os.environ, choose(settings.sandbox.backend))
    if not ways:
        raise BadInput(
            "notify names neither a command nor a webhook",
            "set notify.command or notify.webhook in factory.yaml (docs/notifications.md)",
        )
    message = sample(event, str(settings.paths.root), time.time())
    found = try_each(ways, message.to_json())
    told = event in settings.raw["notify"]["on"]
    if as_json:
        ways_view = [{**vars(one), "ok": not one.problem} for one in found]
        emit_json({"event": event, "on": told, "message": message.view(), "ways": ways_view})
    else:
        look = here()
        for one in found:
            words = one.problem or f"taken in {one.seconds:.1f} s{f': {one.said}' if one.said else ''}"
            emit(look.plain(f"{look.mark('fail' if one.problem else 'ok')} {one.way}: {words}"))
        if not told:
            emit(look.plain(f"{look.mark('warn')} {event} is not among notify.on: it is sent by this command only"))
    sys.exit(WRONG if any(one.problem for one in found) else 0)
