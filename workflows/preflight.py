"""What can be said of a plan before GPU hours are spent on it, without a model call: rows, and their figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from lao.agents import plan_gaps, plan_items
from lao.agents.plan_coverage import parts as pieces_of_work
from lao.agents.plan_text import body, plan_commands
from lao.agents.planner import chunk_limit, parts_of
from lao.config.settings import ModelSettings
from lao.core.plan_options import budget_of, needs_of
from lao.core.priority import priority_of
from lao.core.states import Role
from lao.core.words import Json, TaskSpec
from lao.llm.tokens import estimate
from lao.quality.commands import validation_commands
from lao.state import plan_order, plans
from lao.state.records import Plan
from lao.tools.permissions.hiding import hidden_by
from lao.workspace.front_matter import split
from lao.workspace.tree import listing
from workflows import preflight_machine
from workflows.factory import Factory
from workflows.search import LEAST_MAP, MAP_SHARE
from workflows.submission import checked

FILES_SEEN: Final = 5000
SHOWN: Final = 5


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. ``level``: ok, info (worth knowing) or warn (a person should look)."""

    name: str
    level: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Preflight:
    """All of it.

    Attributes:
        plan: its id where it is known, else "".
        figures: what the rows were made of, for ``--json``.
    """

    name: str
    plan: str
    rows: tuple[Row, ...]
    figures: dict[str, Json] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing that a person should look at first."""
        return all(row.level != "warn" for row in self.rows)


def look(factory: Factory, path: Path, text: str, known: Plan | None = None) -> Preflight:
    """Look at a plan with this text in this file; ``known`` when it was handed in.

    Raises:
        BadInput: it could not be handed in like that.
    """
    figures: dict[str, Json] = {}
    rows = _of_text(factory, path, text, known, figures)
    tasks = plans.tasks_of(factory.store, known.id) if known else ()
    rows += _tasks(text, [task.spec for task in tasks], figures)
    work = len(tasks) or max(1, len(pieces_of_work(text)))
    rows += [Row(*row) for row in preflight_machine.look(factory, known, work, figures)]
    return Preflight(path.stem, known.id if known else "", tuple(rows), figures)


def warnings(factory: Factory, path: Path, text: str) -> tuple[str, ...]:
    """What is said when a plan is handed in: the warnings that cost nothing to find. Empty where
    ``spec_doctor_enabled`` is off.

    Raises:
        BadInput: as ``look``.
    """
    if not factory.settings.raw["agentic"]["spec_doctor_enabled"]:
        return ()
    return tuple(row.text for row in _of_text(factory, path, text, None, {}) if row.level == "warn")


def _of_text(factory: Factory, path: Path, text: str, known: Plan | None, figures: dict[str, Json]) -> list[Row]:
    if known is None:
        options, workspace = checked(factory, path, text)
    else:
        options, workspace = split(text)[0], known.workspace
    rows = _front_matter(factory, path, options, known, figures)
    rows += _size(factory, text, workspace, figures)
    rows += _commands(factory, options, text, workspace, figures)
    rows += _files(factory, text, workspace, figures)
    if factory.settings.raw["agentic"]["spec_doctor_enabled"]:
        rows += [Row("wording", "warn", gap, "docs/writing-plans.md") for gap in plan_gaps.gaps(text)]
    return rows


def _front_matter(
    factory: Factory, path: Path, options: dict[str, Json], known: Plan | None, figures: dict[str, Json]
) -> list[Row]:
    budget, needs = budget_of(options), needs_of(options)
    figures.update(priority=priority_of(options), depends_on=list(needs), budget=asdict(budget))
    given = ", ".join(sorted(options)) or "none"
    rows = [Row("front matter", "ok", f"keys: {given}; priority {figures['priority']}")]
    waits = plan_order.waiting(factory.store, options, known.id if known else "")
    if needs:
        text = f"depends on {', '.join(needs)}"
        rows.append(Row("order", "info" if waits else "ok", f"{text}: {waits or 'all completed'}"))
    earlier = [plan.id for plan in plans.all_plans(factory.store) if plan.file == str(path) and known is None]
    if earlier:
        rows.append(Row("order", "info", f"would supersede plan {earlier[-1]}"))
    return rows


def _size(factory: Factory, text: str, workspace: Path, figures: dict[str, Json]) -> list[Row]:
    """The same cut as the planner makes; of the repository map, which is made later, all that it may take."""
    limits, planner = factory.settings.orchestration, factory.model_settings(Role.PLANNER)
    reserved, utilization = limits.preflight_reserved_tokens, limits.max_context_utilization
    room = _map_tokens(factory, planner, workspace)
    size = estimate(body(text))
    pieces = parts_of(text, planner, utilization, reserved, room)
    shown = max(1, chunk_limit(planner, utilization, reserved) - room)
    large = plan_gaps.oversized(text, shown, estimate)
    figures.update(tokens=size, planner_context=planner.context_length, shown_at_once=shown, chunks=len(pieces))
    how = "is shown to the planner at once" if len(pieces) == 1 else f"is planned in {len(pieces)} parts"
    level = "ok" if len(pieces) == 1 else "info"
    rows = [Row("size", level, f"about {size} tokens; {how} ({shown} of {planner.context_length} tokens are for it)")]
    if large:
        named = ", ".join(map(repr, large[:SHOWN]))
        rows.append(Row("size", "warn", f"too large for one piece of work: {named}", "give each piece its own heading"))
    return rows


def _map_tokens(factory: Factory, planner: ModelSettings, workspace: Path) -> int:
    budget = min(factory.settings.search.map_tokens, planner.context_length // MAP_SHARE)
    return budget if budget >= LEAST_MAP and workspace.is_dir() and any(workspace.iterdir()) else 0


def _commands(
    factory: Factory, options: dict[str, Json], text: str, workspace: Path, figures: dict[str, Json]
) -> list[Row]:
    own = [command for _, command in plan_commands(text)]
    whole = [command for _, command in validation_commands(factory.settings.orchestration, options, None, workspace)]
    said = [*dict.fromkeys([*whole, *own])]
    figures.update(commands=said)
    if not said:
        hint = "add lines such as 'Test: `python3 -m pytest -q`', or validation in the front matter"
        return [Row("commands", "warn", "no command decides about this plan: nothing of it can be proved", hint)]
    explicit = bool(options.get("validation")) or bool(own)
    how = "" if explicit else " (inferred from what lies in the folder)"
    return [Row("commands", "ok", f"{len(said)}{how}: {_some(said)}")]


def _files(factory: Factory, text: str, workspace: Path, figures: dict[str, Json]) -> list[Row]:
    hidden = hidden_by(factory.settings.permissions, workspace)
    existing = set(listing(workspace, FILES_SEEN, hidden=hidden).splitlines()) if workspace.is_dir() else set()
    found = plan_gaps.files(text, existing)
    figures.update(files={"there": [*found.there], "ordered": [*found.ordered], "missing": [*found.missing]})
    rows = [Row("files", "ok", f"{len(found.there)} named files are there, {len(found.ordered)} are to be written")]
    if found.missing:
        named = _some(list(found.missing))
        hint = "correct the path, or say who writes it ('Write `path`')"
        rows.append(Row("files", "warn", f"named, not there, and nothing says to write it: {named}", hint))
    return rows


def _tasks(text: str, tasks: list[TaskSpec], figures: dict[str, Json]) -> list[Row]:
    if not tasks:
        return [Row("tasks", "info", "not planned yet: how its sentences are covered is known then")]
    number, left = plan_gaps.uncovered(text, tasks)
    problem = plan_items.dependency_problem(tasks)
    figures.update(tasks=len(tasks), sentences=number, uncovered=left)
    rows = [Row("tasks", "ok", f"{len(tasks)} tasks speak of {number - len(left)} of {number} sentences on work")]
    if left:
        rows.append(Row("tasks", "warn", f"no task speaks of: {_some(left)}", "look at LAO_TASKS.json in its folder"))
    if problem:
        rows.append(Row("tasks", "warn", problem, "name the order of the work in the plan"))
    return rows


def _some(items: list[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return "; ".join(" ".join(item.split())[:120] for item in items[:SHOWN]) + more
