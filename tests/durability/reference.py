"""The rules of the pipeline once more, in memory and without SQL: what the model-based test holds the state file to."""

from __future__ import annotations

from dataclasses import dataclass, field

ATTEMPT = ("code", "verify", "review")
ENTERED = {"code": "coding", "verify": "verifying", "review": "reviewing"}
ENDED = ("failed", "needs_human", "cancelled")
OVER = ("completed", *ENDED)

Key = tuple[int | None, str, int]
"""(number of the task in its plan, phase, attempt)"""


@dataclass(eq=False)
class Task:
    needs: set[int]
    state: str = "waiting"
    attempts: int = 0
    recheck: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"coder_failures": 0, "verify_failures": 0, "rejections": 0})


@dataclass
class Run:
    state: str
    after: Key | None = None
    begun: bool = False


class Plan:
    """One plan. Methods are named after what happens; each is the whole consequence."""

    def __init__(self) -> None:
        self.state = "queued"
        self.tasks: list[Task] = []
        self.runs: dict[Key, Run] = {}
        self.next_phase("ingest")

    def seen(self) -> tuple[object, ...]:
        """What the state file must show."""
        tasks = [(t.state, t.attempts, t.recheck, *t.counts.values()) for t in self.tasks]
        return self.state, tasks, {key: run.state for key, run in self.runs.items()}

    def claim(self, key: Key) -> None:
        task, phase, _ = key
        self.runs[key].state, self.runs[key].begun = "running", True
        if task is not None:
            self.tasks[task].state = ENTERED[phase]
        elif phase == "plan" and self.state == "queued":
            self.state = "planning"

    # of a plan

    def of_phase(self, phase: str) -> dict[Key, Run]:
        return {key: run for key, run in self.runs.items() if key[:2] == (None, phase)}

    def open_phase(self, phase: str) -> Key | None:
        return next((k for k, r in self.of_phase(phase).items() if r.state in ("ready", "blocked", "running")), None)

    def next_phase(self, phase: str, after: Key | None = None) -> None:
        if self.open_phase(phase) is None:
            key = (None, phase, len(self.of_phase(phase)) + 1)
            self.runs[key] = Run("blocked" if after else "ready", after)

    def add_tasks(self, needs: list[set[int]]) -> None:
        self.state = "active"
        self.tasks = [Task(set(each)) for each in needs]
        for number, task in enumerate(self.tasks):
            if not task.needs:
                self.start(number)

    def close_if_over(self) -> None:
        if all(t.state in OVER for t in self.tasks):
            whole = self.open_phase("whole")
            if whole and not self.runs[whole].begun:
                self.runs[whole].state, whole = "skipped", None
            self.next_phase("close", whole)

    def only_reviews_left(self) -> bool:
        states = [t.state for t in self.tasks]
        before = [r for k, r in self.runs.items() if k[0] is not None and k[1] != "review"]
        busy = any(r.state in ("ready", "blocked", "running") for r in before)
        return not busy and "waiting" not in states and any(s not in OVER for s in states)

    def check_whole(self) -> None:
        if len(self.tasks) > 1 and self.only_reviews_left():
            self.next_phase("whole")

    def end(self, state: str) -> None:
        if self.state not in OVER:
            for run in self.runs.values():
                run.state = "skipped" if run.state in ("ready", "blocked", "running") else run.state
            self.state = state

    def retry(self) -> int:
        again = [n for n, t in enumerate(self.tasks) if t.state in ("failed", "needs_human")]
        if again:
            self.state = "active"
            for number in again:
                task = self.tasks[number]
                task.state, task.counts = "waiting", dict.fromkeys(task.counts, 0)
            for number in again:
                if all(self.tasks[n].state == "completed" for n in self.tasks[number].needs):
                    self.start(number)
            return len(again)
        if self.state not in ("failed", "needs_human"):
            return 0
        self.state = "active" if self.tasks else "queued"
        ingested = any(r.state == "done" for r in self.of_phase("ingest").values())
        self.next_phase("close" if self.tasks else "plan" if ingested else "ingest")
        return 1

    # of a task

    def start(self, number: int) -> None:
        task = self.tasks[number]
        task.attempts, task.state = task.attempts + 1, "ready"
        before: Key | None = None
        for phase in ATTEMPT[1:] if task.recheck else ATTEMPT:
            key = (number, phase, task.attempts)
            self.runs[key] = Run("blocked" if before else "ready", before)
            before = key

    def skip(self, number: int) -> None:
        for key, run in self.runs.items():
            if key[0] == number and run.state in ("ready", "blocked"):
                run.state = "skipped"

    def unblock(self, key: Key) -> None:
        for run in self.runs.values():
            if run.after == key and run.state == "blocked":
                run.state = "ready"

    def dependents(self, number: int) -> list[int]:
        return [n for n, t in enumerate(self.tasks) if number in t.needs]

    def is_verified(self, number: int) -> bool:
        task = self.tasks[number]
        review = self.runs.get((number, "review", task.attempts))
        state = review.state if review else ""
        return task.state in ("verifying", "reviewing") and state in ("ready", "running")

    def needs_met(self, number: int, early: bool) -> bool:
        needs = self.tasks[number].needs
        return all(self.tasks[n].state == "completed" or (early and self.is_verified(n)) for n in needs)

    def start_dependents(self, number: int, early: bool) -> None:
        for n in self.dependents(number):
            if self.tasks[n].state == "waiting" and self.needs_met(n, early):
                self.start(n)

    def retry_task(self, number: int, counter: str, cap: int) -> None:
        task = self.tasks[number]
        self.skip(number)
        task.counts[counter] += 1
        task.recheck = ""
        if task.counts[counter] >= cap:
            self.end_task(number, "failed")
        else:
            self.start(number)

    def again(self, number: int, *, counted: bool) -> None:
        self.skip(number)
        self.tasks[number].counts["verify_failures"] += counted
        self.start(number)

    def end_task(self, number: int, state: str) -> None:
        self.skip(number)
        self.tasks[number].state = state
        self.end_stranded()
        self.close_if_over()

    def end_stranded(self) -> None:
        """What needs a task that is over without success, and is not at work, is over too."""
        for number, task in enumerate(self.tasks):
            if task.state in ("waiting", "ready") and any(self.tasks[n].state in ENDED for n in task.needs):
                self.skip(number)
                task.state = "failed"
                self.end_stranded()

    def split(self, number: int, parts: int) -> None:
        self.skip(number)
        task, first = self.tasks[number], len(self.tasks)
        task.counts["verify_failures"] += 1
        task.state = "waiting"
        self.end_stranded()
        if task.state != "waiting":
            self.close_if_over()
            return
        task.needs |= set(range(first, first + parts))
        self.tasks += [Task({n - 1} if n > first else set()) for n in range(first, first + parts)]
        self.start(first)

    def hold(self, number: int, reached: str) -> None:
        self.skip(number)
        self.tasks[number].state, self.tasks[number].recheck = "waiting", reached

    def passed(self, key: Key, early: bool) -> None:
        number = key[0]
        assert number is not None
        task = self.tasks[number]
        if task.recheck == "approved":
            self.skip(number)
            self.complete(number, early)
        elif early and not self.needs_met(number, early=True):
            self.hold(number, "verified")
            self.end_stranded()
            self.close_if_over()
        else:
            task.recheck = ""
            self.unblock(key)
            if early:
                self.start_dependents(number, early=True)

    def complete(self, number: int, early: bool) -> None:
        if early and not self.needs_met(number, early=True):
            self.hold(number, "approved")
            self.end_stranded()
        else:
            self.tasks[number].state, self.tasks[number].recheck = "completed", ""
            self.start_dependents(number, early)
        self.close_if_over()

    def reject(self, number: int, early: bool, cap: int) -> None:
        todo, met = self.dependents(number) if early else [], set()
        while todo:
            n = todo.pop()
            if n not in met:
                met.add(n)
                self.send_back(n)
                todo += self.dependents(n)
        self.end_stranded()
        self.retry_task(number, "rejections", cap)

    def send_back(self, number: int) -> None:
        task = self.tasks[number]
        begun = any(r.begun for k, r in self.runs.items() if k[0] == number and r.state in ("ready", "running"))
        if task.state == "completed":
            self.hold(number, "approved")
        elif task.state == "ready":
            self.skip(number)
            task.state = "waiting"
        elif self.is_verified(number) and not begun:
            self.hold(number, "verified")
