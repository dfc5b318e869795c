"""How phases end, well and in every bad way: what each tells lao/state, as the workers do, and the reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lao.core.errors import AttemptFailed, NeedsHuman, Terminal
from lao.core.states import Phase, RunState, TaskState
from lao.core.words import Json, TaskSpec
from lao.state import pipeline, runs
from lao.state.records import Claim
from lao.state.store import Store
from tests.durability.reference import OVER, Key, Plan
from workflows import failures
from workflows.done_gate import end_of_tasks
from workflows.factory import Factory

ERRORS = {"attempt": AttemptFailed, "terminal": Terminal, "person": NeedsHuman}
PARKED = {"terminal": "failed", "person": "needs_human"}
BAD = ("attempt", "terminal", "person")
WAYS: dict[str, tuple[str, ...]] = {
    "ingest": ("well", "well", "well", *BAD),
    "plan": ("well", "well", "well", *BAD),
    "code": ("well", "well", "well", "well", "again", "climb", "split", "park", *BAD),
    "verify": ("well", "well", "well", "well", "well", "red", "red", *BAD),
    "review": ("well", "well", "well", "well", "reject", "reject", "reject", "refused", "park", *BAD),
    "whole": ("well", "moved", *BAD),
    "close": ("well", *BAD),
}
"""How a phase may end, each way as often as it stands here."""

FILES = ("a.py", "b.py", "c.py")
CAPS = {"coder_failures": 2, "verify_failures": 2, "rejections": 3, "attempts": 3}
tally: Counter[str] = Counter()
"""How often each rule, and each outcome of a phase, really happened: a run that tries nothing proves nothing."""


@dataclass
class Held:
    """A claim as its worker sees it; ``standing`` is what a close found when it began."""

    claim: Claim
    worker: str
    plan: str
    key: Key
    standing: list[tuple[str, int]]
    steps: int = 0


class Outcomes:
    """Ends of phases, for the machine."""

    factory: Factory
    store: Store
    plans: dict[str, Plan]
    held: list[Held]
    stale: list[Held]
    early: bool

    def finish_as(self, held: Held, how: str, needs: list[set[int]]) -> None:
        self.held.remove(held)
        self.stale.append(held)
        model = self.plans[held.plan]
        tally[f"{held.key[1]}: {how}"] += 1
        if how in ERRORS:
            failures.end_run(self.factory, held.claim, ERRORS[how]("no"))
            self.consequence(model, held.key, how)
        else:
            with runs.finishing(self.store, held.claim, RunState.DONE) as now:
                model.runs[held.key].state = "done"
                getattr(self, held.key[1])(held, model, how, now, needs)
        for other in [h for h in self.held if self.plans[h.plan].runs[h.key].state == "skipped"]:
            self.held.remove(other)  # of a plan that is over
            self.stale.append(other)

    def consequence(self, model: Plan, key: Key, how: str) -> None:
        """What the rules say of a phase that ended with an error."""
        number, phase, attempt = key
        model.runs[key].state = "failed"
        if number is not None and how == "attempt":
            counter = "coder_failures" if phase == "code" else "rejections"
            model.retry_task(number, counter, min(2, CAPS["attempts"]))
        elif number is not None:
            model.end_task(number, PARKED[how])
        elif phase == "whole":
            model.unblock(key)
        elif phase == "close" and any(t.state not in OVER for t in model.tasks):
            return
        elif how == "attempt" and attempt < CAPS["attempts"]:
            model.next_phase(phase)
        else:
            model.end(PARKED.get(how, "failed"))

    def ingest(self, held: Held, model: Plan, _how: str, now: float, _needs: object) -> None:
        pipeline.next_plan_run(held.plan, Phase.PLAN, now)
        model.next_phase("plan")

    def plan(self, held: Held, model: Plan, _how: str, now: float, needs: list[set[int]]) -> None:
        graph = [{n for n in each if n < number} for number, each in enumerate(needs)]
        specs = [
            TaskSpec(f"t{n}", f"t{n}", (FILES[n % 3], FILES[sum(each) % 3]), tuple(f"t{m}" for m in sorted(each)))
            for n, each in enumerate(graph)
        ]
        pipeline.add_tasks(held.plan, specs, now)
        model.add_tasks(graph)

    def code(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        notes: dict[str, Json] = {"base": 1}
        if how == "well":
            pipeline.unblock_successors(held.claim.run.id, now)
            model.unblock(held.key)
        elif how == "again":
            pipeline.begin_again(task, now, ladder=notes, reason=how)
            model.again(number, counted=False)
        elif how == "climb":
            pipeline.climb_ladder(task, now, ladder=notes, reason=how)
            model.again(number, counted=True)
        elif how == "split":
            parts = [TaskSpec(f"{task} part {n} of attempt {held.key[2]}", "", (FILES[n],)) for n in range(2)]
            pipeline.split_task(task, now, parts=parts, ladder=notes, reason=how)
            model.split(number, len(parts))
        else:
            pipeline.park_unsolved(task, now, ladder=notes, diagnosis=how)
            model.tasks[number].counts["verify_failures"] += 1
            model.end_task(number, "needs_human")

    def verify(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        if how == "well":
            pipeline.pass_verification(task, held.claim.run.id, now, early=self.early)
            pipeline.check_whole_early(held.plan, now)
            model.passed(held.key, self.early)
            model.check_whole()
        else:
            self.retry(task, now, "verify_failures")
            model.retry_task(number, "verify_failures", CAPS["verify_failures"])

    def retry(self, task: int, now: float, counter: str) -> None:
        cap = CAPS[counter]
        pipeline.retry_or_fail(task, now, counter=counter, cap=cap, feedback=["x"], reason="x", cooldown_s=3)

    def review(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        if how == "well":
            pipeline.complete_task(task, now, early=self.early)
            model.complete(number, self.early)
        elif how == "reject":
            cap = CAPS["rejections"]
            pipeline.reject(task, now, early=self.early, counter="rejections", cap=cap, feedback=[], reason="x")
            model.reject(number, self.early, cap)
        elif how == "refused":
            self.retry(task, now, "verify_failures")
            model.retry_task(number, "verify_failures", CAPS["verify_failures"])
        else:
            pipeline.end_task(task, TaskState.NEEDS_HUMAN, now, how)
            model.end_task(number, "needs_human")

    def whole(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        pipeline.unblock_successors(held.claim.run.id, now)
        model.unblock(held.key)
        if how == "moved":
            pipeline.check_whole_early(held.plan, now)
            model.check_whole()

    def close(self, held: Held, model: Plan, _how: str, now: float, _needs: object) -> None:
        standing = [(t.state, t.attempts) for t in model.tasks]
        if pipeline.open_tasks(held.plan) or standing != held.standing:
            pipeline.close_if_over(held.plan, now)
            model.close_if_over()
            return
        state, reason = end_of_tasks([TaskState(s) for s, _ in standing])
        pipeline.end_plan(held.plan, state, now, reason)
        model.end(state.value)
