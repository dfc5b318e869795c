"""L5: ``lao run`` in a real terminal (tmux): what happens stays, where it stands is below, and the end is clean."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.cli.terminal import NEEDS_TMUX, Tmux, tmux  # noqa: F401 - a fixture
from tests.workflows.conftest import MODELS

pytestmark = [NEEDS_TMUX, pytest.mark.durability]  # real workers, as those tests have

LONG = "word " * 60
PLAN = "# Parts\n\n" + "\n".join(
    f"- task: part {n} | file: part_{n}.txt | content: {LONG} | test: test -f {'never' if n == 2 else f'part_{n}'}.txt"
    for n in (1, 2, 3)
)


@contextmanager
def project(folder: Path, *, plan: bool = True, tokens_per_second: float = 60) -> Iterator[None]:
    """A project with its server; the plan has a part that cannot pass."""
    scenario = {"tokens_per_second": tokens_per_second, "first_token_s": 0.3, "load_seconds": 0.2}
    with SimulatedServer(parse_scenario(scenario)) as server:
        document = {
            "lm_studio_base_url": server.url,
            "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
            "orchestration": {
                "retry_cooldown_base_s": 0, "infer_validation_commands": False, "retry_cap_validation": 1,
            },
            "attempts": {"repairs": 0, "candidates": 1, "idle": False},
            "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.05},
            "calibration": {"auto": False},
        }  # fmt: skip
        (folder / "plans").mkdir()
        (folder / "factory.yaml").write_text(yaml.safe_dump(document))
        if plan:
            (folder / "plans" / "parts.md").write_text(PLAN)
        yield


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


def test_a_whole_run_with_a_resize_in_the_middle(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """Done and parked tasks are told once each; the rows leave nothing behind, whatever the window did."""
    with project(tmp_path):
        tmux.start(tmp_path, "run --single-run", (130, 40))
        assert "0/3  no history yet" in tmux.until("no history yet")
        tmux.until(" code ")
        assert re.search(r"● code +#\d part \d .* \d+ s$", tmux.until("tok/s"), re.MULTILINE)
        tmux.resize(60, 18)
        tmux.wait(lambda: len(lines_with(tmux.window(), "● working")) == 1)
        tmux.resize(100, 30)
        text = tmux.until("ended with 4")
    assert "\x1b[32m" in tmux.screen("-e")
    for words in ("part 1 proved, commit ", "part 3 proved, commit "):
        assert len(lines_with(text, words)) == 1, text
    assert len(lines_with(text, "part 2 parked, needs a person: not solved")) == 1
    assert len(lines_with(text, "! PLAN   parts parked, needs a person in ")) == 1
    assert [line.split()[3] for line in lines_with(text, "swap ")] == list(MODELS.values())
    for gone in ("Ctrl-C stops", "no history yet", "tok/s", "● "):
        assert text.count(gone) <= 1, text  # a resize in the very instant of a drawing may leave one row behind
    assert text.rstrip().endswith("ended with 4\necho")
    assert not (tmp_path / ".lao" / "live" / "calls").exists()
    assert "code task" in (tmp_path / ".lao" / "workers.log").read_text()


def test_a_killed_worker_and_ctrl_c_leave_the_terminal_sane(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """kill -9 of the gpu worker is told and it comes back; Ctrl-C ends with 130, no rows, and echo as it was."""
    with project(tmp_path, tokens_per_second=8):
        tmux.start(tmp_path, "run", (100, 30))
        tmux.until(" code ")
        tmux.until("reads the prompt")
        tmux.type("nobody sees this")
        os.kill(int((tmp_path / ".lao" / "gpu.lock").read_text().split()[0]), signal.SIGKILL)
        tmux.until("the gpu worker died (signal 9) and is started again")
        tmux.until("● working")
        tmux.press("C-c")
        text = tmux.until("ended with 130")
    assert "nobody sees this" not in text
    assert "Ctrl-C stops\n" not in text and "● " not in text, text
    assert text.rstrip().endswith("ended with 130\necho")


@pytest.mark.parametrize(
    ("env", "size", "status"),
    [
        ("LAO_ASCII=1 NO_COLOR=1", (20, 5), "o idle, drop a pla"),
        (
            "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0",
            (200, 30),
            "o idle, drop a plan into the plans folder | Ctrl-C",
        ),
        ("LAO_COLOR=never", (80, 24), "○ idle, drop a plan into the plans folder · Ctrl-C stops"),
    ],
)
def test_small_windows_and_no_colour(
    env: str,
    size: tuple[int, int],
    status: str,
    tmp_path: Path,
    tmux: Tmux,  # noqa: F811
) -> None:
    """20x5, an encoding without symbols, no colours: the status line is there, and nothing that was not wanted."""
    with project(tmp_path, plan=False):
        tmux.start(tmp_path, "run", size, env)
        tmux.until(status)
        coloured = tmux.screen("-e")
        assert ("\x1b[" in coloured) is ("LC_ALL" in env)
        tmux.press("C-c")
        tmux.until("ended with 130")


def test_plain_lines_on_request(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """--plain is as it was: timestamped lines of the workers, no rows, no file of theirs."""
    with project(tmp_path):
        tmux.start(tmp_path, "run --single-run --plain", (130, 40))
        text = tmux.until("ended with 4")
    assert re.search(r"^\d\d:\d\d:\d\d I parts: code task 1 attempt 1: ", text, re.MULTILINE)
    assert "Ctrl-C stops" not in text.replace("folder; Ctrl-C stops", "")
    assert not (tmp_path / ".lao" / "workers.log").exists()


def test_the_terminal_is_handed_over_and_comes_back(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """Idle: the seat gets the terminal, with echo and without rows; "resume" gives it back, work is seen, and when that
    is done it gets it again; "leave" ends the run."""
    (tmp_path / "sitecustomize.py").write_text(SEAT)
    env = f"PYTHONPATH={tmp_path}:{Path(__file__).resolve().parents[2]}"
    with project(tmp_path, plan=False, tokens_per_second=0):
        tmux.start(tmp_path, "run", (100, 30), env)
        tmux.until("seat 1?")
        assert "Ctrl-C stops\n" not in tmux.window().replace("goes on from there\n", "")
        (tmp_path / "plans" / "parts.md").write_text(PLAN)
        tmux.type("resume")
        assert "you said resume" in tmux.until("seat 2?")
        assert "part 1 proved" in tmux.screen()
        tmux.type("leave")
        text = tmux.until("ended with ")
    assert "ended with 4\necho" in text


SEAT = """
import sys
from types import ModuleType
from importlib.machinery import ModuleSpec


def on_idle(session, factory):
    from lao.cli.handover import Then

    count = [0]

    def take():
        count[0] += 1
        said = input(f"seat {count[0]}? ")
        print("you said", said)
        return Then(said)

    return take


if "lao" in sys.argv or "-m" in sys.orig_argv:
    import lao.cli

    package, seat = ModuleType("lao.cli.pilot"), ModuleType("lao.cli.pilot.seat")
    package.__path__, seat.on_idle = [], on_idle
    package.__spec__ = ModuleSpec("lao.cli.pilot", None, is_package=True)
    seat.__spec__ = ModuleSpec("lao.cli.pilot.seat", None)
    sys.modules.update({"lao.cli.pilot": package, "lao.cli.pilot.seat": seat})
"""
