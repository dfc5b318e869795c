"""The coder's tools through the whole pipeline: audit, todos, refusals; and what cron and the reconciler do."""

from __future__ import annotations

from collections.abc import Callable

from lao.state import ledger, plans, runs
from lao.state.tables import AuditRow
from tests.workflows.conftest import Plant
from workflows import cron
from workflows.reconciler import reconcile

Open = Callable[..., Plant]
TASKS = {
    "tasks": [
        {"title": "from the map", "description": "x", "file_paths": ["part.txt"], "dependencies": [], "commands": []}
    ]
}
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"


def call(name: str, **arguments: object) -> dict[str, object]:
    return {"name": name, "arguments": arguments}


def scripted(*turns: list[dict[str, object]]) -> dict[str, object]:
    """A coder that makes these calls, one list a turn, and then says that it is done."""
    rules: list[dict[str, object]] = [
        {"match": {"role": "coder"}, "answer": {"tool_calls": turn}, "times": 1} for turn in turns
    ]
    return {"responses": [*rules, {"match": {"role": "coder"}, "answer": {"text": "Done."}}]}


def test_every_call_is_audited_and_refusals_change_nothing(plant: Open) -> None:
    """F1 G3: granted or not, each call is in the audit; a path outside and a git write are refused and told."""
    factory = plant(
        scripted(
            [call("file_write", path="../outside.txt", content="no")],
            [call("shell_exec", command="git commit -am mine")],
            [call("shell_exec", command="echo built > part_1.txt && cat part_1.txt")],
            [call("file_patch", path="part_1.txt", search="built", replace="patched")],
        )
    )
    factory.submit("tools", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert (factory.root / "tools" / "part_1.txt").read_text() == "patched\n"
    assert not (factory.root / "outside.txt").exists()
    audit = [(row.tool, row.granted, row.ok) for row in AuditRow.select().order_by(AuditRow.id)]
    assert audit == [
        ("file_write", False, False),
        ("shell_exec", False, False),
        ("shell_exec", True, True),
        ("file_patch", True, True),
    ]
    ran = [row.isolation for row in AuditRow.select().order_by(AuditRow.id)]
    assert [bool(text) for text in ran] == [False, False, True, False]
    assert ran[2] == factory.factory.containment.told


def test_open_todo_items_are_noted_and_begin_anew_with_an_attempt(plant: Open) -> None:
    """D5: the ledger of the task is kept in the state; what is left open is a finding, and not a false "done"."""
    items = [{"content": "write it", "status": "completed"}, {"content": "polish it", "status": "pending"}]
    factory = plant(
        scripted([call("task_todo_set", items=items)], [call("file_write", path="part_1.txt", content="x\n")])
    )
    factory.submit("todos", PLAN)
    factory.turn()
    store = factory.factory.store
    (task,) = plans.tasks_of(store, str(factory.plans()[0]["id"]))
    assert ledger.open_todos(store, task.id) == ("polish it",)
    assert any("polish it" in f.message + f.hint for f in ledger.findings_of(store, task_id=task.id))


def test_cron_sets_failed_work_back(plant: Open) -> None:
    """K3: the cron task does what lao retry-failed does, and wakes what became ready."""
    factory = plant(orchestration={"retry_cap_validation": 1, "validation_build_cmd": "test -f allowed"})
    factory.submit("again", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["needs_human"]
    (factory.root / "again" / "allowed").write_text("")
    cron.retry_failed.call_local()
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]


def test_a_phase_that_keeps_killing_its_worker_is_parked(plant: Open) -> None:
    """K1: after three crashes with the other worker alive the task needs a person, and the plan ends with it."""
    factory = plant()
    factory.submit("poison", PLAN)
    store, me = factory.factory.store, factory.factory.owner.to_text()
    factory.turn_until_coding()
    runs.register_worker(store, "cpu", me, 1)
    (run,) = runs.runnable(store, lambda _o: None, 0)
    dead = me.replace(f":{factory.factory.owner.pid}:", ":999999999:")
    for _ in range(3):
        runs.claim(store, run, dead, "test")
        reconcile(factory.factory)
    factory.turn()
    (task,) = factory.tasks()
    assert task["state"] == "needs_human"
    assert "keeps crashing" in str(task["reason"])
    assert factory.plans()[0]["state"] == "needs_human"


def test_planner_and_coder_see_a_map_and_search_the_index(plant: Open) -> None:
    """F5: both prompts have the definitions of what is there already; a search goes through the project's index."""
    seen = {"contains": ["# Defined in other files of the workspace", "def sell_thing(name):"], "anywhere": True}
    search = [call("find_relevant_files", query="sell thing")]
    write = [call("file_write", path="part.txt", content="x")]
    factory = plant(
        {
            "responses": [
                {"match": {"role": "planner", "contains": "def sell_thing(name):"}, "answer": {"json": TASKS}},
                {"match": {"role": "coder", **seen}, "answer": {"tool_calls": search}, "times": 1},
                {
                    "match": {"role": "coder", "contains": "market.py:1: def sell_thing", "anywhere": True},
                    "answer": {"tool_calls": write},
                    "times": 1,
                },
                {"match": {"role": "coder"}, "answer": {"text": "Done."}},
            ]
        }
    )
    shop = factory.root / "shop"
    shop.mkdir()
    (shop / "market.py").write_text("def sell_thing(name):\n    return name\n")
    factory.submit("shop", "# Shop\n\nWrite part.txt.\n")
    factory.turn()
    assert [t["title"] for t in factory.tasks()] == ["from the map"]
    assert (shop / "part.txt").read_text().strip() == "x"
    assert (factory.root / ".lao" / "index.db").is_file()
