"""The home: what it shows, what it suggests, what each choice starts, and that a bad surrounding does not stop it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from lao.cli import home_view
from lao.cli.commands import COMMANDS
from lao.cli.context import Session
from lao.cli.home import Home, start_lao
from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.durable.owners import current_owner
from lao.projects.registry import Registry
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from lao.state import runs
from lao.state.store import open_store
from tests.state.test_glance import plan, task

Capture = pytest.CaptureFixture[str]
NOBODY = "lm_studio_base_url: http://127.0.0.1:9\n"


class Person:
    """Types one line after the other, then ends the input; remembers what was started where."""

    def __init__(self, *lines: str, codes: Sequence[int] = ()) -> None:
        self._lines, self._codes = iter(lines), iter(codes)
        self.prompts: list[str] = []
        self.started: list[tuple[list[str], Path]] = []
        self.env: Mapping[str, str] = {}

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    def start(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> int:
        self.started.append((list(arguments), folder))
        self.env = env
        return next(self._codes, 0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "shop").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setattr(home_view, "LOOK_S", 30.0)  # what refuses does so at once, however busy this machine is
    return tmp_path / "shop"


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "factory.yaml").write_text(NOBODY)
    return folder


def visit(person: Person, folder: Path, env: Mapping[str, str] | None = None, **more: object) -> int:
    session = Session(cwd=folder, env=env, flags=dict(more))
    return Home(session, folder, os.environ if env is None else env, ask=person.ask, start=person.start).stay()


def test_it_shows_how_things_stand(capsys: Capture, project: Path) -> None:
    """A5: project, server, workers, plans by state, what needs a person; run is suggested while nobody works."""
    store = open_store(project / ".lao" / "state.db")
    with store.write():
        plan("a", "completed")
        plan("b", "active")
        plan("c", "needs_human")
        task("c", "part 1", "needs_human")
    store.close()
    person = Person("q")
    assert visit(person, project) == 0
    out = capsys.readouterr().out
    assert f"project   shop  ({project})" in out
    assert "no model server answers at http://127.0.0.1:9" in out
    assert "memory    " in out
    assert "workers   none" in out
    assert "plans     1 active, 1 needs human, 1 completed" in out
    assert "needs     1 item parked for a person: c #1 part 1: lao status" in out
    assert person.prompts == ["\nchoice [Enter: run]: "]
    assert person.started == []


def test_the_server_and_the_workers_that_are_there(capsys: Capture, project: Path) -> None:
    """A5: a server that answers is counted, live workers are named; status is suggested while they work."""
    with SimulatedServer(parse_scenario({"models": [{"key": "m", "size_bytes": 1}]})) as server:
        (project / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\n")
        store = open_store(project / ".lao" / "state.db")
        runs.register_worker(store, "gpu", current_owner().to_text(), os.getpid())
        store.close()
        person = Person()
        assert visit(person, project) == 0
    out = capsys.readouterr().out
    assert f"server    {server.url} answers, 1 model\n" in out
    assert f"workers   gpu (pid {os.getpid()})" in out
    assert person.prompts == ["\nchoice [Enter: status]: "]


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_silent_server_is_not_waited_for(
    capsys: Capture, project: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5: a server that hangs costs a bounded time and is said not to answer."""
    monkeypatch.setattr(home_view, "LOOK_S", 0.1)
    (project / "factory.yaml").write_text(f"lm_studio_base_url: {silent}\n")
    assert visit(Person("q"), project) == 0
    assert "did not answer" in (out := capsys.readouterr().out) or "does not answer" in out


@pytest.mark.parametrize("file", ["gti: {}\n", "a: [", "\0"])
def test_a_wrong_configuration_is_a_line(capsys: Capture, project: Path, file: str) -> None:
    """A5: with a factory.yaml that cannot be read the home says why, and every choice is still there."""
    (project / "factory.yaml").write_text(file)
    person = Person("status", codes=[42])
    assert visit(person, project) == 0
    streams = capsys.readouterr()
    assert "problem   " in streams.out
    assert "(status ended with 42)" in streams.err
    assert person.started == [(["status"], project)]


def test_a_damaged_state_is_a_line(capsys: Capture, project: Path) -> None:
    """A5: so is a state that cannot be trusted."""
    (project / ".lao").mkdir()
    (project / ".lao" / "state.db").write_bytes(b"garbage" * 999)
    assert visit(Person(), project) == 0
    assert "problem   " in capsys.readouterr().out


def test_groups_and_their_order(capsys: Capture, project: Path) -> None:
    """A5: init and, where there is one, pilot first, exit last; what the command line does not have is not offered."""
    person = Person("5", "0")
    plain = {name: entry for name, entry in COMMANDS.items() if name not in ("pilot", "configure-models")}
    table = {**plain, "pilot": None, "configure-models": None}
    session = Session(cwd=project)
    assert Home(session, project, os.environ, ask=person.ask, start=person.start, commands=table).stay() == 0
    out = capsys.readouterr().out
    keys = [line[1:].split()[1] for line in out.splitlines() if line[3:4].isdigit()]
    assert keys == ["i", "p", "d", "r", "s", "c", "l", "h", "m", "q"]
    assert [line for line in out.splitlines() if line in ("Start", "Work", "Projects", "Set-up")] == [
        "Start", "Work", "Projects", "Set-up",
    ]  # fmt: skip
    assert max(len(line) for line in out.splitlines() if str(project) not in line and "http" not in line) <= 80
    assert person.started == [(["status"], project)]
    person = Person()
    assert Home(session, project, os.environ, ask=person.ask, start=person.start, commands=plain).stay() == 0
    out = capsys.readouterr().out
    assert "  pilot " not in out
    assert "configure-models" not in out


def test_numbers_letters_names_and_whole_commands(project: Path, capsys: Capture) -> None:
    """A5: each way to say it starts the same; a whole command line is one, too."""
    person = Person("", "s", "STATUS", "h", "scan", "c", "config show", "lao approvals --json", "quit")
    assert visit(person, project) == 0
    assert [arguments for arguments, _ in person.started] == [
        ["run"], ["status"], ["status"], ["health"], ["projects", "scan"], ["projects", "scan"], ["config", "show"],
        ["approvals", "--json"],
    ]  # fmt: skip
    assert {where for _, where in person.started} == {project}
    assert person.prompts[1:] == ["\nchoice [Enter: overview]: "] * 8


@pytest.mark.parametrize("line", ["99", "statsu", "'", "rm -rf /", "\x1b[A", "é", "lao", "-h", "٣"])
def test_what_is_no_choice_is_told(project: Path, capsys: Capture, line: str) -> None:
    """A5: nothing else is started, nothing moves the cursor, and the next choice is asked for."""
    person = Person(line, "", "q")
    assert visit(person, project) == 0
    assert person.started == []
    streams = capsys.readouterr()
    assert "no choice" in streams.err
    assert "\x1b" not in streams.err
    assert streams.out.count("LAO 4") == 2
    assert line != "statsu" or "did you mean 'status'?" in streams.err


def test_bytes_that_are_no_text(project: Path, capsys: Capture) -> None:
    """A5: what a terminal sends that is no text is told, and the menu stays."""
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        if len(asked) == 1:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return "q"

    assert Home(Session(cwd=project), project, os.environ, ask=ask, start=Person().start).stay() == 0
    assert "that was no text" in capsys.readouterr().err


def test_outside_of_projects_the_current_one_is_offered(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    """L3: where no project is, init is suggested, or to open the current project; then commands run there."""
    person = Person("")
    assert visit(person, folder) == 0
    assert person.started == [(["init"], folder)]
    blog = tmp_path / "blog"
    blog.mkdir()
    (blog / "factory.yaml").write_text(NOBODY)
    Registry().used(blog, choose=True)
    capsys.readouterr()
    person = Person("", "status")
    env = {**os.environ, "DB_PATH": str(tmp_path / "other.db")}
    assert visit(person, folder, env, seed=3) == 0
    out = capsys.readouterr().out
    assert f"none in {folder}; current: blog ({blog})" in out
    assert f"project   blog  ({blog})" in out
    assert person.started == [(["status"], blog)]
    assert "DB_PATH" not in person.env
    assert FLAGS_VARIABLE not in person.env


def test_flags_given_to_the_home_reach_its_commands(project: Path) -> None:
    """A5: `lao --seed 3` and then status is `lao status --seed 3`."""
    person = Person("status")
    assert visit(person, project, seed=3) == 0
    assert json.loads(person.env[FLAGS_VARIABLE]) == {"seed": 3}


def test_projects_are_listed_and_chosen(project: Path, tmp_path: Path, capsys: Capture) -> None:
    """L3: by number or name; Enter and the end of the input stay; what is gone is not offered."""
    for name in ("blog", "gone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "factory.yaml").write_text(NOBODY)
        Registry().add(tmp_path / name)
    person = Person("projects", "", "l", "nope", "l", "2", "l", "1", "status")
    (tmp_path / "gone" / "factory.yaml").unlink()
    (tmp_path / "gone").rmdir()
    assert visit(person, project) == 0
    assert person.started == [(["status"], tmp_path / "blog")]
    streams = capsys.readouterr()
    assert "gone" not in streams.out
    assert "no project 'nope' in the list" in streams.err
    assert "no project '2' in the list" in streams.err
    current = Registry().current()
    assert current is not None
    assert current.name == "blog"
    assert visit(Person("l"), project) == 0


def test_no_projects_yet(folder: Path, capsys: Capture) -> None:
    """L3: an empty list says what to do."""
    assert visit(Person("l"), folder) == 0
    assert "no projects yet" in capsys.readouterr().err


def test_a_list_that_cannot_be_read_does_not_close_the_home(folder: Path, capsys: Capture, tmp_path: Path) -> None:
    """L3: the menu is of use without the list of projects."""
    (tmp_path / "home" / ".lao" / "projects.json").mkdir(parents=True)
    assert visit(Person("l", "o"), folder) == 0
    assert capsys.readouterr().err.count("is not a regular file") == 2


def test_a_child_is_this_lao(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A5: what is started is this very checkout, in the folder, with its exit code."""
    assert start_lao(["status"], project, os.environ) == 0
    assert "no plans yet" in capfd.readouterr().out
    (project / "factory.yaml").write_text("gti: {}\n")
    assert start_lao(["status"], project, os.environ) == 42


def test_off_a_terminal_it_is_help(project: Path, capsys: Capture) -> None:
    """A5: without a terminal `lao` prints the help, exit code 0, and asks nothing."""
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-m", "lao"], env=env, input="q\n", capture_output=True, text=True, check=True
    )
    assert "Commands:" in done.stdout
    assert "choice" not in done.stdout
