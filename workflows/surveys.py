"""The survey of a plan's workspace between the phases: taken at ingest, kept in two files, told to the roles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lao.agents.analyst import survey_section
from lao.core.states import Phase, Role
from lao.core.steps import StepKind
from lao.core.words import CommandResult, Json
from lao.durable.files import FileWrite
from lao.state import runs, surveys
from lao.workspace.changes import ANALYST_STEP, SURVEY_STEP
from lao.workspace.survey.facts import Checked, survey
from lao.workspace.survey.page import MARK, is_own_report, page, report_text
from lao.workspace.traces import ANALYST_FILE, ANALYST_REPORT, own_files
from workflows.traces import commit
from workflows.work import Work

_LARGEST = 4 << 20
"""Bytes of a file that may be a report of LAO's."""

_LAO_MAKES = (".gitignore",)
"""Beside its own files: what LAO puts into a repository that it makes, which is no work of the user's."""


SURVEY, MODEL = SURVEY_STEP, ANALYST_STEP
"""What is kept: the survey as ingest takes it, and with a model's part."""

_SUBJECTS = {SURVEY: "survey of", MODEL: "what a model adds to the survey of"}


def taken(
    work: Work, commands: Sequence[tuple[str, str]], results: Sequence[CommandResult], dirty: Collection[str]
) -> dict[str, Json] | None:
    """The survey without a model, as a step; None where it is switched off or there is nothing to survey.

    What a model said of the same files before is part of it already.

    Args:
        commands: (kind, command line) of what checks the plan, and ``results`` how they stood.
        dirty: paths with changes of the user that are not committed.
    """
    if not work.factory.settings.orchestration.analyst_enabled:
        return None
    found = work.steps.run(StepKind.READ, "survey", lambda: _survey(work, commands, results, dirty))
    return found["survey"] or None


def _survey(
    work: Work, commands: Sequence[tuple[str, str]], results: Sequence[CommandResult], dirty: Collection[str]
) -> dict[str, Json]:
    plan, settings = work.plan, work.factory.settings
    hidden = work.hidden(plan.workspace)
    document = survey(
        plan.workspace,
        plan.text,
        commands=[Checked(kind, _short(c), r.passed) for (kind, c), r in zip(commands, results, strict=True)],
        dirty=[path for path in dirty if not hidden(path)],
        without=(*own_files(settings.git.plan_file_name), *_LAO_MAKES),
        hidden=hidden,
        marker=work.marker,
    )
    return {"survey": _with_known(work, document) if document else {}}


def _short(command: str) -> str:
    """Without this machine's path of Python, which is nobody's business in a report."""
    import shlex
    import sys

    return command.replace(shlex.quote(sys.executable), "python")


def _with_known(work: Work, document: dict[str, Json]) -> dict[str, Json]:
    """With what a model has said of the same files before."""
    models = {work.factory.settings.models[role].key for role in (Role.ANALYST, Role.PLANNER)}
    known = surveys.answered(work.factory.store, work.plan.workspace, document["report_meta"]["key"], models)
    if known is None:
        return document
    of_model = {
        name: [*document[name], *(said for said in known[name] if said["by"] == "model")]
        for name in ("integration_points", "risk_areas")
    }
    told = {**known["report_meta"]["model_part"], "status": "reused"}
    return {
        **document,
        **of_model,
        "report_meta": {**document["report_meta"], "model_part": told},
        "summary": known["summary"],
        "conventions": known["conventions"],
        "advice": known["advice"],
    }


def keep(work: Work, document: dict[str, Json], *, what: str) -> None:
    """Write and commit ``analyst_report.json`` and ``ANALYST.md``; a file of these names that is not LAO's stays."""
    contents = {ANALYST_REPORT: report_text(document), ANALYST_FILE: page(document)}
    folder, repository = work.plan.workspace, work.repository()
    free = work.steps.run(StepKind.READ, f"own:{what}", lambda: [name for name in contents if _is_free(folder, name)])
    for name in contents.keys() - set(free):
        work.factory.warn_once(f"{work.plan.name}: {name} is the user's own; the survey is not written there")
    if not free:
        return
    if repository is None:
        _write(work, free, contents)
        return
    with repository.exclusive():
        _write(work, free, contents)
        message = f"lao(analyst): {_SUBJECTS[what]} {folder.name}"
        commit(work, repository, message=message, what=what, paths=tuple(free))


def _write(work: Work, names: Sequence[str], contents: dict[str, str]) -> None:
    for name in names:
        work.steps.effect(f"write:{name}", FileWrite(work.plan.workspace, name, contents[name]))


def _is_free(folder: Path, name: str) -> bool:
    """Whether there is no file of this name, or one that LAO wrote."""
    path = folder / name
    if path.is_symlink():
        return False
    try:
        if not path.exists():
            return True
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return False
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.startswith(MARK) if name == ANALYST_FILE else is_own_report(text)


def is_open(document: dict[str, Json]) -> bool:
    """Whether no model has been asked yet about this survey."""
    return bool(document["report_meta"]["model_part"]["status"] == "not_asked")


def of_plan(work: Work) -> dict[str, Json] | None:
    """The newest survey of the plan: with a model's part where there is one; None without any."""
    store, plan = work.factory.store, work.plan.id
    found = runs.newest_result(store, plan, Phase.SURVEY, since=Phase.INGEST)
    found = found or runs.newest_result(store, plan, Phase.INGEST, since=Phase.INGEST)
    return found.get("survey") or None


def section(work: Work, role: Role) -> str:
    """What the role's prompts say of the survey; "" without one."""
    return survey_section(of_plan(work), work.model_settings(role).context_length)
