"""The planner: from a plan's text to tasks that can be run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.agents.planner import ChunkDone, make_plan
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed, ServerAway
from lao.core.states import Role
from lao.core.words import TaskSpec
from lao.llm.tokens import estimate, estimate_messages

from .fakes import ScriptedModel, Tape, settings

PLAN = """---
validation_build_cmd: secret
---
# Shapes

## Circle
Write circle.py with area(r).
Test: `python -m pytest -q test_circle.py`

## Square
Write square.py with area(a).
- Test: `python -m pytest -q test_square.py`
"""
CIRCLE = {
    "title": "Circle", "description": "Write circle.py", "file_paths": ["circle.py"], "dependencies": [],
    "commands": ["python -m pytest -q test_circle.py"],
}  # fmt: skip
SQUARE = {**CIRCLE, "title": "Square", "file_paths": ["square.py"], "commands": [], "dependencies": ["Circle"]}


def _plan(*answers: Any, plan: str = PLAN, **more: Any) -> tuple[tuple[TaskSpec, ...], ScriptedModel, Tape]:
    ready = (a if isinstance(a, (str, Exception, ChatAnswer)) else json.dumps(a) for a in answers)
    model, tape = ScriptedModel(*ready), more.pop("steps", None) or Tape()
    on_chunk, existing = more.pop("on_chunk", None), more.pop("existing", ())
    map_text = more.pop("map_text", "")
    tasks = make_plan(
        plan, model=model, settings=settings(Role.PLANNER, **more), steps=tape, utilization=0.8, reserved_tokens=300,
        on_chunk=on_chunk, existing_files=existing, map_text=map_text,
    )  # fmt: skip
    return tasks, model, tape


def _one(**fields: Any) -> TaskSpec:
    (task,) = _plan({"tasks": [{**CIRCLE, **fields}]})[0]
    return task


def test_plan_becomes_tasks() -> None:
    """Tasks come in dependency order with the plan's own commands; the front matter is not shown."""
    tasks, model, tape = _plan({"tasks": [SQUARE, CIRCLE]})
    assert [t.title for t in tasks] == ["Circle", "Square"]
    assert tasks[0].commands == ("python -m pytest -q test_circle.py",)
    assert tasks[1].commands == ("python -m pytest -q test_square.py",), "a test that no task claims is not lost"
    request = model.requests[0]
    assert request.messages[0]["content"].splitlines()[0] == "LAO role: planner"
    assert "secret" not in model.last_user()
    assert "Write square.py" in model.last_user()
    assert request.schema is not None
    assert request.max_tokens == 1000
    assert tape.labels == ["model:chunk-1-1"]


@pytest.mark.parametrize(
    "answer",
    [
        [CIRCLE],
        {"tasks": [CIRCLE]},
        {"plan": {"tasks": [CIRCLE]}},
        CIRCLE,
        "```json\n" + json.dumps([CIRCLE]) + "\n```",
        "<think>hm {</think>Here are the tasks: " + json.dumps({"tasks": [CIRCLE]}) + " Good luck!",
    ],
)
def test_shapes_of_an_answer(answer: Any) -> None:
    """An array, an object, fenced or in prose: the same tasks."""
    tasks, _, _ = _plan(answer, supports_json_schema=False)
    assert [(t.title, t.file_paths) for t in tasks] == [("Circle", ("circle.py",))]


def test_items_are_read_with_tolerance() -> None:
    """Other names of fields, single strings and missing descriptions are understood."""
    (task,) = _plan([{"name": "Circle", "file": "circle.py", "acceptance": {"commands": [CIRCLE["commands"][0]]}}])[0]
    assert task == TaskSpec("Circle", "Circle", ("circle.py",), (), (CIRCLE["commands"][0], *_square_command()))
    (task,) = _plan([{"title": "T", "description": "d", "files": [{"path": "a.py"}, "a.py", "./a.py"]}])[0]
    assert task.file_paths == ("a.py",)
    assert _plan(["Write circle.py"])[0][0].file_paths == ("circle.py",)


def _square_command() -> tuple[str]:
    return ("python -m pytest -q test_square.py",)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a.py", "a/../../b.py", ".git/config", ".lao/state.db", "~/a.py", "C:\\a.py", "src/", "*.py"],
)  # fmt: skip
def test_bad_paths_are_dropped(path: str) -> None:
    """Nothing outside the workspace, and neither .git nor .lao, can be a task's file."""
    assert _one(file_paths=[path, "circle.py"]).file_paths == ("circle.py",)


@pytest.mark.parametrize(
    "need", ["Circle", "circle", " CIRCLE ", 1, "1", "Task 1", "1. Circle", "circle.py", {"title": "Circle"}]
)
def test_dependencies_by_title_index_or_file(need: Any) -> None:
    """A dependency may be a title in any case, a number, or the file that another task makes."""
    tasks, _, _ = _plan([CIRCLE, {**SQUARE, "dependencies": [need]}])
    assert tasks[1].dependencies == ("Circle",)


def test_meaningless_dependencies_are_dropped() -> None:
    """ "none", the task itself, a file that is given, and any dependency of a lone task mean nothing."""
    tasks, _, _ = _plan([CIRCLE, {**SQUARE, "dependencies": ["none", "Square", "test_circle.py"]}])
    assert tasks[1].dependencies == ()
    assert _one(dependencies=["area"]).dependencies == ()


def test_titles_are_unique() -> None:
    """Two tasks with one title are told apart."""
    tasks, _, _ = _plan([CIRCLE, {**SQUARE, "title": "circle", "dependencies": []}])
    assert [t.title for t in tasks] == ["Circle", "circle (2)"]


def test_invented_commands_are_dropped() -> None:
    """Only commands that the plan itself says are kept."""
    commands = ["pytest", "python", "rm -rf /", "python -m pytest -q test_circle.py"]
    tasks, _, _ = _plan([{**CIRCLE, "commands": commands}, {**SQUARE, "commands": ["python -m pytest"]}])
    assert tasks[0].commands == ("python -m pytest -q test_circle.py",)
    assert tasks[1].commands == _square_command()


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ([CIRCLE, {**SQUARE, "dependencies": ["Triangle"]}], "'Square' depends on 'Triangle'"),
        ([{**CIRCLE, "dependencies": ["Square"]}, SQUARE], "in a circle: 'Circle', 'Square'"),
    ],
)
def test_bad_dependencies_get_one_correction(first: Any, words: str) -> None:
    """An unknown dependency or a circle is sent back once, named; then the plan fails and says why."""
    tasks, model, tape = _plan(first, [CIRCLE, SQUARE])
    assert [t.title for t in tasks] == ["Circle", "Square"]
    assert words in model.last_user()
    assert tape.labels == ["model:chunk-1-1", "model:dependencies-1"]
    with pytest.raises(AttemptFailed, match=words) as caught:
        _plan(first, first)
    assert caught.value.kind == "bad_plan"


def test_no_tasks() -> None:
    """An empty list is asked about once, then it is a failed attempt of kind no_tasks."""
    tasks, model, _ = _plan({"tasks": []}, [CIRCLE])
    assert len(tasks) == 1
    assert "empty" in model.last_user()
    with pytest.raises(AttemptFailed) as caught:
        _plan([], [])
    assert caught.value.kind == "no_tasks"


def test_unusable_answer_is_corrected_once() -> None:
    """Words instead of JSON get one corrective message."""
    tasks, model, _ = _plan("I would start with the circle.", [CIRCLE])
    assert len(tasks) == 1
    assert "cannot be used" in model.last_user()


def test_given_tests_are_no_task() -> None:
    """A test file that exists and judges the plan is no task's file; a task of nothing else goes."""
    tester = {**CIRCLE, "title": "Tests", "file_paths": ["test_circle.py"], "dependencies": ["Circle"]}
    square = {**SQUARE, "file_paths": ["square.py", "test_square.py"], "dependencies": ["Tests"]}
    tasks, _, _ = _plan([CIRCLE, tester, square], existing=("test_circle.py", "test_square.py", "circle.py"))
    assert [(t.title, t.file_paths, t.dependencies) for t in tasks] == [
        ("Circle", ("circle.py",), ()), ("Square", ("square.py",), ("Circle",)),
    ]  # fmt: skip
    assert len(_plan([CIRCLE, tester, square])[0]) == 3


BIG = "# Big\n\n" + "\n".join(f"## Part {n}\nWrite part{n}.py. " + "Words of it. " * 320 for n in range(6))


def _part(n: int, *needs: str) -> dict[str, Any]:
    return {"title": f"Part {n}", "description": "d", "file_paths": [f"part{n}.py"], "dependencies": list(needs)}


def test_large_plans_go_in_chunks() -> None:
    """Each request fits the window; later chunks know the earlier titles; every chunk is reported."""
    done: list[ChunkDone] = []
    answers = [[_part(n, *([f"part {n - 1}"] if n else []))] for n in range(6)]
    tasks, model, tape = _plan(*answers, plan=BIG, context_length=4096, on_chunk=done.append)
    assert [t.title for t in tasks] == [f"Part {n}" for n in range(6)]
    assert tasks[3].dependencies == ("Part 2",)
    assert len(model.requests) == 6
    assert all(estimate_messages(r.messages) + 1000 <= 4096 * 0.8 for r in model.requests)
    assert "- Part 1 (part1.py)" in model.last_user(2)
    assert "part 3 of 6" in model.last_user(2)
    assert [(c.number, c.total, len(c.tasks)) for c in done] == [(n, 6, 1) for n in range(1, 7)]
    assert tape.labels == [f"model:chunk-{n}-1" for n in range(1, 7)]


def test_finished_chunks_are_kept() -> None:
    """After a crash in the third chunk the first two are not asked for again."""
    answers = [[_part(n)] for n in range(6)]
    tape = Tape()
    with pytest.raises(ServerAway):
        _plan(*answers[:2], ServerAway("gone"), plan=BIG, context_length=4096, steps=tape)
    tasks, model, _ = _plan(*answers[2:], plan=BIG, context_length=4096, steps=Tape(tape.tape))
    assert len(tasks) == 6
    assert len(model.requests) == 4


def test_repeated_tasks_of_earlier_chunks_are_dropped() -> None:
    """A model that lists an earlier task again does not double it; dependencies on later chunks are found."""
    answers = [[_part(0, "PART 5")], [_part(0), _part(1)], *[[_part(n)] for n in range(2, 6)]]
    tasks, _, _ = _plan(*answers, plan=BIG, context_length=4096)
    assert sorted(t.title for t in tasks) == [f"Part {n}" for n in range(6)]
    assert tasks[-1].dependencies == ("Part 5",)


def test_the_map_stands_before_each_chunk_and_counts() -> None:
    """F5 E7: every chunk's message begins with the same map, which the size of the chunks allows for."""
    long = "\n".join(f"## Part {n}\n\n{'Write more of it. ' * 60}\n" for n in range(12))
    answers = [{"tasks": [{**CIRCLE, "title": f"Part {n}", "file_paths": [f"part_{n}.py"]}]} for n in range(30)]
    shown = "shop.py:\n" + "  def sell(thing):\n" * 80

    def requests(text: str) -> list[str]:
        _, model, _ = _plan(*answers, plan=f"# Parts\n\n{long}", map_text=text, context_length=4096)
        return [str(request.messages[-1]["content"]) for request in model.requests]

    bare, mapped = requests(""), requests(shown)
    assert "shop.py" not in bare[0]
    assert all(text.startswith("# What the workspace defines already") and shown.strip() in text for text in mapped)
    assert len(mapped) > len(bare) > 1
    assert max(map(estimate, mapped)) <= max(map(estimate, bare)) + estimate(shown)
