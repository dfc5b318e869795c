"""What must hold after every rule, whatever was done: seen in the state file itself, and in the reference."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import invariant

from lao.core.states import PLAN_MOVES, RUN_MOVES, TASK_MOVES, PlanState, RunState, TaskState
from lao.state.store import Store
from tests.durability.reference import ENDED, OVER, Key, Plan
from tests.durability.state_outcomes import tally

MOVES: dict[str, tuple[type[Any], Any]] = {
    "lao_plan": (PlanState, PLAN_MOVES),
    "lao_task": (TaskState, TASK_MOVES),
    "lao_run": (RunState, RUN_MOVES),
}


def watch_moves(db: Any) -> None:
    """Note every change of a state or an epoch, whoever makes it, beside LAO's own check."""
    db.execute_sql("PRAGMA synchronous = 0")  # no power is cut here
    db.execute_sql("CREATE TEMP TABLE moves (what TEXT, id TEXT, old TEXT, new TEXT, raised INTEGER)")
    for table in MOVES:
        db.execute_sql(
            f"CREATE TEMP TRIGGER watch_{table} AFTER UPDATE OF state, epoch ON {table} "
            f"BEGIN INSERT INTO moves VALUES ('{table}', new.id, old.state, new.state, new.epoch - old.epoch); END"
        )


class Promises:
    """Invariants, for the machine."""

    store: Store
    plans: dict[str, Plan]

    @invariant()
    def the_state_is_what_the_rules_say(self) -> None:
        found, right = self.shown(), {plan: model.seen() for plan, model in self.plans.items()}
        wrong = [(found.get(plan), right.get(plan)) for plan in {*found, *right} if found.get(plan) != right.get(plan)]
        assert not wrong, "in the file, and by the rules:\n" + "\n".join(f"{a}\n{b}" for a, b in wrong)

    def shown(self) -> dict[str, tuple[object, ...]]:
        sql = self.store.db.execute_sql
        tasks: dict[str, list[tuple[object, ...]]] = {plan: [] for plan in self.plans}
        phases: dict[str, dict[Key, str]] = {plan: {} for plan in self.plans}
        fields = "plan_id, state, attempts, recheck, coder_failures, verify_failures, rejections"
        for plan, *rest in sql(f"SELECT {fields} FROM lao_task ORDER BY plan_id, seq"):
            tasks[plan].append(tuple(rest))
        joined = "FROM lao_run r LEFT JOIN lao_task t ON t.id = r.task_id"
        for plan, seq, phase, attempt, state in sql(f"SELECT r.plan_id, seq, phase, attempt, r.state {joined}"):
            assert (seq, phase, attempt) not in phases[plan], "one run for each phase of an attempt"
            phases[plan][seq, phase, attempt] = state
        states = dict(sql("SELECT id, state FROM lao_plan"))
        return {plan: (states[plan], tasks[plan], phases[plan]) for plan in states}

    @invariant()
    def only_legal_moves_were_made(self) -> None:
        for what, row, old, new, raised in self.store.db.execute_sql("SELECT * FROM moves").fetchall():
            kind, moves = MOVES[what]
            assert kind(new) in moves[kind(old)], f"{what} {row}: {old} to {new}"
            assert raised == 1, f"{what} {row}: {old} to {new} without a new epoch"
            tally["moves"] += 1
        self.store.db.execute_sql("DELETE FROM moves")

    @invariant()
    def what_is_open_is_on_its_way(self) -> None:
        for model in self.plans.values():
            states = {key: run.state for key, run in model.runs.items()}
            working = [key for key, state in states.items() if state in ("ready", "running")]
            if model.state in OVER:
                assert not working and "blocked" not in states.values(), "an ended plan has no open runs"
                assert all(t.state in OVER for t in model.tasks), "an ended plan has no open tasks"
                continue
            assert working, "an open plan has something to do"
            for key, run in model.runs.items():
                assert run.state != "blocked" or states[run.after] in ("ready", "running", "blocked"), key
            for number, task in enumerate(model.tasks):
                self.task_is_on_its_way(model, number, task.state)

    def task_is_on_its_way(self, model: Plan, number: int, state: str) -> None:
        task = model.tasks[number]
        mine = [run.state for key, run in model.runs.items() if key[0] == number and run.state in ("ready", "running")]
        if state == "waiting":
            assert not mine and task.needs, "what waits waits for a task"
            assert all(model.tasks[n].state not in ENDED for n in task.needs), "nothing waits for what is over"
        elif state not in OVER:
            assert len(mine) == 1, "an open task has one phase to do"
        else:
            assert not mine, "a task that is over has nothing to do"

    @invariant()
    def what_is_completed_was_reviewed(self) -> None:
        for model in self.plans.values():
            for number, task in enumerate(model.tasks):
                if task.state == "completed":
                    done = {key[1:] for key, run in model.runs.items() if key[0] == number and run.state == "done"}
                    assert ("verify", task.attempts) in done, "its last attempt was verified"
                    assert any(phase == "review" for phase, _ in done), "it was reviewed"

    @invariant()
    def attempts_are_counted_once(self) -> None:
        for model in self.plans.values():
            for number, task in enumerate(model.tasks):
                begun = {key[2] for key in model.runs if key[0] == number}
                assert begun == set(range(1, task.attempts + 1))
