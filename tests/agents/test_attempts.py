"""The attempt strategy: which rung comes next, what the checks decide, when it ends, and that a resume agrees."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from lao.agents.attempts import Attempt, Bench, Solved, Unsolved
from lao.agents.coder_brief import CoderBrief
from lao.agents.ladder import Checked, Ladder, over_budget
from lao.config.settings import AttemptSettings
from lao.core.chat import ChatAnswer, Usage
from lao.core.steps import StepKind, Steps
from lao.core.words import TaskSpec
from tests.agents.fakes import FakeToolbox, ScriptedModel, Tape, settings

LIMITS = AttemptSettings(repairs=2, candidates=4, tokens=None, wall_s=None, split=True, idle=True)
BRIEF = CoderBrief("plan", "the plan", TaskSpec("write a", "a must be 3", ("a.py",)), commands=("check a",))


class FakeBench:
    """Passes ``a.py`` when it holds the wanted text; the score is how many lines of it are right."""

    def __init__(
        self, toolbox: FakeToolbox, steps: Steps, wanted: str, seconds: float = 0.0, before: float = 0.0
    ) -> None:
        self.toolbox, self.steps, self.wanted, self.seconds = toolbox, steps, wanted, seconds
        self.original = dict(toolbox.files)
        self.score_before = before
        self.checked: list[str] = []
        self.undone = 0

    def before(self) -> Checked:
        return Checked(False, self.score_before, "before text", "before focus")

    def check(self, label: str, seen: Collection[str] = ()) -> Checked:
        def look() -> Any:
            text = self.toolbox.files.get("a.py", "")
            self.checked.append(label)
            if text == self.wanted:
                return Checked(True, 1.0, seconds=self.seconds).to_json()
            if text in seen:
                return Checked(False, 0.0, "again", "again", "repeated", text).to_json()
            right = sum(a == b for a, b in zip(text.splitlines(), self.wanted.splitlines(), strict=False))
            return Checked(
                False, right / 2, f"{label} failed", f"focus {text.strip()}", f"f{text}", text, self.seconds,
                (("a.py", text),),
            ).to_json()  # fmt: skip

        return Checked.from_json(self.steps.run(StepKind.REPEATABLE, label, look))

    def restore(self, label: str) -> None:
        self.steps.run(StepKind.REPEATABLE, label, self._back)

    def _back(self) -> None:
        self.undone += 1
        self.toolbox.files = dict(self.original)

    def place(self, label: str, files: tuple[tuple[str, str], ...]) -> None:
        self.steps.run(StepKind.READ, label, lambda: self.toolbox.files.update(dict(files)))


def code(text: str) -> str:
    return f"FILE: a.py\n```python\n{text}```\n"


class Setting:
    """One attempt with everything around it."""

    def __init__(self, *answers: Any, wanted: str = "a = 3\n", steps: Steps | None = None, **more: Any) -> None:
        self.model = ScriptedModel(*answers)
        self.steps = steps or Tape()
        self.toolbox = FakeToolbox(**{"b.py": "b = 1\n"})
        self.ladder: Ladder = more.pop("ladder", Ladder())
        self.bench = FakeBench(
            self.toolbox, self.steps, wanted, more.pop("check_seconds", 0.0), more.pop("before", 0.0)
        )
        bench: Bench = self.bench
        self.attempt = Attempt(
            more.pop("brief", BRIEF),
            model=self.model,
            settings=more.pop("settings", settings()),
            limits=more.pop("limits", LIMITS),
            steps=self.steps,
            toolbox=self.toolbox,
            bench=bench,
            ladder=self.ladder,
            number=more.pop("number", 1),
            max_turns=5,
        )
        assert not more

    def run(self) -> Solved:
        return self.attempt.run()

    def rungs(self) -> list[str]:
        return [entry["rung"] for entry in self.ladder.rounds]

    def temperatures(self) -> list[float | None]:
        return [request.temperature for request in self.model.requests]


def test_a_draft_that_passes_is_all_that_is_asked_for() -> None:
    """One good answer costs one model call and undoes nothing."""
    it = Setting(code("a = 3\n"))
    solved = it.run()
    assert (solved.rung, solved.round, it.ladder.solved) == ("draft", 1, "draft")
    assert len(it.model.requests) == 1
    assert it.bench.undone == 0
    assert it.toolbox.files["a.py"] == "a = 3\n"


def test_a_failing_draft_is_repaired_with_the_real_output() -> None:
    """The repair sees what the checks said, and the version that failed."""
    it = Setting(code("a = 1\n"), code("a = 3\n"))
    solved = it.run()
    assert (solved.rung, solved.round) == ("repair", 2)
    assert "draft-1 failed" in it.model.last_user()
    assert "a = 1" in it.model.last_user()


def test_what_failed_is_undone_and_the_budget_noted() -> None:
    """After draft and two repairs the folder is as before, and the ladder knows the nearest candidate."""
    it = Setting(code("x\n"), code("y\nq\n"), code("z\n"), wanted="a = 3\nq\n")
    with pytest.raises(Unsolved) as caught:
        it.run()
    assert caught.value.kind == "checks_failed"
    assert it.rungs() == ["draft", "repair", "repair"]
    assert it.toolbox.files == {"b.py": "b = 1\n"}
    assert it.ladder.best is not None
    assert it.ladder.best.files == (("a.py", "y\nq\n"),)
    assert "3 rounds (draft 1, repair 2)" in it.ladder.diagnosis()


def test_the_same_code_again_ends_the_repairs() -> None:
    """A repair that changes nothing is not answered with another one."""
    it = Setting(*[code("a = 1\n")] * 6)
    with pytest.raises(Unsolved):
        it.run()
    assert it.rungs() == ["draft", "repair"]
    assert len(it.model.requests) <= 4


def test_the_second_attempt_is_fresh_hotter_and_in_another_form() -> None:
    """A fresh context with a lesson, another temperature, text instead of tools."""
    ladder = Ladder(last=Checked(False, 0.1, "text", "f(2) == 3 but was 4", "f", "c"))
    it = Setting(code("a = 3\n"), number=2, ladder=ladder, settings=settings(supports_tools=True))
    assert it.run().rung == "fresh"
    assert it.model.requests[0].tools == ()
    assert it.model.requests[0].temperature == 0.5
    assert "f(2) == 3 but was 4" in it.model.last_user()


def test_candidates_are_independent_and_stop_at_the_first_that_passes() -> None:
    """Byte-identical prompts, different temperatures, each from the checkpoint, the first green one wins."""
    it = Setting(code("a = 1\n"), code("a = 2\n"), code("a = 3\n"), number=3)
    solved = it.run()
    assert (solved.rung, solved.round) == ("candidates", 3)
    prompts = [str(request.messages) for request in it.model.requests]
    assert prompts[0] == prompts[1] != prompts[2]
    assert len(set(it.temperatures())) > 1
    assert it.bench.undone == 2


def test_half_of_the_candidates_are_asked_in_another_form() -> None:
    """A plain prompt without rules: the file as it is, the tests, one code block; the next attempt ends with it."""
    brief = replace(BRIEF, context_files=(("a.py", "stub = None\n"), ("test_a.py", "assert a == 3\n")))
    it = Setting(*[code(f"a = {n}\n") for n in (1, 2)], code("a = 3\n"), number=3, brief=brief)
    assert it.run().round == 3
    plain = it.model.last_user(0)
    assert it.model.last_user(1) == plain != it.model.last_user(2)
    assert "stub = None" in plain
    assert "assert a == 3" in plain
    assert "FILE:" not in plain
    again = Setting(code("a = 3\n"), number=4, brief=brief)
    again.run()
    assert again.model.last_user(0) == it.model.last_user(2)


def test_the_plain_form_shows_what_other_files_define() -> None:
    """Without the map a model in an existing repository can only guess names; one that takes too much is left out."""
    brief = replace(BRIEF, repo_map="rates.py:\n  def vat_of(cents):")
    it = Setting(code("a = 3\n"), number=3, brief=brief)
    it.run()
    assert "def vat_of(cents):" in it.model.last_user(0)
    wide = replace(brief, repo_map="\n".join(f"  def function_{n}(argument_{n}):" for n in range(4000)))
    again = Setting(code("a = 3\n"), number=3, brief=wide)
    again.run()
    assert "def function_1(" not in again.model.last_user(0)


def test_the_plain_form_is_for_one_short_file_to_be_written_whole() -> None:
    """A long file, several files, or a model that is to send edits: asked as always."""
    stub = (("a.py", "stub = None\n"),)
    brief = replace(BRIEF, context_files=stub)
    cases = [
        (replace(BRIEF, context_files=(("a.py", "x = 1\n" * 200),)), settings()),
        (replace(brief, task=TaskSpec("both", "", ("a.py", "b.py"))), settings()),
        (brief, settings(edit_format="search_replace")),
    ]
    for shown, told in cases:
        it = Setting(code("a = 3\n") + "\nFILE: b.py\n```python\nb = 2\n```\n", number=3, brief=shown, settings=told)
        it.run()
        assert "FILE:" in it.model.last_user(0)
    plain = Setting(code("a = 3\n"), number=3, brief=brief)
    plain.run()
    assert "FILE:" not in plain.model.last_user(0)


HALF = "class A:\n    def f(self):\n        return {f}\n\n    def g(self):\n        return {g}\n"


def test_candidates_that_are_right_in_different_places_are_crossed() -> None:
    """One has the first method right, another the second: together they pass, and no model is asked for it."""
    answers = [code(HALF.format(f=f, g=g)) for f, g in ((1, 9), (8, 2), (7, 7), (6, 6))]
    it = Setting(*answers, wanted=HALF.format(f=1, g=2), number=3)
    solved = it.run()
    assert (solved.rung, solved.result.files, solved.result.turns) == ("cross", ("a.py",), 0)
    assert it.toolbox.files["a.py"] == HALF.format(f=1, g=2)
    assert len(it.model.requests) == 4
    assert it.rungs()[-1] == "cross"


def test_a_repair_that_gains_nothing_is_not_followed_by_another() -> None:
    """Other code, another failure, no more right than before: the next sample is worth more."""
    it = Setting(code("a = 3\nx\n"), code("a = 3\ny\n"), wanted="a = 3\nq\n")
    with pytest.raises(Unsolved):
        it.run()
    assert it.rungs() == ["draft", "repair"]


def test_two_samples_never_share_a_seed_that_the_user_fixed() -> None:
    """A fixed seed would give the same answer again."""
    it = Setting(code("a = 1\n"), code("a = 3\n"), number=3, settings=settings(seed=7, temperature=0.1))
    it.run()
    assert it.temperatures() == [0.1, 0.1]
    assert len({request.seed for request in it.model.requests}) == 2


def test_the_nearest_candidate_is_worked_on_when_none_passes() -> None:
    """After the samples the best one is repaired, from its own code."""
    answers = [code("q\n"), code("a = 3\nw\n"), code("e\n"), code("r\n"), code("a = 3\nq\n")]
    it = Setting(*answers, wanted="a = 3\nq\n", number=3)
    assert it.run().rung == "climb"
    assert "a = 3\nw" in it.model.last_user()


def test_nearly_right_is_mended_by_a_short_prompt() -> None:
    """The version and its failure, nothing else; every third round of climbing shows everything again."""
    answers = [code(f"{letter}\n") for letter in "qzx"] + ["```python\nw\n```", "```python\ne\n```", code("r\n")]
    it = Setting(code("a = 3\nw\n"), *answers, wanted="a = 3\nq\n", number=3)
    with pytest.raises(Unsolved):
        it.run()
    assert it.rungs()[-3:] == ["climb"] * 3
    short, again, whole = (it.model.last_user(n) for n in (-3, -2, -1))
    assert "the plan" not in short + again
    assert "a = 3\nw" in short
    assert "candidates-1 failed" in short
    assert "the plan" in whole


def test_an_answer_without_code_is_a_failed_candidate_and_not_the_end() -> None:
    """One bad answer does not cost the other samples, and is not argued about: the next sample is."""
    it = Setting(code("a = 1\n"), "I cannot.", code("a = 3\n"), number=3)
    assert it.run().round == 3
    assert it.ladder.rounds[1]["score"] == -1.0


@pytest.mark.parametrize("limits", [replace(LIMITS, tokens=150), replace(LIMITS, wall_s=15.0)])
def test_the_budget_ends_the_rounds(limits: AttemptSettings) -> None:
    """Tokens and seconds of a task are bounded, whatever rounds are left."""

    def answer(n: int) -> ChatAnswer:
        return ChatAnswer(code(f"a = 3{n}\n"), finish_reason="stop", usage=Usage(50, 50), seconds=5.0)

    it = Setting(*(answer(n) for n in range(6)), number=3, limits=limits, check_seconds=1.0)
    with pytest.raises(Unsolved):
        it.run()
    assert 1 < len(it.model.requests) < 4
    assert over_budget(it.ladder, limits, reserve_s=6.0)


def test_tokens_from_the_servers_cache_are_free() -> None:
    """What the server did not have to read again is not counted."""
    answer = ChatAnswer(code("a = 3\n"), finish_reason="stop", usage=Usage(1000, 20, cached=990))
    it = Setting(answer)
    it.run()
    assert it.ladder.tokens == 30


def test_code_that_runs_already_shows_what_fails() -> None:
    """When a part of the checks passes before anything is changed, the failing rest is told at once."""
    it = Setting(code("a = 3\n"), before=0.6)
    it.run()
    assert "before text" in it.model.last_user(0)
    bare = Setting(code("a = 3\n"), before=0.1)
    bare.run()
    assert "before text" not in bare.model.last_user(0)


def test_a_resumed_attempt_takes_the_same_way() -> None:
    """Replayed from any step, an attempt makes the same steps and ends the same."""
    answers = [code("q\n"), code("a = 3\nw\n"), code("e\n"), code("r\n"), code("a = 3\nq\n")]
    whole = Setting(*answers, wanted="a = 3\nq\n", number=3)
    whole.run()
    tape = whole.steps.tape  # type: ignore[attr-defined]
    for cut in range(len(tape)):
        done = sum(1 for label, _ in tape[:cut] if label.startswith("model:"))
        it = Setting(*answers[done:], wanted="a = 3\nq\n", number=3, steps=Tape(tape[:cut]))
        for label, value in tape[:cut]:
            if label.startswith("tool:file_write"):
                it.toolbox.files["a.py"] = "?"
            del value
        if not cut or tape[cut - 1][0].startswith(("undo", "model")):
            it.toolbox.files = dict(it.bench.original)
            assert it.run().rung == "climb"
            assert it.ladder.to_json() == whole.ladder.to_json()


def test_the_ladder_survives_json() -> None:
    """What is kept with the task comes back whole; unknown keys of other versions are ignored."""
    ladder = Ladder(2.5, 10, [{"rung": "draft"}], Checked(False, 0.4, "t", "f", "x", "c", 1.0, (("a", "b"),)), None)
    again = Ladder.from_json({**ladder.to_json(), "unknown": 1})
    assert again == ladder
    assert Ladder.from_json({}) == Ladder()
