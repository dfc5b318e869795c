"""Reports made by hand for the tests of the pages: a good plan, a failed night, 5,000 findings. Builds no state."""

from __future__ import annotations

from dataclasses import replace

from lao.reports.model import (
    SCHEMA_VERSION,
    AttemptReport,
    Claim,
    Energy,
    Evidence,
    FindingReport,
    NextStep,
    NightReport,
    PlanReport,
    Question,
    RequirementStatus,
    Span,
    TaskReport,
    Usage,
)

T0 = 1_790_000_000.0
COMMIT = "4f2a9c1d0b7e6a5f3c2d1e0f9a8b7c6d5e4f3a2b"
CODER, REVIEWER, PLANNER = "qwen3-coder-30b", "gemma-3-27b-it", "qwen3.5-35b-a3b"
PATCH = """diff --git a/totals.py b/totals.py
new file mode 100644
index 0000000..8b13789
--- /dev/null
+++ b/totals.py
@@ -0,0 +1,4 @@
+def total(rows: list[float], vat: float) -> float:
+    \"\"\"The sum with VAT, to the cent.\"\"\"
+    return round(sum(rows) * (1 + vat), 2)
+
diff --git a/prices.py b/prices.py
--- a/prices.py
+++ b/prices.py
@@ -3,5 +3,5 @@ def read(path):
     with open(path) as file:
-        return [line.split(";") for line in file]
+        return [tuple(line.rstrip().split(";")) for line in file if line.strip()]
"""


def ran(command: str, code: int | None, ref: str, moment: str = "task", excerpt: str = "") -> Evidence:
    """A command with what it did."""
    told = excerpt or ("6 passed in 0.31s" if code == 0 else "E   AssertionError: 119.0 != 119.00\n1 failed, 5 passed")
    return Evidence(command, code, code == 0, 1.34, told, COMMIT, moment, "bubblewrap, no network", ref)


def attempt(number: int, outcome: str, run: int, reason: str = "") -> AttemptReport:
    """One attempt of ten minutes."""
    began = T0 + 400 * number
    said = Claim(f"Attempt {number} ended {outcome}.", (f"run:{run}",))
    return AttemptReport(number, outcome, reason, began, began + 380, 7, 18_230, int(number > 1), said)


def found(number: int, severity: str = "major", kind: str = "swallowed_error", task: int | None = 2) -> FindingReport:
    """A finding that stands."""
    said = f"line {number}: the error is caught and nothing is done with it"
    return FindingReport(
        severity, kind, said, "prices.py", "raise it", "swallowed", 0.9, task, True, f"finding:{number}"
    )


def task(number: int, title: str, state: str, **more: object) -> TaskReport:
    """A task; a completed one has a commit and is proved."""
    completed = state == "completed"
    made = TaskReport(
        id=number,
        title=title,
        state=state,
        claim=Claim(f"Task {number} is {state.replace('_', ' ')}.", (f"task:{number}", f"run:{number}0")),
        attempts=(attempt(1, "done" if completed else "failed", number * 10),),
        evidence=(ran("python3 -m pytest -q tests/test_totals.py", 0 if completed else 1, f"validation:{number}"),),
        commit=COMMIT if completed else None,
        files=("totals.py", "prices.py"),
        added=42 if completed else None,
        removed=7 if completed else None,
        risk=12.0,
        risk_why=("49 lines changed",),
        proof="proved" if completed else "none",
        commits=(COMMIT,) if completed else (),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def spans() -> tuple[Span, ...]:
    """A night in small: phases of three tasks, swaps, a wait, the gate."""
    made = [
        Span("phase", "ingest", T0, T0 + 4, None, "run:1"),
        Span("load", PLANNER, T0 + 4, T0 + 34, None, "event:1"),
        Span("phase", "plan", T0 + 34, T0 + 120, None, "run:2"),
        Span("swap", CODER, T0 + 120, T0 + 160, None, "event:2"),
        Span("gate", "waits for memory", T0 + 160, T0 + 190, None, "event:3"),
    ]
    for number in (1, 2, 3):
        at = T0 + 190 + 150 * number
        made += [
            Span("wait", "waits for a slot", T0 + 190, at, number, f"run:{number}0"),
            Span("phase", "code", at, at + 260, number, f"run:{number}0"),
            Span("call", CODER, at + 5, at + 90, number, f"event:{number}0"),
            Span("phase", "verify", at + 260, at + 284, number, f"run:{number}1"),
        ]
    made.append(Span("swap", REVIEWER, T0 + 900, T0 + 942, None, "event:4"))
    made += [Span("phase", "review", T0 + 942 + 40 * n, T0 + 980 + 40 * n, n, f"run:{n}2") for n in (1, 2, 3)]
    return tuple(made)


def usage() -> tuple[Usage, ...]:
    """What three models did; one server does not tell of its cache."""
    rows = ((PLANNER, "planner", 2, 9_800, 2_100, None), (CODER, "coder", 31, 412_000, 38_400, 290_000))
    return tuple(
        Usage(model, role, calls, prompt, written, cached, 812.5, Claim(f"{model} made {calls} calls.", ("event:10",)))
        for model, role, calls, prompt, written, cached in rows
    )


def good(name: str = "price-list") -> PlanReport:
    """All done: two proved tasks, requirements with evidence."""
    tasks = (
        task(1, "Totals with VAT", "completed", risk=64.0, risk_why=("it changes a public function", "no test")),
        task(2, "Read a price list", "completed", attempts=(attempt(1, "failed", 20, "1 of 3"), attempt(2, "done", 2))),
        task(3, "Command line", "completed", proof="checked", depends_on=(1, 2)),
    )  # fmt: skip
    check = ran("python3 -m pytest -q", 0, "validation:9", "close")
    demanded = tuple(
        RequirementStatus(
            f"R{n}", text, 4 + n, "proved", Claim(f"R{n} is proved by 1 command.", ("validation:9",)), (check,), (n,)
        )
        for n, text in enumerate(("Totals carry 19 % VAT, to the cent", "Prices come from a file", "One command"), 1)
    )
    return PlanReport(
        schema_version=SCHEMA_VERSION,
        id="price-list-1a2b3c",
        name=name,
        state="completed",
        over=True,
        claim=Claim("3 of 3 tasks are completed, 2 of 2 commands pass on the whole: it may be merged.", ("plan:x",)),
        reason="",
        file="plans/price-list.md",
        workspace="",
        base_commit=None,
        commit=COMMIT,
        claims=(Claim("3 of 3 requirements are proved.", ("requirement:x/R1",)), Claim("31 calls.", ("run:10",))),
        requirements=demanded,
        tasks=tasks,
        commands=(check, ran("python3 -m compileall -q .", 0, "validation:10", "close")),
        timeline=spans(),
        usage=usage(),
        energy=Energy(184_000.0, "nvidia", complete=False),
        findings=(found(1, "minor", "dead_import"),),
        findings_total=1,
        next_steps=(
            NextStep("lao diff price-list-1a2b3c", "Look at what changed, the riskiest first.", "plan:x"),
            NextStep("lao accept price-list-1a2b3c", "Take it as it is.", "plan:x"),
        ),
        started=T0,
        ended=T0 + 1_130,
    )  # fmt: skip


def failed() -> PlanReport:
    """A bad night: one task failed, one needs a person, a question is open, nothing measured."""
    tasks = (
        task(2, "Group by supplier", "failed", reason="not solved: 3 attempts, the last one failed 1 of 2 checks",
             findings=(found(7, "critical", "secret"), found(8)), risk=88.0, risk_why=("it failed",)),
        task(3, "Order of the rows", "needs_human", reason="the reviewer rejected it 3 times", evidence=()),
        task(1, "Totals with VAT", "completed"),
        task(4, "Print the table", "cancelled", attempts=(), evidence=()),
    )  # fmt: skip
    check = ran("python3 -m pytest -q", 1, "validation:9", "close")
    demanded = (
        RequirementStatus("ABC-12", "Group suppliers", 7, "failed", Claim("It fails.", ("plan:x",)), (check,), (2,)),
        RequirementStatus("R2", "Rows are in order", 8, "open", Claim("Nothing answers it.", ("task:3",)), (), (3,)),
        RequirementStatus("R3", "It is fast", 9, "unchecked", Claim("No command could fail.", ("plan:x",))),
    )  # fmt: skip
    return replace(
        good("suppliers"),
        state="needs_human",
        claim=Claim("1 task failed, 1 needs a person, 1 of 4 is completed: nothing may be merged yet.", ("plan:x",)),
        reason="a task needs a person",
        requirements=demanded,
        tasks=tasks,
        commands=(check, ran("make", None, "validation:11", "close", "(killed)")),
        usage=(),
        energy=None,
        findings=(found(7, "critical", "secret"), found(8), found(9, "info", "note", None)),
        findings_total=3,
        questions=(Question(4, "shell_exec", "rm -rf build", 2, T0 + 300, "question:4"),),
        next_steps=(NextStep("lao retry-failed suppliers", "Another set of attempts for 2 tasks.", "plan:x"),),
    )  # fmt: skip


def parked() -> PlanReport:
    """A night that got nowhere: planned, nothing begun, the gate shut."""
    waits = tuple(task(n, f"part {n}", "waiting", attempts=(), evidence=()) for n in range(1, 4))
    gate = Span("gate", "12.0 GB free, 21.5 GB needed", T0 + 10, None, None, "event:3")
    return replace(
        failed(), state="active", over=False, tasks=waits, requirements=(), commands=(), findings=(), findings_total=0,
        questions=(), timeline=(gate,), ended=None, commit=None,
        claim=Claim("Nothing is done: the memory gate has been shut since the beginning.", ("event:3",)),
        next_steps=(NextStep("lao doctor", "See what takes the memory.", "event:3"),),
    )  # fmt: skip


def crowded() -> PlanReport:
    """5,000 findings, 260 tasks with long patches, 3,000 spans."""
    many = tuple(found(n, ("critical", "major", "minor", "info")[n % 4], f"kind_{n % 7}") for n in range(1, 5_001))
    tasks = tuple(
        task(n, f"part {n} " + "of a long title " * 4, "failed" if n % 9 == 0 else "completed", findings=many[:40])
        for n in range(1, 261)
    )
    long = tuple(Span("phase", "code", T0 + n * 10, T0 + n * 10 + 9, n % 260 + 1, f"run:{n}") for n in range(3_000))
    return replace(good("crowded"), findings=many, findings_total=5_000, tasks=tasks, timeline=long)


def night() -> NightReport:
    """Two plans, the bad one first."""
    said = (
        Claim("1 of 2 plans is completed; 1 needs a person.", ("plan:a", "plan:b")),
        Claim("1 task failed.", ("task:2",)),
    )
    steps = (*failed().next_steps, *good().next_steps)
    return NightReport(T0 - 600, T0 + 3_000, (failed(), good()), said, spans(), usage(), steps)
