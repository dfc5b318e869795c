"""Promises: many commands at once, and yet each is judged as if it had run alone or after those before it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lao.core.errors import Interrupted
from lao.core.steps import DirectSteps, StepKind
from lao.core.words import CommandResult
from lao.durable.processes import kill_marked
from lao.quality.parallel import Lanes, run_parallel

_NUMBERS = itertools.count()


def wait_for(path: Path) -> str:
    """Shell code that waits, ten seconds at most, until ``path`` is there."""
    return f"n=0; while [ ! -e {path} ] && [ $n -lt 500 ]; do sleep 0.02; n=$((n+1)); done; "


class Noted(DirectSteps):
    """Keeps the labels in order; ``recorded`` steps are not run, as in a resumed run."""

    def __init__(self, recorded: dict[str, Any] | None = None) -> None:
        self.labels: list[str] = []
        self.recorded = recorded or {}

    def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
        assert kind is StepKind.REPEATABLE
        self.labels.append(label)
        return self.recorded[label] if label in self.recorded else super().run(kind, label, fn)


def lanes(root: Path, at_most: int = 2, **more: Any) -> Lanes:
    @contextmanager
    def place() -> Iterator[Path]:
        folder = root / f"place{next(_NUMBERS)}"
        folder.mkdir()
        yield folder

    return Lanes(**{"place": place, "at_most": at_most, "marker": str(root), "timeout_s": 30.0, **more})


def checks(*lines: str) -> tuple[tuple[str, str], ...]:
    return tuple(("test", line) for line in lines)


def test_they_run_at_the_same_time_and_the_record_keeps_their_order(tmp_path: Path) -> None:
    """Two commands that wait for one another both pass; the later one ends first and is recorded second."""
    a, b = tmp_path / "a", tmp_path / "b"
    first = f"touch {a}; {wait_for(b)} [ -e {b} ] && echo first"
    steps = Noted()
    found = run_parallel(checks(first, f"{wait_for(a)} [ -e {a} ] && touch {b} && echo second"), steps, lanes(tmp_path))
    assert [r.output.strip() for r in found] == ["first", "second"]
    assert steps.labels == ["beside:test:0", "beside:test:1"]


def test_never_more_than_told(tmp_path: Path) -> None:
    """With two lanes there are never three at work: one that found no free slot would run again alone."""
    slot = f"for s in 1 2; do mkdir {tmp_path}/slot$s && break; [ $s = 1 ] || exit 1; done; sleep 0.1; "
    steps = Noted()
    run_parallel(checks(*(f"{slot} rmdir {tmp_path}/slot$s; true {n}" for n in range(6))), steps, lanes(tmp_path))
    assert steps.labels == [f"beside:test:{n}" for n in range(6)]


def test_each_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """What one leaves there is not in another one's way."""
    found = run_parallel(checks("[ ! -e x ] && touch x", "[ ! -e x ] && touch  x"), Noted(), lanes(tmp_path))
    assert [r.passed for r in found] == [True, True]


def test_what_fails_only_beside_others_passes(tmp_path: Path) -> None:
    """Two that need the same thing outside of their folders: the one that lost runs again alone, and that counts."""
    lock, lost, over = tmp_path / "lock", tmp_path / "lost", tmp_path / "over"
    holder = f"mkdir {lock}; {wait_for(lost)} rmdir {lock}; touch {over}"
    loser = f"[ -e {over} ] || {{ {wait_for(lock)} }}; mkdir {lock}; r=$?; touch {lost}; exit $r"
    steps = Noted()
    found = run_parallel(checks(holder, loser), steps, lanes(tmp_path))
    assert [r.passed for r in found] == [True, True]
    assert steps.labels == ["beside:test:0", "beside:test:1", "alone:test:1"]


def test_what_needs_an_earlier_command_passes_after_it(tmp_path: Path) -> None:
    """A test of what the build makes fails alone; in order, in one folder, it passes."""
    steps = Noted()
    commands = (("build", "touch built"), *checks("[ -e built ]", "true"))
    assert all(r.passed for r in run_parallel(commands, steps, lanes(tmp_path)))
    assert steps.labels[3:] == ["alone:test:1", "check:build:0", "check:test:1"]


def test_what_really_fails_fails(tmp_path: Path) -> None:
    """The last run's result is the one that is kept, with its output; the others' stay."""
    count = tmp_path / "count"
    found = run_parallel(checks("true", f"echo x >> {count}; wc -l < {count}; false"), Noted(), lanes(tmp_path))
    assert [r.exit_code for r in found] == [0, 1]
    assert found[1].output.strip() == "3"


def test_one_at_a_time_is_one_after_the_other_in_one_folder(tmp_path: Path) -> None:
    """``at_most`` 1: each command once, in order, where the one before it was."""
    steps = Noted()
    found = run_parallel(checks("[ ! -e x ] && touch x", "[ -e x ]", "false"), steps, lanes(tmp_path, at_most=1))
    assert [r.passed for r in found] == [True, True, False]
    assert steps.labels == ["check:test:0", "check:test:1", "check:test:2"]


@pytest.mark.parametrize("at_most", [1, 2])
def test_what_is_known_is_not_run(tmp_path: Path, at_most: int) -> None:
    """Known results are taken as they are; another one is run alone, and after the rest if it needs that."""
    known = {"touch built": CommandResult("touch built", 0, "known"), "true": CommandResult("true", 0, "known")}
    steps = Noted()
    found = run_parallel(checks("touch built", "[ -e built ]", "true"), steps, lanes(tmp_path, at_most), known)
    assert [(r.passed, r.output) for r in found] == [(True, "known"), (True, ""), (True, "known")]
    assert steps.labels == ["alone:test:1", "check:test:0", "check:test:1"]
    assert run_parallel((), Noted(), lanes(tmp_path)) == ()


def test_a_resumed_run_goes_on_where_the_record_ends(tmp_path: Path) -> None:
    """Only what the journal does not know is run."""
    done = {"beside:test:0": CommandResult("a", 0, "recorded").to_json()}
    commands = checks(*(f"echo {n} >> {tmp_path}/log" for n in range(3)))
    found = run_parallel(commands, Noted(done), lanes(tmp_path))
    assert found[0].output == "recorded"
    assert sorted((tmp_path / "log").read_text().split()) == ["1", "2"]


def test_stopping_kills_what_is_at_work(tmp_path: Path) -> None:
    """All commands at work end, those behind them never begin, and nothing is left running."""
    commands = checks(*(f"touch {tmp_path}/begun{n}; sleep 60" for n in range(4)))
    stopping = lanes(tmp_path, stop=lambda: (tmp_path / "begun0").exists() and (tmp_path / "begun1").exists())
    with pytest.raises(Interrupted):
        run_parallel(commands, Noted(), stopping)
    assert not (tmp_path / "begun2").exists()
    assert kill_marked(str(tmp_path)) == 0


def test_a_lane_that_breaks_down_ends_the_others(tmp_path: Path) -> None:
    """Where a folder cannot be made, its error is raised at once; nobody waits for a command that takes a minute."""
    count = itertools.count()

    @contextmanager
    def place() -> Iterator[Path]:
        if next(count):
            raise OSError(28, "No space left on device")
        yield tmp_path

    commands = checks("false", "true", f"touch {tmp_path}/begun; sleep 60")
    with pytest.raises(OSError, match="No space left"):
        run_parallel(commands, Noted(), lanes(tmp_path, place=place))
    assert kill_marked(str(tmp_path)) == 0
