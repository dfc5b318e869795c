"""Promise: whatever is typed, said, cut off or full, the Pilot says so, goes on, and leaves the terminal as it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lao.servers.simulated.server import SimulatedServer
from tests.cli.pilot.test_pilot_in_tmux import ROOT, Session, lao, made, terminal_of

EVIL = "pasted \x1b]0;owned\x07 \x1b]52;c;aGk=\x07 \x1b[2J \x9b31m bell\x07 end"
NAMESPACE = ("unshare", "-rmpf", "--kill-child", "--mount-proc")


def _mounts_are_ours() -> bool:
    """Whether a test may lay a file system over a folder, for its own processes only."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)"),
    pytest.mark.durability,  # real workers, as those tests have
]
MOUNTS = pytest.mark.skipif(not _mounts_are_ours(), reason="no namespaces of mounts for this user here")


class Watched(Session):
    """A Pilot in a window; every byte that it sends is kept, and the terminal's modes are compared at its end."""

    def begin(self, folder: Path, *, first: str = "", within: str = "", ready: str = "ask, or /help") -> None:
        """Args: first: a command before the Pilot; within: what both are run by, such as a namespace."""
        script = folder.parent / "begin.sh"
        script.write_text(f"{first or ':'} && exec {sys.executable} -m lao pilot\n")
        modes = folder.parent / "modes"
        shell = (
            f"stty -a > {modes}.before; {within} sh {script}; echo ended with $?; stty -a > {modes}.after; "
            f"cmp {modes}.before {modes}.after && echo terminal is sane"
        )
        home = folder.parent / "home"
        home.mkdir(exist_ok=True)
        self.sent = folder.parent / "sent"
        self.run(
            "new-session", "-d", "-s", "lao", "-x", "120", "-y", "40", "-c", str(folder),
            f"PYTHONPATH={ROOT} LC_ALL=C.UTF-8 HOME={home} sh -c 'trap : INT TERM HUP; {shell}; exec cat'",
        )  # fmt: skip
        self.run("pipe-pane", "-t", "lao", f"cat > {self.sent}")
        self.until(ready)

    def paste(self, folder: Path, text: str) -> None:
        file = folder.parent / "clipboard"
        file.write_bytes(text.encode())
        self.run("load-buffer", str(file))
        self.run("paste-buffer", "-p", "-t", "lao")

    def leave(self) -> None:
        self.keys("C-d")
        self.until("ended with 0")
        self.until("terminal is sane")
        assert "Traceback" not in self.screen()

    def harm(self) -> list[str]:
        """What of the sent bytes a terminal would have acted upon, beside what an input line needs."""
        sent = self.sent.read_bytes().decode("utf-8", "replace")
        return [mark for mark in ("\x1b]", "\x07", "\x9b", "\x1b[2J") if mark in sent]


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    session = Watched(tmp_path_factory.mktemp("t"))
    yield session
    session.end()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, SimulatedServer]]:
    folder = tmp_path / "project"
    folder.mkdir()
    with made(folder) as server:
        yield folder, server
        lao(folder, "stop")


Served = tuple[Path, SimulatedServer]


def test_control_characters_never_reach_the_terminal(served: Served, tmux: Watched) -> None:
    """Issue 7: escape sequences, titles, the clipboard and bells, pasted, typed, asked and answered, are shown."""
    folder, _ = served
    tmux.begin(folder)
    tmux.paste(folder, EVIL)
    tmux.until("^[]0;owned^G")
    tmux.keys("Enter")
    tmux.until("› pasted ␛]0;owned␇ ␛]52;c;aGk=␇ ␛[2J <9b>31m bell␇ end")
    tmux.until("All is well.")
    tmux.type("evil")
    tmux.until("␛[2Jcleared")
    tmux.keys("-H", "07", "1b", "5d", "30", "3b", "78", "07")  # a bell and a title, typed
    tmux.keys("C-u")
    tmux.type("/plans \x1b]0;y\x07")
    tmux.until("/plans takes no argument")
    assert tmux.harm() == []
    tmux.leave()
    assert tmux.harm() == []


def test_a_server_that_dies_in_mid_stream(served: Served, tmux: Watched) -> None:
    """Issue 7: one message with what to do, what had come stays, and the same question is answered afterwards."""
    folder, server = served
    tmux.begin(folder)
    tmux.type("twenty words")
    tmux.until("word5 ")
    server.stop()
    tmux.until("broke off")
    screen = tmux.until("lao health")
    assert "word0 word1" in screen
    server.start()
    tmux.keys("Up", "Enter")
    tmux.until("the true end")
    tmux.leave()


def test_the_window_changes_while_an_answer_comes(served: Served, tmux: Watched) -> None:
    """Issue 7: from 20 by 5 to 200 by 50 and back, twenty times; the answer is whole, and nothing ends."""
    folder, _ = served
    tmux.begin(folder)
    tmux.type("twenty words")
    tmux.until("word5 ")
    for columns, height in ((20, 5), (200, 50), (33, 9), (80, 24), (7, 3)) * 4:
        tmux.resize(columns, height)
    tmux.resize(120, 40)
    tmux.until("the true end")
    tmux.type("/plans")
    tmux.until("no plans yet")
    tmux.leave()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_and_the_terminal_is_sane(served: Served, tmux: Watched, number: signal.Signals) -> None:
    """Issue 7: in the middle of an answer: exit code 130, the terminal as it was; the answer goes on without it."""
    folder, _ = served
    tmux.begin(folder)
    tmux.type("twenty words")
    tmux.until("word5 ")
    os.kill(terminal_of(tmux), number)
    tmux.until("the answer goes on; the next")
    tmux.until("ended with 130")
    tmux.until("terminal is sane")


def test_after_a_kill_the_shell_has_its_terminal_back(served: Served, tmux: Watched) -> None:
    """Issue 7: nobody can clean up after kill -9, but a shell does: it has the modes of before, and shows what is
    typed."""
    folder, _ = served
    shell = f"PYTHONPATH={ROOT} HOME={folder} bash --norc --noprofile -i"
    tmux.run("new-session", "-d", "-s", "lao", "-x", "120", "-y", "40", "-c", str(folder), shell)
    tmux.type(
        f"PS1=; stty -a > before; {sys.executable} -m lao pilot; stty -a > after; cmp before after && echo is sane"
    )
    tmux.until("ask, or /help")
    found = subprocess.run(
        ["pgrep", "-P", tmux.run("list-panes", "-t", "lao", "-F", "#{pane_pid}").strip()],
        capture_output=True,
        text=True,
        check=True,
    )
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)
    tmux.until("Killed")
    tmux.wait(lambda: (folder / "after").exists())
    tmux.type("echo typed is $((1 + 1))")
    tmux.until("typed is 2")
    assert "echo typed is" in tmux.screen(), "what is typed is not shown"


@MOUNTS
def test_a_home_that_cannot_be_written(served: Served, tmux: Watched) -> None:
    """Issue 7: answers come, facts of the project are kept; only what needs the list of projects says why not."""
    folder, _ = served
    home = folder.parent / "home"
    home.mkdir()
    tmux.begin(
        folder, within=" ".join(NAMESPACE), first=f"mount --bind {home} {home} && mount -o remount,bind,ro {home}"
    )
    tmux.type("/memory edit ports are even")
    tmux.until("remembered in")
    tmux.type("/memory")
    tmux.until("- ports are even")
    tmux.type("/project use .")
    tmux.until("cannot be written: Read-only file system")
    tmux.type("hello")
    tmux.until("All is well.")
    assert tmux.screen().count("Read-only file system") == 1
    tmux.leave()


@MOUNTS
@pytest.mark.parametrize("first", ["", f"{sys.executable} -m lao pilot -m /status && "], ids=["new", "used before"])
def test_a_project_that_cannot_be_written(served: Served, tmux: Watched, first: str) -> None:
    """Issue 7: a conversation cannot be kept there: one message with what to do, exit code 42, a sane terminal."""
    folder, _ = served
    tmux.begin(
        folder,
        within=" ".join(NAMESPACE),
        first=f"{first} mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}",
        ready="ended with",
    )
    screen = " ".join(tmux.until("terminal is sane").split())
    assert "ended with 42" in screen
    assert "lao: cannot write the state file" in screen
    assert "check the permissions of its folder" in screen
    assert "Traceback" not in screen


def _full(folder: Path, seen: Callable[[], int]) -> Path:
    """Fill the disk of a process's own ``.lao``; returns the file that does it."""
    file = Path(f"/proc/{seen()}/root{folder}/.lao/filler")
    with file.open("wb") as out:
        try:
            while True:
                out.write(b"\0" * 4096)
                out.flush()
        except OSError:
            return file


@MOUNTS
def test_a_disk_that_is_full(served: Served, tmux: Watched) -> None:
    """Issue 7: the status line says so at once, a question says why it cannot be asked or answered, and once there is
    space the next one is answered in the same conversation."""
    folder, _ = served
    (folder / ".lao").mkdir()
    settings = (folder / "factory.yaml").read_text()
    (folder / "factory.yaml").write_text(f"{settings}orchestration: {{min_free_disk_mb: 5}}\n")
    tmux.begin(folder, within=" ".join(NAMESPACE), first=f"mount -t tmpfs -o size=64m none {folder}/.lao")
    tmux.type("hello")
    tmux.until("All is well.")

    def inside() -> int:
        found = subprocess.run(["pgrep", "-f", "lao pilot$"], capture_output=True, text=True, check=True).stdout.split()
        mine = [int(pid) for pid in found if Path(f"/proc/{pid}/cwd").resolve() == folder]
        return mine[-1]

    filler = _full(folder, inside)
    tmux.until("disk full: 0 MB free")
    tmux.type("anybody there?")
    tmux.until("no space left")
    tmux.type("/plans")
    tmux.until("no plans yet")
    filler.unlink()
    tmux.wait(lambda: "disk full" not in tmux.window())
    tmux.type("look around")
    tmux.until("⚙ list_dir .")
    tmux.leave()
