"""The planner: a plan's text in, micro-tasks out, chunk by chunk. Starts no task and stores nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from lao.agents import plan_items
from lao.agents.ask import JournaledModel, completion_limit, request
from lao.agents.coder_brief import is_test
from lao.agents.commands import assign_commands, own_commands
from lao.agents.plan_coverage import with_forgotten
from lao.agents.plan_text import body, chunks, plan_commands
from lao.agents.prompt import load, schema
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import Json, TaskSpec
from lao.llm.structured import complete_json
from lao.llm.tokens import clip, estimate

__all__ = ["ChunkDone", "make_plan", "plan_commands"]

_LEAST_CHUNK = 200
_SLACK = 200
"""Tokens for what a chunk's message says around the chunk."""


@dataclass(frozen=True)
class ChunkDone:
    """One chunk is planned. ``number`` counts from 1; ``tasks`` are those of this chunk."""

    number: int
    total: int
    text: str
    tasks: tuple[TaskSpec, ...]


def make_plan(
    plan_text: str,
    *,
    model: Model,
    settings: ModelSettings,
    steps: Steps,
    utilization: float,
    reserved_tokens: int,
    on_chunk: Callable[[ChunkDone], None] | None = None,
    existing_files: Collection[str] = (),
    judges: Collection[str] = (),
    map_text: str = "",
    memory: str = "",
    survey: str = "",
) -> tuple[TaskSpec, ...]:
    """The tasks of a plan, in dependency order.

    Each chunk's calls are steps of their own, so a resumed run keeps finished chunks. Commands are only those that the
    plan itself names.

    Args:
        judges: further paths that the checking commands run; tests among them are judges as well.
        existing_files: paths in the workspace. A test file among them that a command of the plan runs is a judge, and
            no task may change it.
        map_text: the repository map; it stands before each chunk.
        memory: what is known about the project, for the end of each message.
        survey: what was found in the workspace; it stands first, before each chunk.

    Raises:
        AttemptFailed: kinds "no_tasks", "bad_plan" (unknown or circular dependencies), "bad_json", or the model's own.
    """
    shown = body(plan_text)
    planner = _Planner(model, settings, steps, plan_text, _Around(map_text, memory, survey))
    reserved = reserved_tokens + (estimate(memory) if memory else 0)
    around = estimate(map_text) + estimate(survey)
    parts = parts_of(plan_text, settings, utilization, reserved, around)
    tasks: list[TaskSpec] = []
    for number, part in enumerate(parts, 1):
        fresh = planner.plan_chunk(part, number, len(parts), tasks)
        tasks += fresh
        if on_chunk is not None:
            on_chunk(ChunkDone(number, len(parts), part, tuple(fresh)))
    if not tasks:
        tasks = planner.insist(parts[0])
    given = _judges(plan_text, existing_files) | {p for p in judges if is_test(p)}
    tasks = own_commands(plan_items.mend_paths(tasks, shown, existing_files), plan_text)
    tasks = plan_items.reading_writes_nothing(tasks, shown, existing_files)
    tasks = plan_items.fold_fileless(plan_items.whole_plan(tasks, shown, given))
    tasks = plan_items.one_of_a_file(plan_items.without_judges(tasks, given), shown)
    tasks = with_forgotten(tasks, plan_text, given)
    tasks = planner.mend_dependencies(tasks, whole=len(parts) == 1)
    return tuple(assign_commands(plan_items.in_order(tasks), plan_text))


def parts_of(
    plan_text: str, settings: ModelSettings, utilization: float, reserved_tokens: int, around: int = 0
) -> list[str]:
    """The pieces in which a planner with these settings is shown the plan; one where all of it fits.

    Args:
        around: tokens of the map and the survey, which stand before each piece.
    """
    shown = body(plan_text)
    return chunks(shown, chunk_limit(settings, utilization, reserved_tokens) - around) or [shown]


def _judges(plan_text: str, existing: Collection[str]) -> set[str]:
    run = " ".join(command for _, command in plan_commands(plan_text))
    return {p for p in existing if is_test(p) and re.search(rf"(?<![\w./-]){re.escape(p)}(?![\w/-])", run)}


def chunk_limit(settings: ModelSettings, utilization: float, reserved_tokens: int) -> int:
    """Tokens of the plan that are shown at once."""
    window = int(settings.context_length * utilization)
    return max(_LEAST_CHUNK, window - completion_limit(settings) - max(reserved_tokens, _overhead()))


def _overhead() -> int:
    return estimate(load("planner")) + _SLACK


@dataclass(frozen=True)
class _Around:
    """What each message has beside the chunk of the plan."""

    map_text: str = ""
    memory: str = ""
    survey: str = ""


class _Planner:
    """The calls of one plan."""

    def __init__(self, model: Model, settings: ModelSettings, steps: Steps, text: str, around: _Around) -> None:
        self._memory = around.memory
        self._survey = f"{around.survey}\n\n" if around.survey else ""
        self._model = model
        self._settings = settings
        self._steps = steps
        self._text = text
        self._map = load("planner_map", map=around.map_text) + "\n\n" if around.map_text.strip() else ""
        self._schema = schema("plan_schema")

    def plan_chunk(self, chunk: str, number: int, total: int, earlier: Sequence[TaskSpec]) -> list[TaskSpec]:
        messages = self._messages(chunk, number, total, earlier)
        drafts = self._drafts(messages, f"chunk-{number}")
        return plan_items.merge(earlier, drafts)

    def insist(self, chunk: str) -> list[TaskSpec]:
        """Ask once more when no task came at all."""
        messages = self._messages(chunk, 1, 1, ())
        answer: dict[str, Json] = {"role": "assistant", "content": '{"tasks": []}'}
        problem = "The list of tasks is empty. The plan asks for work: list at least one task, if there is any in it."
        fix: dict[str, Json] = {"role": "user", "content": load("planner_fix", problem=problem)}
        tasks = plan_items.merge((), self._drafts([*messages, answer, fix], "no-tasks"))
        if not tasks:
            raise AttemptFailed(
                "the planner found no task in the plan, also when asked again",
                "Say in the plan what to build, with file names, or try a larger planner model.",
                kind="no_tasks",
            )
        return tasks

    def mend_dependencies(self, tasks: list[TaskSpec], *, whole: bool) -> list[TaskSpec]:
        """One corrective round for unknown or circular dependencies."""
        tasks = _with_dependencies(tasks, ())  # earlier chunks may name tasks of later ones
        tasks = plan_items.without_given_files(tasks, self._text)
        problem = plan_items.dependency_problem(tasks)
        if not problem:
            return tasks
        listed = json.dumps({"tasks": [_brief(t, full=whole) for t in tasks]}, ensure_ascii=False)
        listed = clip(listed, self._settings.context_length - completion_limit(self._settings) - _overhead())
        text = load("planner_fix_all", tasks=listed, problem=problem)
        messages: list[dict[str, Json]] = [
            {"role": "system", "content": load("planner")},
            {"role": "user", "content": text},
        ]
        answered = plan_items.merge((), self._drafts(messages, "dependencies"))
        mended = answered if whole and _covers(answered, tasks) else _with_dependencies(tasks, answered)
        problem = plan_items.dependency_problem(mended)
        if problem:
            raise AttemptFailed(
                f"the planner's dependencies are wrong, also after one correction: {problem}",
                "Name the order of the tasks in the plan, or try a larger planner model.",
                kind="bad_plan",
            )
        return mended

    def _messages(self, chunk: str, number: int, total: int, earlier: Sequence[TaskSpec]) -> list[dict[str, Json]]:
        titles = "\n".join(f"- {t.title}" + (f" ({', '.join(t.file_paths)})" if t.file_paths else "") for t in earlier)
        titles = clip(titles, self._settings.context_length // 8, tail_share=0.8)
        user = load(
            "planner_user",
            survey=self._survey,
            map=self._map,
            earlier=load("planner_earlier", titles=titles) + "\n\n" if titles else "",
            part=f", part {number} of {total}" if total > 1 else "",
            plan=chunk.strip("\n"),
            memory=f"{self._memory}\n\n" if self._memory else "",
        )
        return [{"role": "system", "content": load("planner")}, {"role": "user", "content": user}]

    def _drafts(self, messages: Sequence[dict[str, Json]], label: str) -> list[plan_items.Draft]:
        value, _ = complete_json(
            JournaledModel(self._model, self._steps, label, context=self._settings.context_length),
            request(self._settings, messages),
            self._schema,
            supports_schema=self._settings.supports_json_schema,
            check=self._problem,
        )
        return plan_items.read_drafts(value, self._text)

    def _problem(self, value: Json) -> str:
        try:
            plan_items.read_drafts(value, self._text)
        except ValueError as error:
            return str(error)
        return ""


def _brief(task: TaskSpec, *, full: bool) -> dict[str, Json]:
    shown: dict[str, Json] = {"title": task.title}
    if full:
        shown["description"] = task.description
    return {**shown, "file_paths": list(task.file_paths), "dependencies": list(task.dependencies)}


def _covers(answered: Sequence[TaskSpec], tasks: Sequence[TaskSpec]) -> bool:
    """Whether a corrected list can replace the first one: sound, and no file is lost."""
    files = {p for t in answered for p in t.file_paths}
    sound = bool(answered) and not plan_items.dependency_problem(answered)
    return sound and files.issuperset(p for t in tasks for p in t.file_paths)


def _with_dependencies(tasks: Sequence[TaskSpec], answered: Sequence[TaskSpec]) -> list[TaskSpec]:
    """The tasks with the corrected dependencies; tasks that the correction added come last."""
    corrected = {plan_items.fold(t.title): t for t in answered}
    titles = {plan_items.fold(t.title): t.title for t in (*answered, *tasks)}
    mended = []
    known = {plan_items.fold(t.title) for t in tasks}
    for task in (*tasks, *(a for a in answered if plan_items.fold(a.title) not in known)):
        said = corrected.get(plan_items.fold(task.title), task)
        needs = [titles.get(plan_items.fold(n), n) for n in said.dependencies]
        mended.append(replace(task, dependencies=tuple(n for n in dict.fromkeys(needs) if n != task.title)))
    return mended
