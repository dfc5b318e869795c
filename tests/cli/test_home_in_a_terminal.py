"""The home in a real terminal (tmux): choices by key, Ctrl-C and Ctrl-D, a run inside, small windows, as 3.1 did."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.cli.terminal import ROOT, Tmux

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)")


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path_factory.mktemp("t"))
    yield terminal
    subprocess.run(
        ["tmux", "-S", terminal._socket, "kill-server"], capture_output=True, timeout=20, check=False
    )  # it may be gone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    (tmp_path / "home").mkdir()
    (made / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
    return made


def begin(tmux: Tmux, folder: Path, *, size: tuple[int, int] = (100, 60), **env: str) -> None:
    """``lao`` in a new window, then its exit code and whether the terminal still echoes."""
    given = {"PYTHONPATH": str(ROOT), "HOME": str(folder.parent / "home"), "TERM": "xterm", **env}
    shell = f'{sys.executable} -m lao; echo "ended with $?"; stty -a | grep -ow -e "-*echo" -e "-*icanon"; exec cat'
    command = ["env", *(f"{name}={value}" for name, value in given.items()), "sh", "-c", f"trap : INT; {shell}"]
    width, height = map(str, size)
    tmux.run("new-session", "-d", "-s", "lao", "-x", width, "-y", height, "-c", str(folder), *command)


def press(tmux: Tmux, key: str) -> None:
    tmux.run("send-keys", "-t", "lao", key)


def sane(tmux: Tmux, code: int) -> None:
    """It has ended with this code and left the terminal as it was."""
    screen = tmux.until(f"ended with {code}\nicanon\necho\n")
    assert "Traceback" not in screen


def test_a_visit(tmux: Tmux, folder: Path) -> None:
    """A5: the menu stands, a letter and a number start their command, q leaves with 0."""
    begin(tmux, folder)
    screen = tmux.until("choice [Enter: run]:")
    assert "project   shop" in screen
    assert "http://127.0.0.1:9" in screen
    assert "workers   none" in screen
    tmux.type("s")
    tmux.until("no plans yet")
    tmux.until("choice [Enter: overview]:")
    tmux.type("nonsense")
    tmux.until("no choice 'nonsense'")
    tmux.type("h")
    tmux.until("(health ended with 1)")
    tmux.type("")
    tmux.until("choice [Enter: overview]: \n\nLAO")
    tmux.type("q")
    sane(tmux, 0)


@pytest.mark.parametrize(("key", "code"), [("C-c", 130), ("C-d", 0)])
def test_leaving_by_key(tmux: Tmux, folder: Path, key: str, code: int) -> None:
    """A5: Ctrl-C leaves with 130, Ctrl-D with 0, the terminal as it was."""
    begin(tmux, folder)
    tmux.until("choice [Enter: run]:")
    press(tmux, key)
    sane(tmux, code)


@pytest.mark.durability  # real workers
def test_a_run_inside_is_ended_by_ctrl_c_and_the_home_stays(tmux: Tmux, folder: Path) -> None:
    """A5: Ctrl-C ends `lao run` and not the home, which then is left by Ctrl-D."""
    keys = ("planner", "coder", "reviewer")
    models = "".join(f"  {key}: {{key: m-{key}, supports_tools: true}}\n" for key in keys)
    scenario = {"models": [{"key": f"m-{key}", "size_bytes": 1000} for key in keys]}
    with SimulatedServer(parse_scenario(scenario)) as server:
        (folder / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\nmodels:\n{models}")
        begin(tmux, folder)
        tmux.until("choice [Enter: run]:")
        tmux.type("")
        tmux.until("watching the plans folder")
        press(tmux, "C-c")
        tmux.until("(run ended with 130)")
        tmux.until("choice [Enter: overview]:")
        press(tmux, "C-d")
        sane(tmux, 0)


def test_a_small_window_and_a_plain_terminal(tmux: Tmux, folder: Path) -> None:
    """A5: 20 columns, 5 lines and TERM=dumb show the menu, and no control characters."""
    begin(tmux, folder, size=(20, 5), TERM="dumb", NO_COLOR="1")
    assert "\x1b" not in tmux.until("choice [Enter: run]:")
    tmux.type("q")
    sane(tmux, 0)


def test_the_way_of_3_1(tmux: Tmux, folder: Path) -> None:
    """A5: with LAO_INTERACTIVE_MENU=0 a project is run at once; without one there is the menu all the same."""
    (folder / "factory.yaml").write_text("gti: {}\n")
    begin(tmux, folder, LAO_INTERACTIVE_MENU="0")
    sane(tmux, 42)
    assert "choice" not in tmux.screen()
    tmux.run("kill-session", "-t", "lao")
    (folder / "factory.yaml").unlink()
    begin(tmux, folder, LAO_INTERACTIVE_MENU="0")
    tmux.until("choice [Enter: init]:")
    press(tmux, "C-d")
    sane(tmux, 0)


@pytest.mark.parametrize(
    ("where", "said"), [("/", "'/' is the root of the file system"), ("home", "is your home folder")]
)
def test_bad_places(tmux: Tmux, folder: Path, where: str, said: str) -> None:
    """A5: the root is refused with 42, the home folder is warned of, as 3.1 did."""
    place = Path("/") if where == "/" else folder.parent / "home"
    begin(tmux, place, HOME=str(folder.parent / "home"))
    tmux.until(said)
    if where != "/":
        tmux.until("choice [Enter: init]:")
        press(tmux, "C-c")
    sane(tmux, 42 if where == "/" else 130)
    assert not (place / ".lao").exists()


def test_a_switch_to_another_project(tmux: Tmux, folder: Path) -> None:
    """L3: a scan finds two projects, one is chosen by its name, and commands run there."""
    other = folder.parent / "blog"
    other.mkdir()
    (other / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
    begin(tmux, folder.parent, HOME=str(folder.parent / "home"))
    tmux.until("choice [Enter: init]:")
    tmux.type("c")
    tmux.until("2 projects in")
    tmux.until("choice [Enter: overview]:")
    tmux.type("l")
    assert f"blog  {other}" in tmux.until("number or name [Enter: stay here]:")
    tmux.type("blog")
    tmux.until("project   blog")
    tmux.type("config show --json")
    assert str(other) in tmux.until("choice [Enter: overview]:")
    press(tmux, "C-d")
    sane(tmux, 0)
