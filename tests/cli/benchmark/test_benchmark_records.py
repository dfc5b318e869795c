"""The report, the history, what counts as a regression, and what a trial makes of a broken story."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli import benchmark_cmd
from lao.cli.benchmark.records import HISTORY, LONGEST_HISTORY, REPORT, keep, read_history, regressions, report
from lao.cli.benchmark.trials import Result, Stage, Trial, carry_out
from lao.cli.benchmark.workshop import Broken
from lao.core.errors import BadInput

GOOD = Result("a", "It works.", True, "", 1.0)
BAD = Result("b", "It works, too.", False, "it does not", 2.0)


def kept(root: Path, *results: Result, kind: str = "simulated", **models: str) -> None:
    """One run more in the history."""
    keep(root, report(results, kind, models, []), read_history(root / HISTORY, print))


def test_only_what_passed_in_the_last_such_run_is_worse(tmp_path: Path) -> None:
    """M2: runs of another kind or with other models, and runs without the scenario, say nothing about it."""
    path = tmp_path / HISTORY
    kept(tmp_path, GOOD, Result("b", "", True, "", 1.0))
    kept(tmp_path, GOOD)
    history = read_history(path, print)
    assert regressions([GOOD, BAD], history, "simulated", {}) == ["b"]
    assert regressions([GOOD, BAD], history, "live", {"coder": "m"}) == []
    kept(tmp_path, BAD)
    assert regressions([GOOD, BAD], read_history(path, print), "simulated", {}) == []


def test_a_live_run_is_compared_with_the_same_models(tmp_path: Path) -> None:
    """M2: a weaker model is no regression of LAO."""
    kept(tmp_path, Result("b", "", True, "", 1.0), kind="live", coder="strong")
    history = read_history(tmp_path / HISTORY, print)
    assert regressions([BAD], history, "live", {"coder": "weak"}) == []
    assert regressions([BAD], history, "live", {"coder": "strong"}) == ["b"]


def test_the_history_is_bounded(tmp_path: Path) -> None:
    """M2: the oldest runs go."""
    history = read_history(tmp_path / HISTORY, print)
    kept(tmp_path, GOOD)
    (run,) = read_history(tmp_path / HISTORY, print)
    history = [run] * LONGEST_HISTORY
    keep(tmp_path, report([BAD], "simulated", {}, []), history)
    runs = read_history(tmp_path / HISTORY, print)
    assert len(runs) == LONGEST_HISTORY
    assert runs[-1].failed == ("b",)
    assert json.loads((tmp_path / REPORT).read_text())["pass_rate"] == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', '{"runs": 3}', '{"runs": [{"date": 1}]}', "\x00", '[{"pass_rate": 1.0}]', "[" * 99999],
)
def test_a_broken_history_is_set_aside_with_one_message(tmp_path: Path, text: str) -> None:
    """M2: also the file of another version; nothing is lost, no name is used twice, no traceback."""
    path, said = tmp_path / HISTORY, list[str]()
    for number in (1, 2):
        path.write_text(text)
        assert read_history(path, said.append) == []
        assert (tmp_path / f"benchmark_history.broken-{number}.json").read_text() == text
        assert not path.exists()
    assert len(said) == 2 and "is kept as 'benchmark_history.broken-1.json'" in said[0]


def test_a_history_that_is_a_folder_is_bad_input(tmp_path: Path) -> None:
    """M2: what cannot be read ends with one message before anything is run."""
    (tmp_path / HISTORY).mkdir()
    with pytest.raises(BadInput, match="cannot read"):
        read_history(tmp_path / HISTORY, print)


def test_the_verdict_counts_rate_regressions_and_lies() -> None:
    """M2: each of them alone is enough, a regression only where the key says so, a false "done" always."""
    entry = {"name": "a", "passed": True}
    good = {"pass_rate": 0.9, "regressions": ["a"], "scenarios": [entry]}
    assert benchmark_cmd._verdict(good, 0.85, False) == []
    assert benchmark_cmd._verdict(good, 0.85, True) == ["passed last time: a"]
    assert benchmark_cmd._verdict(good, 0.95, False) == ["90 % passed, benchmark_min_pass_rate wants 95 %"]
    false = {"pass_rate": 1.0, "regressions": [], "scenarios": [{**entry, "falsely_done": True}]}
    assert benchmark_cmd._verdict(false, 0.0, False) == ["falsely done: a"]


def test_a_trial_fails_by_what_breaks_by_a_check_and_without_any() -> None:
    """M2: a scenario can fail in three ways, and says which; its folder is gone in each case."""
    folders = []

    def breaks(stage: Stage) -> None:
        folders.append(stage.shop.root)
        stage.checks.equal("two", 2, 3)
        raise Broken("the worker went away")

    def checks_nothing(stage: Stage) -> None:
        folders.append(stage.shop.root)

    first, second = carry_out(Trial("x", "X.", breaks)), carry_out(Trial("y", "Y.", checks_nothing))
    assert (first.passed, first.reason) == (False, "the worker went away; two: 3 instead of 2")
    assert (second.passed, second.reason) == (False, "nothing was checked")
    assert [folder.exists() for folder in folders] == [False, False]
