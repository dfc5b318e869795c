"""Promise: the Pilot works in a real terminal (tmux), with a real worker and the scripted server behind it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.agents.test_plan_draft import GOOD
from tests.cli.test_questions_in_a_terminal import Tmux

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)"),
    pytest.mark.durability,  # real workers, as those tests have
]

LONG = " ".join(f"word{n}" + ("\n\n" if n % 20 == 19 else "") for n in range(400))
SCENARIO = {
    "tokens_per_second": 30,
    "responses": [
        {
            "match": {"role": "pilot", "contains": "look around"},
            "answer": {"tool_calls": [{"name": "list_dir", "arguments": {"path": "."}}]},
            "times": 1,
        },
        {
            "match": {"role": "pilot", "contains": "note it"},
            "answer": {
                "tool_calls": [{"name": "create_plan", "arguments": {"title": "noted", "content": "# N\n\nx\n"}}]
            },
            "times": 1,
        },
        {"match": {"role": "pilot", "contains": "Write the plan now", "tools": False}, "answer": {"text": GOOD}},
        {
            "match": {"role": "pilot", "contains": "Do not write the plan yet", "tools": False},
            "answer": {"text": "Why?"},
        },
        {"match": {"role": "pilot", "contains": "a long one"}, "answer": {"text": LONG}},
        {"match": {"role": "pilot", "contains": "twenty words"}, "answer": {"text": LONG[:900] + "\n\nthe true end"}},
        {
            "match": {"role": "pilot", "contains": "evil"},
            "answer": {"text": "evil\x1b]52;c;aGk=\x07 \x1b[2Jcleared\rover &#27;[31mred end"},
        },
        {"match": {"role": "pilot"}, "answer": {"text": "All is **well**.\n\n- one\n"}},
    ],
}


class Session(Tmux):
    """A Pilot in a window of tmux."""

    def start(
        self, folder: Path, env: str = "", ready: str = "ask, or /help", size: tuple[int, int] = (100, 30)
    ) -> None:
        shell = f"{env} {sys.executable} -m lao pilot; echo ended with $?"
        self.run(
            "new-session", "-d", "-s", "lao", "-x", str(size[0]), "-y", str(size[1]), "-c", str(folder),
            f"PYTHONPATH={ROOT} HOME={folder} sh -c '{shell}; exec cat'",
        )  # fmt: skip
        self.until(ready)

    def keys(self, *names: str) -> None:
        self.run("send-keys", "-t", "lao", *names)

    def end(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, timeout=20, check=False)
        self._socket += "+"  # the old server may take a moment to go


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    session = Session(tmp_path_factory.mktemp("t"))
    yield session
    session.end()


@contextmanager
def made(folder: Path) -> Iterator[SimulatedServer]:
    """Make the folder a project with the scripted server."""
    with SimulatedServer(parse_scenario(SCENARIO)) as server:
        (folder / "plans").mkdir()
        models = {role: {"key": "sim-planner", "supports_tools": True} for role in ("planner", "pilot")}
        document = {
            "lm_studio_base_url": server.url,
            "models": {**models, "coder": {"key": "sim-coder"}, "reviewer": {"key": "sim-reviewer"}},
            "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.05},
            "calibration": {"auto": False},
        }
        (folder / "factory.yaml").write_text(yaml.safe_dump(document))
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose workers are ended afterwards."""
    with made(tmp_path):
        yield tmp_path
        lao(tmp_path, "stop")


def lao(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    command = [sys.executable, "-m", "lao", *arguments]
    return subprocess.run(command, cwd=folder, env=env, input=stdin, capture_output=True, timeout=120, check=False)


def test_a_conversation_with_a_real_worker(project: Path, tmux: Session) -> None:
    """L1 L2: ask, a worker is started, a tool's line, the answer; stream and interrupt; injection; crash and resume."""
    tmux.start(project)
    tmux.type("look around")
    tmux.until("no worker was running; started one")
    tmux.until("⚙ list_dir .")
    tmux.until("All is well.")
    assert "**" not in tmux.screen()
    tmux.keys("C-o")
    tmux.until("factory.yaml (")

    tmux.type("a long one")
    tmux.until("word25")
    tmux.keys("typed meanwhile")
    tmux.until("› typed meanwhile")
    tmux.keys("C-c")
    tmux.until("interrupted; what had come is kept")
    assert "word399" not in tmux.screen()
    tmux.keys("C-u")

    tmux.type("evil")
    shown = tmux.until("red end")
    assert "evil␛]52;c;aGk=␇ ␛[2Jcleared␍over" in shown
    assert "look around" in shown, "the screen was cleared"

    tmux.type("twenty words")
    tmux.until("word5 ")
    os.kill(terminal_of(tmux), signal.SIGKILL)
    tmux.until("ended with 137")
    tmux.end()
    tmux.start(project, ready="it goes on here")
    tmux.until("it goes on here")
    tmux.until("the true end")
    tmux.keys("C-d")
    tmux.until("ended with 0")


def test_a_turn_whose_worker_is_killed(project: Path, tmux: Session) -> None:
    """L2 K1: kill -9 of the gpu worker in mid-stream: a new one takes the turn up, and the answer is there once."""
    tmux.start(project)
    tmux.type("twenty words")
    tmux.until("word5 ")
    os.kill(int((project / ".lao" / "gpu.lock").read_text().split()[0]), signal.SIGKILL)
    tmux.until("the true end")
    tmux.type("and now?")
    text = tmux.until("All is well.")
    assert text.count("the true end") == 1
    tmux.keys("C-d")
    tmux.until("ended with 0")


@pytest.mark.parametrize(
    ("size", "env", "sign"),
    [
        ((80, 24), "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0", "> "),
        ((200, 50), "LAO_ASCII=1 NO_COLOR=1 LC_ALL=C.UTF-8", "> "),
        ((100, 30), "LAO_COLOR=never LC_ALL=C.UTF-8", "› "),
        ((20, 5), "LC_ALL=C.UTF-8", "› "),
    ],
)
def test_sizes_symbols_and_colours(size: tuple[int, int], env: str, sign: str, project: Path, tmux: Session) -> None:
    """One visual language: a turn with a tool call in 80, 100 and 200 columns and in 20 by 5, in ASCII where the
    encoding or the person wants it, without colours where nobody wants them; no line is wider than the window."""
    tmux.start(project, env=env, ready=sign, size=size)
    tmux.type("look around")
    call = "⚙ list_dir ." if sign == "› " else "# list_dir ."
    tmux.until("All is well.")
    text, coloured = tmux.screen(), tmux.screen("-e")
    assert call in text
    assert ("↳ [1]" if sign == "› " else "-> [1]") in text
    assert text.isascii() is (sign == "> ")
    assert bool(re.search(r"\x1b\[(?:\d+;)*3[0-7]m", coloured)) is ("LC_ALL=C " in env or size == (20, 5))
    assert max(map(len, tmux.window().splitlines())) <= size[0]
    tmux.keys("C-d")
    tmux.until("ended with 0")


def test_from_an_idea_to_a_plan_and_a_question_that_is_answered(project: Path, tmux: Session) -> None:
    """A4 L1: /ideate and /spec are asked in their own words without tools, /lock queues; what acts is asked first."""
    assert lao(project, "pause").returncode == 0  # the plan waits; the Pilot does not
    tmux.start(project)
    tmux.type("/ideate a word counter")
    tmux.until("Why?")
    tmux.until("/lock files it")
    tmux.type("/spec")
    tmux.until("3 criteria, ready")
    tmux.type("/lock")
    tmux.until("and queued: plan")
    assert (project / "plans" / "a-word-counter.md").read_text() == GOOD
    tmux.type("/done")
    tmux.until("questions: no open question")
    tmux.keys("Escape")
    tmux.type("make a plan: note it")
    tmux.until("may the model run this?")
    tmux.type("n")
    tmux.until("question 1: no")
    tmux.until("All is well.")
    assert not (project / "plans" / "noted.md").exists()


def terminal_of(tmux: Session) -> int:
    """The process of the Pilot in the window."""
    shell = tmux.run("list-panes", "-t", "lao", "-F", "#{pane_pid}").strip()
    found = subprocess.run(["pgrep", "-P", shell, "-f", "lao pilot"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def test_keys_sizes_and_bad_input(project: Path, tmux: Session) -> None:
    """L1: completion, lines, a paste of 1 MB, bytes that are no text, 20 by 5, Ctrl-C twice is 130; no model."""
    tmux.start(project)
    tmux.keys("/sta")
    tmux.until("Plans, tasks, queue, workers, models and tokens.")
    tmux.keys("Tab", "Enter", "Enter")
    tmux.until("workers: none; queue: cpu 0")
    tmux.type("/statsu")
    tmux.until("did you mean /status?")
    tmux.keys("-l", "/memory \\")
    tmux.keys("Enter")
    tmux.keys("edit fact")
    tmux.until("  edit fact")
    tmux.keys("Enter")
    tmux.until("remembered in")

    big = project / "big.txt"
    big.write_text("x" * 1_000_000)
    tmux.run("load-buffer", str(big))
    tmux.run("paste-buffer", "-p", "-t", "lao")
    tmux.until("a paste of 1,000,000 characters was not taken")
    tmux.keys("-H", "ff", "fe", "41", "0d")
    tmux.until("is not UTF-8 text; it was not sent")

    tmux.run("resize-window", "-t", "lao", "-x", "20", "-y", "5")
    tmux.type("/plans")
    tmux.until("or /ideate")
    tmux.run("resize-window", "-t", "lao", "-x", "100", "-y", "30")
    tmux.keys("C-c")
    tmux.until("Ctrl-C again, or Ctrl-D, leaves")
    tmux.keys("C-c")
    tmux.until("ended with 130")
    assert "Traceback" not in tmux.screen()
    assert (project / ".lao" / "chat_history").stat().st_mode & 0o777 == 0o600
    assert not (project / ".lao" / "logs").exists(), "a command has started a worker"


def test_history_that_cannot_be_kept_is_said_and_all_goes_on(project: Path, tmux: Session) -> None:
    """L1: an unwritable history costs one line; no colours with NO_COLOR."""
    (project / ".lao").mkdir()
    (project / ".lao" / "chat_history").mkdir()
    tmux.start(project, env="NO_COLOR=1")
    tmux.type("/plans")
    tmux.until("no plans yet")
    tmux.until("what you type is not kept")
    escaped = tmux.run("capture-pane", "-p", "-e", "-t", "lao")
    assert not re.search(r"\x1b\[(?:\d+;)*[39][0-7]m", escaped)
    tmux.keys("C-d")
    tmux.until("ended with 0")


def test_a_bare_path_goes_to_another_project_when_it_is_confirmed(
    project: Path, tmux: Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """L3: a path of a project is no question: the Pilot asks, and goes on there; "n" leaves all as it is."""
    other = tmp_path_factory.mktemp("other")
    (other / "factory.yaml").write_text((project / "factory.yaml").read_text())
    tmux.start(project)
    tmux.type(str(other))
    tmux.until("go to the project")
    tmux.type("n")
    tmux.type("/plans")
    tmux.until("no plans yet")
    tmux.type(str(other))
    tmux.type("y")
    tmux.until(f"{other}: ask, or /help")
    tmux.type(f"/project use {project}")
    tmux.wait(lambda: " ".join(tmux.screen().split()).count("ask, or /help") >= 3)
    tmux.type(f"/project use {project}")
    tmux.type("/project")
    tmux.until(f"project {project}")
    tmux.keys("C-d")
    tmux.until("ended with 0")
    assert not (project / ".lao" / "logs").exists(), "a path was asked of a model"


def test_off_a_terminal_and_on_a_dumb_one(project: Path, tmux: Session) -> None:
    """L1: lines in, plain answers out, exit codes; TERM=dumb gets the same instead of an input line."""
    done = lao(project, "pilot", stdin=b"/status\n")
    assert (done.returncode, done.stdout.startswith(b"no plans yet")) == (0, True)
    assert lao(project, "pilot", "-m", "/show 9").returncode == 42
    assert lao(project, "pilot", "--json").returncode == 2
    tmux.start(project, env="TERM=dumb", ready="> ")
    tmux.type("/plans")
    tmux.until("no plans yet")
    tmux.keys("C-d")
    tmux.until("ended with 0")
