"""The table of commands, and the group that imports a command only when it is called. Runs nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from lao.cli.global_options import attach


@dataclass(frozen=True)
class Entry:
    """One command: where it lives (``module:attribute``) and its line in the help."""

    target: str
    help: str
    hidden: bool = False


COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "init": Entry("lao.cli.init_cmd:command", "Set up a project in this folder."),
        "demo": Entry("lao.cli.demo_cmd:command", "Run the whole pipeline on a small plan, without a model server."),
        "benchmark": Entry("lao.cli.benchmark_cmd:command", "Measure LAO end to end, simulated or with your models."),
        "config": Entry("lao.cli.config_cmd:command", "Show the effective settings and where they come from."),
        "configure-models": Entry(
            "lao.cli.configure_models_cmd:command", "Choose the model of each role from the server's."
        ),
        "health": Entry(
            "lao.cli.health_cmd:command", "Check the model server, the configured models, the MCP servers."
        ),
        "hooks": Entry("lao.cli.hooks_cmd:command", "List the hooks of this project, or try them."),
        "notify": Entry("lao.cli.notify_cmd:command", "Try the messages that this project sends to you."),
        "calibrate": Entry("lao.cli.calibrate_cmd:command", "Measure what the models can do, and keep it."),
        "index": Entry("lao.cli.index_cmd:command", "Bring the search index of a folder up to date."),
        "preflight": Entry("lao.cli.preflight_cmd:command", "Look at a plan before it is worked on, without a model."),
        "submit": Entry("lao.cli.submit_cmd:command", "Queue a plan and print its id."),
        "run": Entry("lao.cli.run_cmd:command", "Watch the plans folder and work on what is queued."),
        "pilot": Entry("lao.cli.pilot_cmd:command", "Talk with the factory: ask, steer, plan."),
        "worker": Entry("lao.cli.worker_cmd:command", "Run the plain workers, or print their commands."),
        "stop": Entry("lao.cli.stop_cmd:command", "End the workers of this project."),
        "pause": Entry("lao.cli.pause_cmd:pause", "Begin nothing new, of a plan or of all."),
        "resume": Entry("lao.cli.pause_cmd:resume", "Go on after a pause."),
        "cancel": Entry("lao.cli.cancel_cmd:command", "End a plan, or a task and what needs it."),
        "replay": Entry("lao.cli.replay_cmd:command", "Try a task that is over again, from one of its phases."),
        "permissions": Entry("lao.cli.permissions_cmd:command", "Say what models may do, and why."),
        "approvals": Entry("lao.cli.approvals_cmd:listing", "List the questions of models that wait for a person."),
        "approve": Entry("lao.cli.approvals_cmd:approve", "Say yes to a question."),
        "deny": Entry("lao.cli.approvals_cmd:deny", "Say no to a question."),
        "status": Entry("lao.cli.status_cmd:command", "Show plans, tasks, queue and tokens."),
        "report": Entry("lao.cli.report_cmd:command", "Tell what a plan, or the night, came to, and on what it rests."),
        "logs": Entry("lao.cli.logs_cmd:command", "Show what happened, of all, a plan, a task or a run."),
        "diff": Entry("lao.cli.diff_cmd:command", "Show what a plan or a task changed, and what proves it."),
        "accept": Entry("lao.cli.judge_cmd:accept", "Say that you take a finished plan."),
        "reject": Entry("lao.cli.judge_cmd:reject", "Say that you do not, and on request take its commits back."),
        "kpi": Entry("lao.cli.kpi_cmd:command", "Show how well the factory has worked, beside the time before."),
        "dashboard": Entry("lao.cli.dashboard_cmd:command", "Watch the project live; --serve: as a web page."),
        "doctor": Entry("lao.cli.doctor_cmd:command", "Look over the project; --durability tries this disk."),
        "projects": Entry("lao.cli.projects_cmd:command", "List your projects, find more, see what they need."),
        "skills": Entry("lao.cli.skills_cmd:command", "List, show and validate skills."),
        "memory": Entry("lao.cli.memory_cmd:command", "Show and change what LAO remembers."),
        "restore": Entry("lao.cli.restore_cmd:command", "Put a backup of the state in its place."),
        "mcp": Entry("lao.cli.mcp_cmd:group", "MCP servers: what is configured, and whether it works."),
        "mcp-server": Entry("lao.cli.mcp_server_cmd:command", "Serve this project to other agents over MCP."),
        "retry-failed": Entry("lao.cli.retry_failed_cmd:command", "Queue failed tasks again."),
        "reset-failed": Entry("lao.cli.retry_failed_cmd:command", "Old name of retry-failed.", hidden=True),
    }
)


class LazyGroup(click.Group):
    """A group whose commands are in a table and imported when called; help needs none of them."""

    def __init__(self, *, table: Mapping[str, Entry], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        entry = self._table.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return attach(command, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._table and not args[0].startswith("-"):
            raise click.UsageError(self._unknown(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def _unknown(self, name: str) -> str:
        import difflib

        visible = [known for known, entry in self._table.items() if not entry.hidden]
        matches = difflib.get_close_matches(name, visible, n=1, cutoff=0.5)
        advice = f"Did you mean {matches[0]!r}?" if matches else "`lao --help` lists the commands."
        return f"No command {name!r}. {advice}"

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        rows = [(name, entry.help) for name, entry in self._table.items() if not entry.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
