"""What is done to a planner's list of tasks after it was read."""

from __future__ import annotations

from lao.agents.plan_items import (
    fold_fileless,
    mend_paths,
    one_of_a_file,
    reading_writes_nothing,
    whole_plan,
)
from lao.core.words import TaskSpec


def task(title: str, *files: str, needs: tuple[str, ...] = (), commands: tuple[str, ...] = ()) -> TaskSpec:
    return TaskSpec(title, f"about {title}", files, needs, commands)


def test_tasks_that_do_nothing_are_folded_into_the_next_that_does() -> None:
    """D2: "read the specification" is no work of its own; its words are kept, dependencies go around it."""
    tasks = [task("read"), task("write", "a.py", needs=("read",)), task("think"), task("use", "b.py", needs=("think",))]
    first, second = fold_fileless(tasks)
    assert first.description == "about write\nread: about read"
    assert (first.dependencies, second.dependencies) == ((), ())
    assert second.description == "about use\nthink: about think"


def test_words_after_the_last_task_go_into_it() -> None:
    """D2: nothing that the planner said is lost."""
    (only,) = fold_fileless([task("write", "a.py"), task("check it", needs=("write",))])
    assert only.description == "about write\ncheck it: about check it"
    assert only.dependencies == ()


def test_a_task_with_a_command_stays() -> None:
    """D7: a task that only runs one of the plan's commands is work with evidence."""
    tasks = [task("write", "a.py"), task("migrate", commands=("make migrate",))]
    assert fold_fileless(tasks) == tasks


def test_a_plan_of_such_tasks_alone_stays_as_it_is() -> None:
    """D2: when no task names a file, none is better than another."""
    tasks = [task("one"), task("two", needs=("one",))]
    assert fold_fileless(tasks) == tasks


def test_a_plan_that_names_its_file_is_one_task_when_the_planner_names_none() -> None:
    """D2: a planner that only lists what to read costs nothing: the plan's own file is the task, not its tests."""
    plan = "# Gigasecond\n\nImplement `gigasecond.py` so that `gigasecond_test.py` passes. See `datetime`.\n"
    (only,) = whole_plan([task("read about time"), task("understand")], plan, {"gigasecond_test.py"})
    assert (only.title, only.file_paths) == ("Gigasecond", ("gigasecond.py",))
    assert "read about time" in only.description


def test_tasks_with_files_are_left_as_they_are() -> None:
    """D2: the plan is never taken whole when the planner did its work, or when the plan names no file."""
    tasks = [task("read"), task("write", "a.py")]
    assert whole_plan(tasks, "Write `b.py`.", set()) == tasks
    assert whole_plan(tasks[:1], "Write something.", set()) == tasks[:1]


def test_a_folder_that_nobody_named_is_taken_off() -> None:
    """D2: the planner's src/isogram.py is the plan's isogram.py; else the work lands beside the file that counts."""
    plan = "Implement `isogram.py`; helpers go to `lib/tools.py`."
    (only,) = mend_paths([task("t", "src/isogram.py", "isogram.py", "tools.py")], plan, ["isogram.py"])
    assert only.file_paths == ("isogram.py", "lib/tools.py")


def test_paths_that_the_plan_or_the_workspace_has_and_new_ones_stay() -> None:
    """D2: nothing is guessed: named, existing, new and ambiguous paths are left as they are."""
    plan = "Write src/main.py and `a/x.py` and `b/x.py`."
    tasks = [task("t", "src/main.py", "old.py", "fresh.py", "x.py")]
    assert mend_paths(tasks, plan, ["old.py"]) == tasks


def test_steps_of_one_file_are_one_task() -> None:
    """D2: "import the module", "write the function", "test it" about a file that the plan names once are one task."""
    plan = "Implement `a.py`. Then write `b.py`, which uses it."
    tasks = [
        TaskSpec("import", "import x", ("a.py",)),
        TaskSpec("write", "write f", ("a.py",), ("import",)),
        TaskSpec("use", "use f", ("b.py",), ("write", "import")),
    ]
    first, second = one_of_a_file(tasks, plan)
    assert (first.title, first.file_paths, first.dependencies) == ("import", ("a.py",), ())
    assert "write f" in first.description
    assert second.dependencies == ("import",)


def test_tasks_that_the_plan_itself_lists_stay_apart() -> None:
    """D2: a plan that names a file in each of its tasks means them."""
    plan = "1. In `a.py` write f.\n2. In `a.py` write g."
    tasks = [TaskSpec("f", "write f", ("a.py",)), TaskSpec("g", "write g", ("a.py",), ("f",))]
    assert one_of_a_file(tasks, plan) == tasks


def test_reading_writes_no_file_that_nobody_named() -> None:
    """D2: "Understand datetime" with docs/datetime is no work; its words go into the task that writes."""
    plan = "# Gigasecond\n\nImplement `gigasecond.py`.\n"
    tasks = [
        task("Read the documentation", "docs/python/datetime"),
        task("Understand datetime", "docs/python/datetime/datetime", needs=("Read the documentation",)),
        task("Implement gigasecond", "gigasecond.py", needs=("Understand datetime",)),
    ]
    (only,) = fold_fileless(reading_writes_nothing(tasks, plan, ["gigasecond.py"]))
    assert (only.title, only.file_paths, only.dependencies) == ("Implement gigasecond", ("gigasecond.py",), ())
    assert "about Understand datetime" in only.description


def test_reading_that_the_plan_asks_for_is_kept() -> None:
    """D2: a title of the plan, a file that the plan names or that is there, a command, another verb: all stay."""
    plan = "# P\n\n- Review the logs\n- Read a.csv and write `summary.md`\n"
    tasks = [
        task("Review the logs", "review.md"),
        task("Read a.csv", "summary.md"),
        task("Read and mend", "there.py"),
        task("Study it", "x.py", commands=("make study",)),
        task("Readme", "README.md"),
        task("Analyze them", "analysis.md"),
    ]
    assert reading_writes_nothing(tasks, plan, ["there.py"]) == tasks
