"""``lao doctor``: looks the project over, group by group, and changes nothing. Each group has a module of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Final, Literal

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import here

Level = Literal["ok", "warn", "fail"]
UNHEALTHY = 1


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: short and stable, for scripts (``"integrity"``).
        remedy: what to do about it, "" when nothing is to be done.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""


GROUPS: Final[Sequence[tuple[str, str]]] = (
    ("State", "lao.cli.doctor_state:examine"),
    ("Commands", "lao.cli.doctor_commands:examine"),
    ("MCP", "lao.cli.doctor_mcp:examine"),
    ("Notifications", "lao.cli.doctor_notify:examine"),
)
"""Title and ``module:function`` of each group; the function takes the session and returns its checks."""


@click.command(help="Look the project over; exits with 1 when something fails.")
@click.option("--durability", is_flag=True, help="Kill writers and tear files on this disk for some 20 seconds.")
@click.option("--seed", "trial_seed", type=int, help="With --durability: repeat the random choices of another run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, durability: bool, trial_seed: int | None, as_json: bool) -> None:
    if durability:
        from lao.cli.doctor_durability import examine as try_disk

        groups: list[tuple[str, Sequence[Check]]] = [("Durability", try_disk(session, trial_seed))]
    else:
        groups = [(title, _load(target)(session)) for title, target in GROUPS]
    worst = _worst(check.level for _, checks in groups for check in checks)
    if as_json:
        emit_json({"ok": worst != "fail", "verdict": worst, "groups": [_view(*group) for group in groups]})
    else:
        for title, checks in groups:
            if checks:
                _print(title, checks)
    sys.exit(UNHEALTHY if worst == "fail" else 0)


def _load(target: str) -> Callable[[Session], Sequence[Check]]:
    module, _, name = target.partition(":")
    function: Callable[[Session], Sequence[Check]] = getattr(import_module(module), name)
    return function


def _worst(levels: Any) -> Level:
    found = set(levels)
    return "fail" if "fail" in found else "warn" if "warn" in found else "ok"


def _view(title: str, checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "group": title,
        "verdict": _worst(check.level for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _print(title: str, checks: Sequence[Check]) -> None:
    look = here()
    worst = _worst(check.level for check in checks)
    emit(f"{look.paint(title, 'strong')}: {look.word(worst)}")
    for check in checks:
        emit(look.plain(f"  {look.mark(check.level)} {check.name}: {check.text}"))
        if check.remedy:
            emit(look.plain(f"      {look.mark('remedy')} {check.remedy}"))
