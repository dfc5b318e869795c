"""The options that every command takes, before or after its name. Listed here once; knows no command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import click
from click.core import ParameterSource

from lao.cli.context import Session


@dataclass(frozen=True)
class GlobalOption:
    """One option.

    Attributes:
        name: with its dashes; ``key`` in ``Session.flags`` is the same with underscores.
        type: the click type of the value, or None for a switch.
        shown_in: commands whose own help lists it; elsewhere it is accepted and not repeated.
        setting: it changes a setting, so worker processes get it too.
    """

    name: str
    help: str
    type: Any = None
    metavar: str | None = None
    shown_in: tuple[str, ...] = ()
    setting: bool = True

    @property
    def key(self) -> str:
        return self.name.lstrip("-").replace("-", "_")

    def build(self, *, hidden: bool = False) -> click.Option:
        """A click option that stores its value in the session and passes nothing to the command."""
        value: dict[str, Any] = {"is_flag": True, "default": None} if self.type is None else {"type": self.type}
        return click.Option(
            (self.name, f"global_{self.key}"),
            help=self.help,
            metavar=self.metavar,
            hidden=hidden,
            expose_value=False,
            callback=_store,
            **value,
        )


def _store(ctx: click.Context, param: click.Parameter, value: object) -> None:
    name = str(param.name)
    if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        ctx.ensure_object(Session).flags[name.removeprefix("global_")] = value


def _option(name: str, help_text: str, value: Any = None, metavar: str | None = None, **more: Any) -> GlobalOption:
    return GlobalOption(name, help_text, value, metavar, **more)


_MODES: Final = ("auto", "confirm", "accept_edits", "plan_only", "dont_ask", "bypass", "default", "manual",
                "acceptEdits", "plan", "dontAsk", "bypassPermissions")  # fmt: skip

_RUN: Final[Mapping[str, Any]] = MappingProxyType({"shown_in": ("run",), "setting": False})
_PLAN: Final[Mapping[str, Any]] = MappingProxyType({"shown_in": ("run", "preflight"), "setting": False})

GLOBAL_OPTIONS: Final[Sequence[GlobalOption]] = (
    _option("--config", "Configuration file (default: ./factory.yaml if present).", str, "PATH"),
    _option("--lm-studio-url", "Address of the model server.", str, "URL"),
    _option("--ram-gb", "Memory of the machine in GB.", float, "N"),
    _option("--workspace", "Workspace of work that belongs to no plan.", str, "DIR"),
    _option("--plans-dir", "Folder with plans.", str, "DIR"),
    _option("--db", "State database.", str, "PATH"),
    _option("--planner-model", "Model key of the planner.", str, "KEY"),
    _option("--coder-model", "Model key of the coder.", str, "KEY"),
    _option("--reviewer-model", "Model key of the reviewer.", str, "KEY"),
    _option("--embedder-model", "Model key of the embedder.", str, "KEY"),
    _option("--pilot-model", "Model key of the Pilot.", str, "KEY"),
    _option("--analyst-model", "Model key of the analyst.", str, "KEY"),
    _option("--plan", "run: work on this plan only; preflight: look at it.", str, "PATH", **_PLAN),
    _option("--single-run", "run: end when the queue is idle.", **_RUN),
    _option("--plain", "run: plain log lines instead of the live view.", **_RUN),
    _option("--no-pilot", "run: no Pilot when the queue is idle.", shown_in=("run",)),
    _option("--pilot-only", "run: the Pilot at once.", **_RUN),
    _option("--no-git", "No commits."),
    _option("--no-analyst", "No survey before planning."),
    _option("--phase-gated", "Work in waves by role."),
    _option("--batch-size", "Coder tasks in one wave.", int, "N"),
    _option("--max-context-utilization", "Part of the context that a prompt may fill, 0 to 1.", float, "RATIO"),
    _option("--quality-gate", "How findings block.", click.Choice(["strict", "standard", "off"])),
    _option(
        "--permission-mode",
        "What models may do with tools.",
        click.Choice(_MODES),
    ),
    _option("--seed", "Sampling seed of every role.", int, "N"),
    _option("--output-style", "How the Pilot words its answers.", click.Choice(["terse", "narrative", "json"])),
)


def attach(command: click.Command, name: str) -> click.Command:
    """Let a command, and every command of a group, take the global options after its name.

    An option that the command defines itself stays the command's.
    """
    own = {opt for param in command.params for opt in param.opts}
    for option in GLOBAL_OPTIONS:
        if option.name not in own:
            command.params.append(option.build(hidden=name not in option.shown_in))
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            attach(child, child_name)
    if command.epilog is None:
        command.epilog = "Every option of `lao --help` can be given here, too."
    return command
