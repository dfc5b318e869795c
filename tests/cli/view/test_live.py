"""Promise: the view gives back what it took: its rows, the signal, the log, and the folder of calls in flight."""

from __future__ import annotations

import io
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.cli.view.live import EVERY_S, RunView
from lao.durable.live import folder_of
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401 - fixtures

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x | test: test -f part_1.txt\n"


class Terminal(io.StringIO):
    """What was written to a terminal of 80 x 24, whose keys are nobody's."""

    def fileno(self) -> int:
        raise OSError("no descriptor")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def test_a_plan_is_shown_and_the_rows_are_taken_away(plant: Open, tmp_path: Path) -> None:  # noqa: F811
    """At most one look each quarter of a second; warnings of this process and of the workers are lines of their own."""
    factory, now, out = plant(), [0.0], Terminal()
    log = tmp_path / "workers.log"
    before = signal.getsignal(signal.SIGCONT)
    with RunView(factory.factory, log, out, lambda: now[0]) as view:
        view.look()
        assert view.idle and "idle" in out.getvalue()
        factory.submit("parts", PLAN)
        factory.turn()
        log.write_text("lao: the gpu worker cannot start\n")
        logging.getLogger("lao").warning("a warning\x1b[2J of ours")
        view.look()
        assert "proved" not in out.getvalue(), "too early for another look"
        now[0] = EVERY_S
        view.look()
        said = out.getvalue()
        for words in (
            "TASK   parts #1 part 1 proved, commit ",
            "PLAN   parts completed",
            "cannot start",
            "[2J of ours",
        ):
            assert said.count(words) == 1, words
        assert "\x1b[2J" not in said
        assert folder_of(factory.factory.settings.paths.state_dir).is_dir()
    assert out.getvalue().endswith("\r\x1b[J")
    assert signal.getsignal(signal.SIGCONT) == before
    assert not folder_of(factory.factory.settings.paths.state_dir).exists()
    logging.getLogger("lao").warning("later")
    assert "later" not in out.getvalue()


def test_why_a_worker_could_not_start_is_told_at_the_end(plant: Open, tmp_path: Path) -> None:  # noqa: F811
    """What it said last is shown also when the run ends by an error; the error goes on."""
    out, log = Terminal(), tmp_path / "workers.log"
    with pytest.raises(ZeroDivisionError), RunView(plant().factory, log, out, lambda: 0.0) as view:
        view.look()
        log.write_text("lao: the state file is damaged\n")
        raise ZeroDivisionError
    assert "lao: the state file is damaged" in out.getvalue()


def test_after_a_stop_nothing_above_is_touched(plant: Open, tmp_path: Path) -> None:  # noqa: F811
    """Ctrl-Z and fg: the shell has written since, so the rows begin where the cursor is."""
    out, now = Terminal(), [0.0]
    factory = plant()
    with RunView(factory.factory, tmp_path / "log", out, lambda: now[0]) as view:
        factory.submit("parts", PLAN)
        view.look()
        drawn = len(out.getvalue())
        view._continue(signal.SIGCONT, None)
        now[0] = 2 * EVERY_S
        view.look()
        assert "\x1b[1A" not in out.getvalue()[drawn:]
        assert "parts" in out.getvalue()[drawn:]
