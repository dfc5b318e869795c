"""``lao benchmark``: end-to-end scenarios on the simulated server, or exercises on the user's; report and history."""

from __future__ import annotations

import difflib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.look import here
from lao.cli.place import check_folder
from lao.cli.project import SOME_FAILED

if TYPE_CHECKING:
    from lao.cli.benchmark.records import Run
    from lao.cli.benchmark.trials import Result
    from lao.config.settings import Settings

SIMULATED, LIVE = "simulated", "live"
DEFAULT_MINUTES: Final = 10.0

_HELP = """Measure LAO end to end: real runs in projects that are thrown away, on a simulated model server.

With --live it gives small Python tasks to the models of your server instead. benchmark_report.json and
benchmark_history.json are written beside factory.yaml. Exit code 3: fewer passed than
orchestration.benchmark_min_pass_rate, or one that passed last time fails now, or work was falsely called done."""


@click.command(help=_HELP)
@click.option("--only", multiple=True, metavar="NAME", help="Only this one; may be given several times.")
@click.option("--list", "listing", is_flag=True, help="List the scenarios (with --live: the exercises) and end.")
@click.option("--live", is_flag=True, help="Exercises on the configured model server.")
@click.option(
    "--minutes", type=click.FloatRange(min=0.1), default=DEFAULT_MINUTES, show_default=True, help="For each exercise."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, only: tuple[str, ...], listing: bool, live: bool, minutes: float, as_json: bool) -> None:
    names = _chosen(_known(live), only)
    if listing:
        _list(names, as_json=as_json)
        return
    from lao.cli.benchmark import records

    settings = session.settings()
    check_folder(settings.paths.root)
    history = records.read_history(settings.paths.root / records.HISTORY, say)
    kind, models = SIMULATED, {}
    if live:
        from lao.cli.benchmark.live import models_of, require_server

        require_server(settings)
        kind, models = LIVE, models_of(settings)
    with _ending_by_signal():
        results = _live(settings, list(names), 60 * minutes, as_json) if live else _simulated(list(names), as_json)
    worse = records.regressions(results, history, kind, models)
    report = records.report(results, kind, models, worse)
    records.keep(settings.paths.root, report, history)
    limits = settings.orchestration
    failed = _verdict(report, limits.benchmark_min_pass_rate, limits.benchmark_fail_on_regression)
    if as_json:
        emit_json({**report, "verdict": failed or ["passed"]})
    else:
        _sum_up(report, failed, history, str(settings.paths.root / records.REPORT))
    sys.exit(SOME_FAILED if failed else 0)


def _known(live: bool) -> dict[str, str]:
    """What there is: sentences by name."""
    if live:
        from lao.cli.benchmark.live import exercises

        return {exercise.name: exercise.promise for exercise in exercises()}
    from lao.cli.benchmark.scenarios import SCENARIOS

    return {trial.name: trial.promise for trial in SCENARIOS}


def _chosen(known: dict[str, str], only: tuple[str, ...]) -> dict[str, str]:
    for name in only:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            advice = f"Did you mean {near[0]!r}?" if near else "'lao benchmark --list' lists them."
            raise click.UsageError(f"No scenario {name!r}. {advice}")
    return {name: text for name, text in known.items() if not only or name in only}


def _list(names: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        emit_json({"scenarios": [{"name": name, "promise": text} for name, text in names.items()]})
        return
    for name, text in names.items():
        emit(here().plain(f"{name:24} {text}"))


@contextmanager
def _ending_by_signal() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that what it has started and made is cleared away."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _simulated(names: list[str], as_json: bool) -> list[Result]:
    from lao.cli.benchmark.scenarios import SCENARIOS
    from lao.cli.benchmark.trials import carry_out

    results: list[Result] = []
    for trial in (trial for trial in SCENARIOS if trial.name in names):
        with _at_work(trial.name, len(results) + 1, len(names)):
            results.append(carry_out(trial))
        _tell(results[-1], as_json)
    return results


def _live(settings: Settings, names: list[str], limit_s: float, as_json: bool) -> list[Result]:
    from lao.cli.benchmark.live import exercises, school, sit

    results: list[Result] = []
    with school(settings, say) as shop:
        for exercise in (exercise for exercise in exercises() if exercise.name in names):
            with _at_work(exercise.name, len(results) + 1, len(names)):
                results.append(sit(exercise, shop, settings, limit_s))
            _tell(results[-1], as_json)
    return results


@contextmanager
def _at_work(name: str, number: int, of: int) -> Iterator[None]:
    """On a terminal a line says what is at work; it is gone when that is over."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    text = f"{here().mark('running')} {name} ({number} of {of})"
    if shown:
        click.echo(f"\r{text}", nl=False, err=True)
    try:
        yield
    finally:
        if shown:
            click.echo(f"\r{' ' * len(text)}\r", nl=False, err=True)


def _tell(result: Result, as_json: bool) -> None:
    look = here()
    mark = look.mark("ok" if result.passed else "fail")
    figures = result.figures
    told = f"{figures['calls']} calls"
    if "tokens" in figures:
        told += f", {figures['tokens']['prompt']} + {figures['tokens']['completion']} tokens"
    line = f"{mark} {result.name:24} {result.seconds:6.1f} s  {told}"
    write = say if as_json else emit
    write(line)
    if result.reason:
        write(f"    {look.clean(result.reason)}")


def _verdict(report: dict[str, Any], least: float, by_regression: bool) -> list[str]:
    """Why the benchmark has failed; empty when it has passed."""
    found = []
    if report["pass_rate"] < least:
        found.append(f"{100 * report['pass_rate']:.0f} % passed, benchmark_min_pass_rate wants {100 * least:.0f} %")
    if by_regression and report["regressions"]:
        found.append(f"passed last time: {', '.join(report['regressions'])}")
    false = [entry["name"] for entry in report["scenarios"] if entry.get("falsely_done")]
    if false:
        found.append(f"falsely done: {', '.join(false)}")
    return found


def _sum_up(report: dict[str, Any], failed: list[str], history: list[Run], where: str) -> None:
    look = here()
    passed = sum(entry["passed"] for entry in report["scenarios"])
    alike = [run for run in history if run.kind == report["kind"] and run.models == report["models"]]
    before = f"; {100 * alike[-1].pass_rate:.0f} % on {alike[-1].date[:10]}" if alike else ""
    emit(f"{passed} of {len(report['scenarios'])} passed in {report['seconds']:.0f} s{before}")
    for reason in failed:
        emit(look.line([("failed: ", "bad"), (reason, "")]))
    emit(look.plain(f"written to {where}"))
