"""The command line's front door: ``main`` runs a command and turns every error into a message and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import click

from lao import __version__
from lao.cli.commands import COMMANDS, Entry, LazyGroup
from lao.cli.context import Session, emit_json, say
from lao.cli.global_options import GLOBAL_OPTIONS
from lao.core.errors import DiskFull, LaoError
from lao.durable import limits

FAILED = 1
INTERRUPTED = 130
_TOP_HELP = "A local coding factory for one GPU: Markdown plans in, tested and reviewed commits out."


def main(argv: Sequence[str] | None = None, *, table: Mapping[str, Entry] = COMMANDS) -> int:
    """Run one command line and return its exit code: 0, 1, 2, 3, 4, 42 or 130 (``lao.core.errors`` says which)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _print_what_the_terminal_cannot()
    try:
        code = _run(arguments, table)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return FAILED
    except click.ClickException as error:
        return _usage(error, arguments)
    except (KeyboardInterrupt, click.Abort):
        say("lao: interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the border of the program: no traceback reaches the user
        return _failed(_as_lao_error(error), error, arguments)
    return code


def group(table: Mapping[str, Entry] = COMMANDS) -> click.Group:
    """The ``lao`` command with a table of subcommands."""
    return LazyGroup(
        name="lao",
        table=table,
        callback=_home,
        help=_TOP_HELP,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        params=[_version_option(), *(option.build() for option in GLOBAL_OPTIONS)],
        epilog="Options can be given before or after the command.",
    )


def _run(arguments: list[str], table: Mapping[str, Entry]) -> int:
    try:
        result = group(table).main(arguments, prog_name="lao", standalone_mode=False, obj=Session())
    except SystemExit as stop:  # click's own way out of a broken pipe
        return stop.code if isinstance(stop.code, int) else FAILED
    return result if isinstance(result, int) else 0


@click.pass_context
def _home(ctx: click.Context) -> int | None:
    """What ``lao`` without a command does: on a terminal the home, elsewhere the help."""
    if ctx.invoked_subcommand is not None:
        return None
    if all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        from lao.cli.home import home

        return home(ctx)
    click.echo(ctx.get_help())
    return None


def _version_option() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(f"lao {__version__}")
            ctx.exit()

    names = ["-v", "--version"]
    text = "Print the version and exit."
    return click.Option(names, is_flag=True, is_eager=True, expose_value=False, help=text, callback=show)


def _usage(error: click.ClickException, arguments: list[str]) -> int:
    if _wants_json(arguments):
        _emit_error("UsageError", error.format_message(), "", error.exit_code)
    error.show()
    return error.exit_code


def _as_lao_error(error: Exception) -> LaoError:
    if isinstance(error, LaoError):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        place = f" (writing {str(error.filename)!r})" if error.filename else ""
        return DiskFull(
            f"no space left on the disk{place}", "Free some space and run the command again; nothing is lost."
        )
    if (short := limits.told(error)) is not None:
        return short
    return LaoError(f"internal error: {type(error).__name__}: {error}", "run again with LAO_DEBUG=1 for the traceback")


def _failed(shown: LaoError, error: Exception, arguments: list[str]) -> int:
    if os.environ.get("LAO_DEBUG"):
        import traceback

        say("".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip())
    if _wants_json(arguments):
        kind = type(shown).__name__ if shown is error or isinstance(shown, DiskFull) else type(error).__name__
        _emit_error(kind, shown.message, shown.hint, shown.exit_code)
    say(f"lao: {shown}")
    return shown.exit_code


def _emit_error(kind: str, message: str, hint: str, exit_code: int) -> None:
    with suppress(BrokenPipeError):
        emit_json({"error": {"kind": kind, "message": message, "hint": hint, "exit_code": exit_code}})


def _wants_json(arguments: list[str]) -> bool:
    before_dashes = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before_dashes


def _print_what_the_terminal_cannot() -> None:
    """A character outside the terminal's encoding is escaped instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower().replace("-", "") != "utf8":
        sys.stdout.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Nobody reads any more; without this Python complains once more when it closes stdout."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
