"""``lao doctor``: looks the project over, group by group, and changes nothing but with ``--repair``.

What is looked at is in ``doctor/``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.doctor.groups import GROUPS
from lao.cli.doctor.rows import Check, Group, worst
from lao.cli.look import here

UNHEALTHY = 1

DURABILITY: Final = Group("durability", "Durability", "lao.cli.doctor.durability:examine", {})

Found = Sequence[tuple[Group, Sequence[Check]]]


@click.command(help="Look the project over; exits with 1 when something fails.")
@click.option("--durability", is_flag=True, help="Kill writers and tear files on this disk for some 20 seconds.")
@click.option("--seed", "trial_seed", type=int, help="With --durability: repeat the random choices of another run.")
@click.option("--repair", is_flag=True, help="First forget the unreadable messages of the queue that were kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, durability: bool, trial_seed: int | None, repair: bool, as_json: bool) -> None:
    if repair and durability:
        raise click.UsageError("--repair does not go with --durability")
    forgotten = _forget_letters(session) if repair else ()
    if durability:
        from lao.cli.doctor.durability import examine as try_disk

        found: Found = [(DURABILITY, try_disk(session, trial_seed))]
    else:
        from lao.cli.doctor.frame import examine
        from lao.cli.doctor.scene import Scene

        found = [(group, rows) for group, rows in examine(Scene(session), GROUPS) if rows]
    verdict = worst(check.level for _, checks in found for check in checks)
    if as_json:
        groups = [_view(*group) for group in found]
        emit_json({"ok": verdict != "fail", "verdict": verdict, "groups": groups, "repaired": list(forgotten)})
    else:
        for line in forgotten:
            emit(here().clean(line))
        for group, checks in found:
            _print(group.title, checks)
    sys.exit(UNHEALTHY if verdict == "fail" else 0)


def _forget_letters(session: Session) -> tuple[str, ...]:
    """Forget the dead letters of the state, if there is one; returns a line for each.

    Raises:
        LaoError: the state cannot be opened.
    """
    from lao.cli.project import open_project, since
    from lao.state import ledger

    if not session.settings().paths.database.exists():
        return ()
    with open_project(session) as factory:
        gone = ledger.forget_dead_letters(factory.store)
    return tuple(f"forgot a message on {queue} at {since(at)}: {error[:200]}" for queue, error, at in gone)


def _view(group: Group, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "group": group.title,
        "verdict": worst(check.level for check in checks),
        "checks": [{"id": f"{group.id}.{check.name}", **asdict(check)} for check in checks],
    }


def _print(title: str, checks: Sequence[Check]) -> None:
    look = here()
    level = worst(check.level for check in checks)
    emit(f"{look.paint(title, 'strong')}: {look.word(level)}")
    for check in checks:
        emit(f"  {look.mark(check.level)} {look.clean(f'{check.name}: {check.text}')}")
        if check.remedy:
            emit(f"      {look.mark('remedy')} {look.clean(check.remedy)}")
