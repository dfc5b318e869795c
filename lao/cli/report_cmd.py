"""``lao report``: what a plan or the night came to; checks report files against the state and migrates old ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project, path_of
from lao.core.errors import BadInput, LaoError

if TYPE_CHECKING:
    from lao.reports.check import Checked
    from lao.reports.model import NightReport, PlanReport
    from lao.state.records import Plan
    from workflows.factory import Factory

BAD, MISSING = 42, 1


class ReportGroup(click.Group):
    """A group whose first word may as well be a plan: then it is ``show``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("report", cls=ReportGroup)
def command() -> None:
    """Tell what a plan, or the night, came to. `lao report [PLAN]` is `lao report show [PLAN]`."""


@command.command("show")
@click.argument("plan", required=False)
@click.option("--night", is_flag=True, help="All plans of the last night (as without PLAN).")
@click.option("--since", metavar="WHEN", help="Where the night begins: 8h, 2d, 22:30, 2026-11-23 or 2026-11-23T22:30.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option("--html", is_flag=True, help="Write one self-contained page, and print its path.")
@click.option("--open", "open_it", is_flag=True, help="Write the page and open it in the browser.")
@click.option("--all", "every", is_flag=True, help="All findings, also beyond the first 200.")
@pass_session
def show(session: Session, /, plan: str | None, since: str | None, **flags: bool) -> None:
    """The report of PLAN (name, id or file), or of the night: everything since the workers last had nothing to do for
    four hours, at most a day."""
    formats = [name for name in ("as_json", "markdown", "html") if flags[name]]
    if len(formats) > 1:
        raise click.UsageError("choose one of --json, --markdown and --html")
    if plan is not None and (flags["night"] or since is not None):
        raise click.UsageError("a plan's report is about all of it: --night and --since go without PLAN")
    if not session.settings().paths.database.exists():
        if plan is not None:
            raise BadInput(f"no plan {plan!r}", "there is no plan yet: 'lao submit PLAN' hands one in")
        _nothing(as_json=flags["as_json"])
        return
    with open_project(session, whole=False) as factory:
        if plan is None:
            _show_night(factory, since, flags)
        else:
            from lao.state import references

            _show_plan(factory, references.find_plan(factory.store, plan, path_of(session, plan)), flags)


@command.command("check")
@click.argument("plan", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="This report: .json, .md or .html.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def check(session: Session, plan: str | None, file: Path | None, as_json: bool) -> None:
    """Resolve every statement of a report against the state and git, and count its figures again: of PLAN, of a file,
    or of all plans that are over. Exit status 1: a report is missing, 42: something in it is not so."""
    if plan is not None and file is not None:
        raise click.UsageError("give a plan or --file")
    _require_state(session)
    with open_project(session, whole=False) as factory:
        places = [_absolute(session, file)] if file is not None else _places(session, factory, plan)
        found, problems = _check_all(factory, places, alone=file is not None)
    if as_json:
        emit_json({"ok": not problems, "files": [_checked_json(one) for one in found], "problems": problems})
    else:
        from lao.cli.report_view import print_checked

        print_checked(found, problems)
    if problems:
        sys.exit(BAD if any(one["exit_code"] == BAD for one in problems) else MISSING)


@command.command("migrate")
@click.option("--file", "file", type=click.Path(path_type=Path), required=False, help="A quality_report.json.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def migrate(session: Session, file: Path | None, as_json: bool) -> None:
    """Lift a quality_report.json of LAO 3.1 to today's version; the old one is kept beside it."""
    from lao.reports import check as checking
    from lao.reports import versions
    from lao.reports.model import SCHEMA_VERSION

    place = _absolute(session, file or Path("quality_report.json"))
    text = checking.read_text(place)
    kept = versions.migrate(place, checking.load_json(place, text), text)
    if as_json:
        emit_json({"file": str(place), "migrated": kept is not None, "kept": None if kept is None else str(kept)})
    elif kept is None:
        emit(f"{place} is of version {SCHEMA_VERSION} already")
    else:
        emit(f"{place} is of version {SCHEMA_VERSION} now; the old one is {kept}")


def _nothing(*, as_json: bool) -> None:
    if as_json:
        emit_json({"schema_version": None, "plans": [], "headline": []})
    else:
        emit("no plans yet: drop a Markdown file into the plans folder, or 'lao submit PLAN'")


def _show_plan(factory: Factory, plan: Plan, flags: dict[str, bool]) -> None:
    from lao.reports import quality
    from lao.reports.markdown import plan_markdown
    from lao.reports.plans import FINDINGS
    from lao.reports.read import plan_report
    from workflows import reporting

    report = plan_report(factory.store, plan.id, findings=None if flags["every"] else FINDINGS)
    if report.over:
        reporting.write(factory, plan.id)
    if flags["as_json"]:
        emit_json(quality.document(report))
    elif flags["markdown"]:
        emit(plan_markdown(report).rstrip("\n"))
    elif flags["html"] or flags["open_it"]:
        _page(factory, _plan_page(report), f"{plan.id}/report.html", open_it=flags["open_it"])
    else:
        from lao.cli.report_view import print_plan

        print_plan(report, factory.settings.paths.state_dir, every=flags["every"])


def _show_night(factory: Factory, since: str | None, flags: dict[str, bool]) -> None:
    from lao.cli.moments import moment
    from lao.reports.markdown import night_markdown
    from lao.reports.read import last_night, night_report

    now = factory.store.now()
    begin = last_night(factory.store) if since is None else moment(since, now)
    night = night_report(factory.store, begin, now)
    if flags["as_json"]:
        emit_json(night.to_json())
    elif flags["markdown"]:
        emit(night_markdown(night).rstrip("\n"))
    elif flags["html"] or flags["open_it"]:
        _page(factory, _night_page(night), "night.html", open_it=flags["open_it"])
    else:
        from lao.cli.report_view import print_night

        print_night(night)


def _plan_page(report: PlanReport) -> str:
    from lao.reports.html import plan_page
    from lao.reports.patches import patches

    return plan_page(report, patches(report))


def _night_page(night: NightReport) -> str:
    from lao.reports.html import night_page

    return night_page(night)


def _page(factory: Factory, text: str, name: str, *, open_it: bool) -> None:
    """Write the page beside the copies of the reports and say where it is."""
    from lao.durable.files import write_atomic

    place = factory.settings.paths.state_dir / "reports" / name
    try:
        write_atomic(place, text)
    except OSError as error:
        raise LaoError(f"the page {str(place)!r} cannot be written ({error})", "see to its folder") from error
    emit(str(place))
    if open_it and click.launch(place.as_uri()) != 0:
        raise LaoError(f"no browser opened {str(place)!r}", "open the file yourself")


def _require_state(session: Session) -> None:
    if not session.settings().paths.database.exists():
        raise BadInput("there is no state here to check a report against", "run it in the project's folder")


def _absolute(session: Session, file: Path) -> Path:
    return (session.cwd or Path.cwd()) / file.expanduser()


def _places(session: Session, factory: Factory, reference: str | None) -> list[Path]:
    """The report files of a plan, or of all plans that are over."""
    from lao.reports import files
    from lao.state import references, report_plans

    wanted = None
    if reference is not None:
        wanted = references.find_plan(factory.store, reference, path_of(session, reference)).id
    over = report_plans.plans_over(factory.store, wanted)
    if wanted is not None and not over:
        raise BadInput(f"plan {reference!r} is not over, so it has no report yet", f"'lao report {wanted}' shows it")
    state_dir = factory.settings.paths.state_dir
    found = [place for plan in over for place in files.places(state_dir, plan.workspace, plan.id)]
    return list(dict.fromkeys(found))


def _check_all(factory: Factory, places: list[Path], *, alone: bool) -> tuple[list[Checked], list[dict[str, Any]]]:
    """What came of each file, and every problem with its file and place; ``alone``: an error of the only one is the
    command's."""
    from lao.reports.check import check_file

    found: list[Checked] = []
    problems: list[dict[str, Any]] = []
    for place in places:
        try:
            checked = check_file(factory.store, place)
        except LaoError as error:
            if alone:
                raise
            said = {"file": str(place), "place": "", "problem": error.message, "exit_code": error.exit_code}
            problems.append(said)
            continue
        found.append(checked)
        for where, problem in checked.problems:
            problems.append({"file": str(place), "place": where, "problem": problem, "exit_code": BAD})
    return found, problems


def _checked_json(one: Checked) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "statements": one.statements,
        "references": one.references,
        "problems": len(one.problems),
        "note": one.note,
    }
