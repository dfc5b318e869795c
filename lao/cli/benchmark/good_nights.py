"""Trials in which models are slow to be right: drafts that fail, rejections, nonsense, a big file, two plans, lies."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from lao.cli.benchmark.trials import Stage, Trial
from lao.core.words import Json

CHECK: Final = """out=$(python3 a.py); [ "$out" = right ] || { echo "got $out instead"; exit 1; }"""
BIG_LINES: Final = 6000
"""Functions of the big file; about ten times what the model's window holds."""
WINDOW: Final = 8192
SHORT: Final[dict[str, dict[str, Json]]] = {
    "orchestration": dict.fromkeys(("retry_cap_coder", "retry_cap_validation", "max_task_attempts"), 1),
    "attempts": {"repairs": 1, "candidates": 1, "split": False, "idle": False},
}


def parts(count: int, *, check: str = "", chained: bool = False) -> str:
    """A plan of tasks that each write one file with known content; ``{n}`` in ``check`` is the task's number."""
    lines = ["# Build parts", ""]
    for n in range(1, count + 1):
        after = f" | after: part {n - 1}" if chained and n > 1 else ""
        test = f" | test: {check.format(n=n)}" if check else ""
        lines.append(f"- task: part {n} | file: part_{n}.txt | content: content of part {n}{after}{test}")
    return "\n".join(lines) + "\n"


def all_done(stage: Stage, plan: str, *, tasks: int) -> list[dict[str, Any]]:
    """The plan and its tasks are completed, each step is committed once, the work tree is clean; gives the tasks."""
    view = stage.shop.status()
    ids = [p["id"] for p in view["plans"] if p["name"] == plan]
    states = {p["state"]: p["reason"] for p in view["plans"] if p["id"] in ids}
    stage.checks.true(f"plan {plan!r} is completed", list(states) == ["completed"], states or "there is no such plan")
    mine = [t for t in view["tasks"] if t["plan"] in ids]
    open_ = [f"{t['title']} is {t['state']}: {t['reason']}" for t in mine if t["state"] != "completed"]
    stage.checks.true(f"{tasks} tasks are completed", len(mine) == tasks and not open_, open_ or f"{len(mine)} tasks")
    trailers = stage.shop.git(plan, "log", "--format=%(trailers:key=LAO-Step,valueonly,separator=%x2C)")
    twice = [step for step, n in Counter(filter(None, trailers.splitlines())).items() if n > 1]
    stage.checks.true("no step is committed twice", not twice, twice)
    stage.checks.true("every task has a commit", all(_holds(stage, plan, t["commit"]) for t in mine), "one has none")
    stage.checks.equal("nothing is left uncommitted", "", stage.shop.git(plan, "status", "--porcelain").strip())
    return mine


def _holds(stage: Stage, plan: str, commit: str | None) -> bool:
    return bool(commit) and bool(stage.shop.git(plan, "rev-parse", "--verify", f"{commit}^{{commit}}"))


def committed(stage: Stage, plan: str, file: str, text: str) -> None:
    """The last commit has the file with this content."""
    stage.checks.equal(
        f"{file} is committed as it should be", text, stage.shop.git(plan, "show", f"HEAD:{file}").strip()
    )


def _writes(path: str, content: str) -> dict[str, Json]:
    return {"tool_calls": [{"name": "file_write", "arguments": {"path": path, "content": content}}]}


def _happy(stage: Stage) -> None:
    stage.shop.plan("happy", parts(3, check="test -s part_{n}.txt", chained=True))
    stage.ends(0)
    tasks = all_done(stage, "happy", tasks=3)
    for n in (1, 2, 3):
        committed(stage, "happy", f"part_{n}.txt", f"content of part {n}")
    stage.checks.equal("each task is right at its first attempt", [1, 1, 1], [t["attempts"] for t in tasks])


def _repaired(stage: Stage) -> None:
    stage.shop.plan("repaired", f"# Parts\n\n- task: a | file: a.py\n\nTest: `{CHECK}`\n")
    stage.ends(0)
    tasks = all_done(stage, "repaired", tasks=1)
    stage.checks.equal("it is solved by a repair", ["repair"], [t["rung"] for t in tasks])
    committed(stage, "repaired", "a.py", "print('right')")


_REPAIR: Final[dict[str, Json]] = {
    "responses": [
        {
            "match": {"role": "coder", "contains": "got wrong instead"},
            "answer": _writes("a.py", "print('right')\n"),
            "times": 1,
        },
        {
            "match": {"role": "coder", "contains": "Files of this task"},
            "answer": _writes("a.py", "print('wrong')\n"),
            "times": 1,
        },
        {"match": {"role": "coder"}, "answer": {"text": "Done."}},
    ]
}


def _rejected(stage: Stage) -> None:
    stage.shop.plan("rejected", parts(1))
    stage.ends(0)
    tasks = all_done(stage, "rejected", tasks=1)
    stage.checks.equal("the rejection made a second attempt", [2], [t["attempts"] for t in tasks])
    committed(stage, "rejected", "part_1.txt", "other words")
    log = stage.shop.git("rejected", "show", "HEAD:LAO_REVIEW.log").splitlines()
    stage.checks.true("both verdicts are kept", [("REJECTED" in line) for line in log] == [True, False], log)


_FINDING: Final[dict[str, Json]] = {
    "severity": "major",
    "file": "part_1.txt",
    "message": "wrong words",
    "hint": "",
    "criterion": "Write part_1.txt with content of part 1",
    "line": 1,
}
_REJECTION: Final[dict[str, Json]] = {
    "responses": [
        {
            "match": {"role": "reviewer", "nth": 1},
            "answer": {"json": {"verdict": "rejected", "findings": [_FINDING], "summary": "not what was asked"}},
        },
        {
            "match": {"role": "coder", "contains": "wrong words"},
            "answer": {"text": "FILE: part_1.txt\n```\nother words\n```"},
        },
    ]
}


def _nonsense(stage: Stage) -> None:
    stage.shop.plan("nonsense", parts(2, check="test -s part_{n}.txt"))
    stage.ends(0)
    all_done(stage, "nonsense", tasks=2)
    committed(stage, "nonsense", "part_2.txt", "content of part 2")


_BABBLE: Final[dict[str, Json]] = {
    "responses": [
        {"match": {"role": "planner", "nth": 1}, "answer": {"text": "Certainly! Here is a plan: first, think hard. "}},
        {"match": {"role": "coder", "nth": 1}, "answer": {"text": "la la la ", "repeat": 400}},
        {"match": {"role": "coder", "nth": 3}, "answer": {"text": ""}},
        {"match": {"role": "reviewer", "nth": 1}, "answer": {"text": '{"verdict": "appr'}},
    ]
}


def _big_file(stage: Stage) -> None:
    text = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(BIG_LINES))
    stage.shop.begin("window", {"big.py": text})
    test = "`python3 -c 'import big; assert big.f4321() == -1'`"
    stage.shop.plan("window", f"# Fix\n\n- task: Let f4321 return -1 | file: big.py | test: {test}\n")
    stage.ends(0)
    all_done(stage, "window", tasks=1)
    wanted = text.replace("return 4321\n", "return -1\n")
    kept = stage.shop.git("window", "show", "HEAD:big.py")
    stage.checks.true("the rest of the file is as it was", kept == wanted, f"{len(kept)} characters of {len(wanted)}")
    longest = max((int(e["prompt_tokens"]) for e in stage.server.log if e["kind"] == "completion"), default=0)
    stage.checks.true(f"no prompt is longer than {WINDOW} tokens", longest <= WINDOW, longest)


_PATCH: Final[dict[str, Json]] = {
    "path": "big.py",
    "search": "def f4321():\n    return 4321\n",
    "replace": "def f4321():\n    return -1\n",
}
_SMALL: Final[dict[str, Json]] = {
    "context_cap": WINDOW,
    "responses": [
        {
            "match": {"role": "coder", "tools": True, "nth": 1},
            "answer": {"tool_calls": [{"name": "file_patch", "arguments": _PATCH}]},
        },
        {"match": {"role": "coder"}, "answer": {"text": "Done."}},
    ],
}


def _two_plans(stage: Stage) -> None:
    for plan in ("left", "right"):
        stage.shop.plan(plan, parts(2, check="test -s part_{n}.txt").replace("Build parts", plan))
    stage.ends(0)
    for plan in ("left", "right"):
        all_done(stage, plan, tasks=2)
    stage.checks.equal("three models are loaded once each", 3, stage.server.stats["loads"])
    stage.checks.equal("never two large models at once", 1, stage.server.stats["max_large_resident"])


def _liar(stage: Stage) -> None:
    _never(stage, "liar")
    stage.checks.equal("no file was made", "", stage.shop.git("liar", "ls-files", "part_1.txt").strip())


def _wrong(stage: Stage) -> None:
    _never(stage, "wrong")


def _never(stage: Stage, plan: str) -> None:
    """Nothing of the plan may be called done, whatever its models say."""
    stage.shop.plan(plan, parts(1, check='grep -qx "content of part {n}" part_{n}.txt'))
    stage.ends(4)
    view = stage.shop.status()
    states = [(p["state"], p["reason"]) for p in view["plans"]]
    stage.checks.true("the plan is not done", bool(states) and states[0][0] == "needs_human", states)
    tasks = [(t["state"], t["reason"]) for t in view["tasks"]]
    stage.checks.true("the task waits for a person", [state for state, _ in tasks] == ["needs_human"], tasks or states)
    stage.checks.true("its reason is told", bool(tasks) and bool(tasks[0][1]), tasks or "there is no task")
    stage.checks.equal("nothing is left uncommitted", "", stage.shop.git(plan, "status", "--porcelain").strip())


_LIE: Final = "I have written part_1.txt, and all tests pass. The task is completed."
_LIAR: Final[dict[str, Json]] = {"responses": [{"match": {"role": "coder"}, "answer": {"text": _LIE}}]}
_BOTCHED: Final = f"FILE: part_1.txt\n```\nsomething else\n```\n\n{_LIE}"
_WRONG: Final[dict[str, Json]] = {"responses": [{"match": {"role": "coder"}, "answer": {"text": _BOTCHED}}]}

GOOD_NIGHTS: Final = (
    Trial("happy-plan", "A plan of three tasks becomes tested, reviewed commits.", _happy),
    Trial("first-answer-wrong", "A draft that fails its command is repaired with the real output.", _repaired, _REPAIR),
    Trial("review-rejects", "What the review rejects is done anew and then approved.", _rejected, _REJECTION),
    Trial(
        "nonsense-answers", "Babble of planner, coder and reviewer costs a call and not the plan.", _nonsense, _BABBLE
    ),
    Trial(
        "file-beyond-window",
        "A file far larger than the model's window is changed in one place only.",
        _big_file,
        _SMALL,
        {"orchestration": {"analyst_enabled": False}},
    ),
    Trial("two-plans", "Two plans are worked on with as few model swaps as possible.", _two_plans),
    Trial(
        "claims-and-does-nothing", "A model that says done and has done nothing is not believed.", _liar, _LIAR, SHORT
    ),
    Trial("claims-and-fails", "A model that says done while its command fails is not believed.", _wrong, _WRONG, SHORT),
)
