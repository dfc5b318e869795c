"""A project with secrets around it, a process to attack and doors that tell when they are reached. For the corpus."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import pty
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lao
from lao.durable.sandbox.folders import RIGHTS
from lao.workspace.desks import Desk
from lao.workspace.git_calls import Git
from tests.security.site import Site, site

CANARY = "CANARY"
VICTIM = (
    "import sys, time\nheld = open(sys.argv[2])\nkept = held.read()\nprint(held.fileno(), flush=True)\nsys.stdin.read()"
)
FOLDERS = ("outside", "home", "project")
TOKEN_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/", "/usr", "/etc", "/run", "/opt", "/etc/cron.d", "/var/spool/cron",
                "/etc/profile.d")  # fmt: skip
SECRET_NAMES = ("GITHUB_TOKEN", "OPENAI_API_KEY", "DB_PASSWORD", "MY_SECRET", "NOTHING_SPECIAL", "DATABASE_URL",
                "HTTPS_PROXY", "https_proxy")  # fmt: skip


@dataclass
class World:
    """Folders: ``outside``, ``home``, ``project`` with the plan's ``work`` folder, and the desk in ``.lao/desks``.

    Attributes:
        words: what ``@name@`` in an attempt stands for.
        doors: sockets and the terminal that nobody may reach.
        site: what a list of hosts leads to.
    """

    root: Path
    desk: Desk
    canary: str
    words: dict[str, str]
    commit: str
    site: Site
    victim: subprocess.Popen[bytes] | None = None
    doors: list[int | socket.socket] = field(default_factory=list)
    _pristine: dict[str, tuple[object, ...]] = field(default_factory=dict)

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    @property
    def tree(self) -> Path:
        return self.desk.root

    def fresh(self) -> None:
        """The desk and everything around it as they were; a victim that lives."""
        self.site.looked_up.clear()
        if not self._pristine or self.outside_state() != self._pristine:
            for name in FOLDERS:
                shutil.rmtree(self.root / name, ignore_errors=True)
                shutil.copytree(self.root.parent / "pristine" / name, self.root / name, symlinks=True)
        self.desk.lay_out(Git(self.root / "project/work"), self.commit)
        shutil.copy(Path(__file__).with_name("attack.py"), self.tree)
        self._pristine = self.outside_state()
        if self.victim is None or self.victim.poll() is not None or _state(self.victim.pid) == "T":
            self._raise_victim()

    def _raise_victim(self) -> None:
        self.end_victim()
        argv = [sys.executable, "-c", VICTIM, f"victim-{self.words['victim-word']}", str(self.outside / "held.txt")]
        self.victim = subprocess.Popen(
            argv, cwd=self.outside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "VICTIM_SECRET": self.canary},
        )  # fmt: skip
        assert self.victim.stdout is not None
        self.words["victim"] = str(self.victim.pid)
        self.words["victim-fd"] = self.victim.stdout.readline().decode().strip()

    def end_victim(self) -> None:
        if self.victim is not None:
            self.victim.kill()
            self.victim.communicate()

    def outside_state(self) -> dict[str, tuple[object, ...]]:
        """Everything that no attempt may change: name to kind, mode, time and content."""
        found: dict[str, tuple[object, ...]] = {}
        for folder, names, files in os.walk(self.root):
            names[:] = [n for n in names if Path(folder, n) != self.tree.parent]  # the desk itself is theirs
            for name in (*names, *files):
                path = Path(folder, name)
                status = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                kept = path.is_file() and ".git/objects/" not in str(path)  # git freshens what a desk borrows
                when = status.st_mtime_ns if kept else 0
                found[str(path.relative_to(self.root))] = (status.st_mode, when, content)
        return found

    def reached(self) -> bool:
        """Whether somebody was at a door; empties them."""
        found = False
        with selectors.DefaultSelector() as selector:
            for door in self.doors:
                selector.register(door, selectors.EVENT_READ)
            while ready := selector.select(0.02):
                for key, _ in ready:
                    found |= _knocked(key.fileobj)
        return found

    def gained(self) -> list[str]:
        """Names at the top of the desk that git or LAO would follow, and that were not there."""
        return [name for name in (*RIGHTS[1:], "factory.yaml") if os.path.lexists(self.tree / name)]

    def stolen(self) -> bool:
        """Whether the secret is in a file of the desk."""
        for path in self.tree.rglob("*"):
            with contextlib.suppress(OSError):
                small = not path.is_symlink() and path.is_file() and path.stat().st_size < 1_000_000
                if small and self.canary.encode() in path.read_bytes():
                    return True
        return False


def _knocked(door: object) -> bool:
    if isinstance(door, int):
        return bool(os.read(door, 1000))
    assert isinstance(door, socket.socket)
    if door.type == socket.SOCK_STREAM:
        door.accept()[0].close()
    else:
        door.recv(1000)
    return True


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


_CONTENT = {
    "outside/secret.txt": f"{CANARY}\n",
    f"outside/{CANARY}.txt": "",
    "outside/held.txt": f"{CANARY}\n",
    "outside/repository/HEAD": "ref: refs/heads/x\n",
    "outside/repository/secret.txt": f"{CANARY}\n",
    "outside/objects/secret.txt": f"{CANARY}\n",
    "outside/evil": "#!/bin/sh\necho x > WORLD/outside/new.txt\n",
    "home/.ssh/id_rsa": f"{CANARY}\n",
    "home/.ssh/authorized_keys": "",
    "home/.aws/credentials": f"{CANARY}\n",
    "home/.netrc": f"machine x password {CANARY}\n",
    "home/.gitconfig": f"[user]\n\tname = a\n\temail = a@b\n[x]\n\ttoken = {CANARY}\n",
    "home/.cargo/credentials.toml": f'token = "{CANARY}"\n',
    "home/.cargo/bin/tool": "#!/bin/sh\n",
    "home/.bashrc": "",
    "home/.profile": "",
    "project/factory.yaml": f"openai_api_key: {CANARY}\n",
    "project/hooks.py": "",
    "project/.mcp.json": "",
    "project/plans/good.md": "# good\n",
    "project/.lao/state.db": f"{CANARY}\n",
    "project/.lao/skills/good/SKILL.md": "",
    "project/.lao/desks/run-2/work/secret.txt": f"{CANARY}\n",
}


def _build(pristine: Path, root: Path, canary: str) -> str:
    """What a world consists of, and the plan's repository; its commit."""
    work = pristine / "project/work"
    (work / "src").mkdir(parents=True)
    (work / "src/app.py").write_text("x = 1\n")
    for name, content in _CONTENT.items():
        place = pristine / name.replace(CANARY, canary)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content.replace("WORLD", str(root)).replace(CANARY, canary))
    (pristine / "outside/evil").chmod(0o755)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=work, check=True, capture_output=True)
    return Git(work).out("rev-parse", "HEAD")


@contextmanager
def world(root: Path) -> Iterator[World]:
    """Builds it in the new folder ``root``; this process' own HOME and secrets are the world's for the block."""
    root.mkdir(parents=True)
    canary, token = f"{CANARY}-{secrets.token_hex(8)}", f"lao-{secrets.token_hex(6)}"
    commit = _build(root.parent / "pristine", root, canary)
    words = {
        "world": str(root), "outside": str(root / "outside"), "home": str(root / "home"),
        "project": str(root / "project"), "token": token, "abstract": token, "python": sys.executable,
        "victim-word": secrets.token_hex(4), "word": secrets.token_hex(3), "sleep": f"3{secrets.randbelow(10**6):06}",
        "site": sysconfig.get_path("purelib"), "library": str(Path(os.__file__).parent),
        "lao": str(Path(lao.__file__).parent), "evil": str(root / "outside/evil"), "doors": str(root / "doors"),
        "uts": str(Path("/proc/self/ns/uts").readlink()),
    }  # fmt: skip
    with ExitStack() as stack:
        the_site = stack.enter_context(site())
        words["site"] = str(the_site.port)
        made = World(root, Desk(root / "project/.lao/desks", 1, "work"), canary, words, commit, the_site)
        stack.enter_context(_environment(made))
        _open_doors(made, stack)
        made.fresh()
        stack.callback(made.end_victim)
        yield made


@contextmanager
def _environment(made: World) -> Iterator[None]:
    given = dict.fromkeys(SECRET_NAMES, f"x://{made.canary}@y")
    given |= {"HOME": str(made.root / "home"), "SSH_AUTH_SOCK": str(made.root / "doors/agent.sock"), "PYTHONPATH": "/x"}
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _open_doors(made: World, stack: ExitStack) -> None:
    words = made.words
    tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    words["port"], words["udp"] = str(tcp.getsockname()[1]), str(udp.getsockname()[1])
    words["address"] = _own_address()
    doors: list[socket.socket] = [tcp, udp]
    (made.root / "doors").mkdir()
    for address in (f"{words['doors']}/socket", f"{words['doors']}/docker.sock", f"{words['doors']}/agent.sock",
                    "\0" + words["abstract"]):  # fmt: skip
        door = socket.socket(socket.AF_UNIX)
        door.bind(address)
        door.listen()
        doors.append(door)
    master, slave = pty.openpty()
    words["terminal"] = os.ttyname(slave)
    for each in doors:
        stack.callback(each.close)
    for number in (master, slave):
        stack.callback(os.close, number)
    made.doors = [*doors, master]
    _shared_memory(made, stack)


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        any_socket.connect(("192.0.2.1", 9))
        return str(any_socket.getsockname()[0])
    return "127.0.0.2"


def _shared_memory(made: World, stack: ExitStack) -> None:
    """The secret in System V and POSIX shared memory and in the user's keyring."""
    libc = ctypes.CDLL(None, use_errno=True)
    key = secrets.randbelow(2**30)
    segment = libc.shmget(key, 4096, 0o1600)
    libc.shmat.restype = ctypes.c_void_p
    place = libc.shmat(segment, None, 0)
    ctypes.memmove(place, made.canary.encode(), len(made.canary))
    stack.callback(libc.shmctl, segment, 0, None)
    name = Path("/dev/shm") / f"{made.words['token']}-shared"
    name.write_text(made.canary)
    stack.callback(name.unlink)
    add, of_the_user = (248 if platform.machine() == "x86_64" else 217), -4
    text = made.canary.encode()
    number = libc.syscall(add, b"user", b"lao-escape", text, ctypes.c_size_t(len(text)), of_the_user)
    revoke, keyctl = 3, (250 if platform.machine() == "x86_64" else 219)
    stack.callback(libc.syscall, keyctl, revoke, number, 0, 0, 0)
    made.words |= {"shm-key": str(key), "shm-file": name.name}


def survivors(seconds: str) -> list[int]:
    """Processes that sleep for just so long, or are going to."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if seconds.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def left_tokens(token: str) -> list[Path]:
    """Files of that name where only the whole machine's are; removed."""
    own = f"{token}-shared"
    found = [p for place in TOKEN_PLACES for p in Path(place).glob(f"{token}*") if p.name != own]
    found = list({p for p in found if p.exists() and not p.is_dir()})
    for path in found:
        path.unlink()
    return found
