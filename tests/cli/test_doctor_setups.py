"""Promise: ``lao doctor`` names the right remedy in broken set-ups. Each breaks a real thing, and mends it as told."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.states import Queue
from lao.durable.owners import FileLock, Owner, current_owner
from lao.search.store import NAME, IndexFile
from lao.servers import discovery
from lao.servers.simulated.scenario import Scenario, SimModel
from lao.servers.simulated.server import SimulatedServer
from lao.state import ledger
from lao.state.store import Store, open_store
from lao.state.tables import RunRow, WorkerRow
from tests.durability.test_processes import can_mount
from tests.state.pipeline_steps import hand_in

EMBEDDER = "text-embedding-nomic-embed-text-v1.5"
MODELS = (
    SimModel("qwen/qwen3-coder-30b", 6_000_000_000, max_context_length=32768),
    SimModel("small-4b", 3_000_000_000, max_context_length=32768),
    SimModel("huge-70b", 60_000_000_000, max_context_length=32768),
    SimModel(EMBEDDER, 84_106_624, "embedding", 2048),
)
FILE = """\
lm_studio_base_url: {url}
models:
  planner: {{key: qwen/qwen3-coder-30b, context_length: 16384}}
  coder: {{key: {coder}, context_length: {context}}}
  reviewer: {{key: qwen/qwen3-coder-30b, context_length: 16384}}
  embedder: {{key: {embedder}}}
{more}"""

Rows = dict[str, dict[str, Any]]


@dataclass
class Project:
    """A sound project with a server, to be broken."""

    root: Path
    server: SimulatedServer
    capsys: pytest.CaptureFixture[str]

    @property
    def database(self) -> Path:
        return self.root / ".lao" / "state.db"

    def write(self, more: str = "", **changes: object) -> None:
        """factory.yaml, with some things in another way."""
        usual = {"url": self.server.url, "coder": "qwen/qwen3-coder-30b", "context": 16384, "embedder": EMBEDDER}
        (self.root / "factory.yaml").write_text(FILE.format(**{**usual, **changes, "more": more}))

    def state(self) -> Store:
        """A state file with one plan."""
        store = open_store(self.database)
        hand_in(store)
        return store

    def doctor(self) -> tuple[int, Rows]:
        """The exit code, and the rows by their ids."""
        self.capsys.readouterr()
        code = main(["doctor", "--json"])
        return code, rows_of(self.capsys.readouterr().out)

    def row(self, row: str) -> dict[str, Any]:
        return self.doctor()[1][row]

    def carry_out(self, remedy: str) -> None:
        """Each command of the remedy as it stands there, in a shell that has LAO."""
        commands = re.findall(r"`([^`]+)`", remedy)
        assert commands, f"no command in {remedy!r}"
        for command in commands:
            line = re.sub(r"^lao ", f"{sys.executable} -m lao ", command)
            done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, (line, done.stdout, done.stderr)


def rows_of(text: str) -> Rows:
    return {check["id"]: check for group in json.loads(text)["groups"] for check in group["checks"]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.org\n")
    root = tmp_path / "shop"
    (root / "plans").mkdir(parents=True)
    monkeypatch.chdir(root)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr(discovery, "PORTS", ())
    with SimulatedServer(Scenario(models=MODELS, vram_total_bytes=24_000_000_000)) as server:
        made = Project(root, server, capsys)
        made.write()
        yield made


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def levels(rows: Rows) -> dict[str, str]:
    return {row: check["level"] for row, check in rows.items()}


def test_a_sound_project(project: Project) -> None:
    """Nothing fails, and every row is one that the page knows."""
    from lao.cli.doctor.groups import GROUPS

    store = project.state()
    store.back_up()
    store.close()
    code, rows = project.doctor()
    assert code == 0
    assert [row for row, level in levels(rows).items() if level == "fail"] == []
    assert {levels(rows)[row] for row in ("server.answers", "models.coder", "memory.coder", "git.identity")} == {"ok"}
    assert {check["remedy"] for check in rows.values() if check["level"] in ("ok", "skipped")} == {""}
    assert all(check["remedy"] for check in rows.values() if check["level"] in ("warn", "fail"))
    known = {f"{group.id}.{name}" for group in GROUPS for name in group.rows}
    roles = ("planner", "coder", "reviewer", "pilot", "analyst", "embedder")
    assert {re.sub(rf"\.({'|'.join(roles)})$", ".ROLE", row) for row in rows} <= known


def test_the_server_is_off(project: Project) -> None:
    """What needs it is left out, the rest is looked at; it is started, and the row is ok."""
    port = free_port()
    project.write(url=f"http://127.0.0.1:{port}")
    code, rows = project.doctor()
    assert (code, rows["server.answers"]["level"]) == (1, "fail")
    assert "start it" in rows["server.answers"]["remedy"]
    assert rows["models.coder"]["level"] == "skipped"
    assert rows["disk.writable"]["level"] == "ok"
    with SimulatedServer(Scenario(models=MODELS), port=port):
        assert project.row("server.answers")["level"] == "ok"


def test_the_port_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on one of the usual ports is named by its address; with that in factory.yaml the row is ok."""
    monkeypatch.setattr(discovery, "PORTS", (int(project.server.url.rpartition(":")[2]),))
    project.write(url=f"http://127.0.0.1:{free_port()}")
    row = project.row("server.answers")
    assert row["level"] == "fail"
    assert row["remedy"].startswith(f"set `lm_studio_base_url: {project.server.url}` in factory.yaml")
    change = re.findall("`(.*)`", row["remedy"])[0]
    file = project.root / "factory.yaml"
    file.write_text(re.sub("(?m)^lm_studio_base_url: .*$", change, file.read_text()))
    assert project.row("server.answers")["level"] == "ok"


def test_the_token_is_refused(project: Project) -> None:
    """401: the key of factory.yaml is named."""
    with SimulatedServer(Scenario(models=MODELS, api_token="sesame")) as server:
        project.write(url=server.url)
        row = project.row("server.answers")
        assert (row["level"], "refused the API token" in row["text"]) == ("fail", True)
        assert row["remedy"].startswith("set openai_api_key in factory.yaml")
        project.write(url=server.url, more="openai_api_key: sesame\n")
        assert project.row("server.answers")["level"] == "ok"


def test_the_server_takes_connections_and_says_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up in time."""
    from lao.cli.doctor import scene

    monkeypatch.setattr(scene, "SERVER_S", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        project.write(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        row = project.row("server.answers")
    assert (row["level"], "says nothing" in row["text"]) == ("fail", True)
    assert time.monotonic() - begun < 20


def test_the_server_only_chats(project: Project) -> None:
    """Nothing can be loaded there: a warning, since one model for all roles does."""
    with SimulatedServer(Scenario(models=MODELS, api="openai")) as server:
        project.write(url=server.url)
        code, rows = project.doctor()
    assert (code, rows["server.loads"]["level"]) == (0, "warn")
    assert "give all roles the model that is loaded" in rows["server.loads"]["remedy"]


def test_a_model_key_is_misspelt(project: Project) -> None:
    """The command with the nearest key is the remedy, and mends it."""
    project.write(coder="qwen3-codr-30b")
    code, rows = project.doctor()
    assert (code, rows["models.coder"]["level"]) == (1, "fail")
    wanted = "`lao configure-models --role coder --key qwen/qwen3-coder-30b`"
    assert rows["models.coder"]["remedy"] == wanted
    project.carry_out(wanted)
    assert project.row("models.coder")["level"] == "ok"


def test_a_role_has_no_model_of_its_kind(project: Project) -> None:
    """An embedder that the server cannot have: search goes by words, a warning with what to download."""
    with SimulatedServer(Scenario(models=MODELS[:2])) as server:
        project.write(url=server.url)
        code, rows = project.doctor()
    assert (code, rows["models.embedder"]["level"], rows["embedder.vectors"]["level"]) == (0, "warn", "skipped")
    assert rows["models.embedder"]["remedy"].startswith("download an embedding model")


def test_a_context_is_greater_than_the_models(project: Project) -> None:
    """The command that takes what the model holds mends it."""
    project.write(context=65536)
    row = project.row("models.coder")
    assert (row["level"], "holds at most 32768" in row["text"]) == ("fail", True)
    assert "--context 32768`" in row["remedy"]
    project.carry_out(row["remedy"])
    assert project.row("models.coder")["level"] == "ok"


def test_a_model_is_too_large_for_the_memory(project: Project) -> None:
    """The largest model that fits is the remedy."""
    project.write(coder="huge-70b")
    code, rows = project.doctor()
    assert (code, rows["models.coder"]["level"], rows["memory.coder"]["level"]) == (1, "ok", "fail")
    assert "--key qwen/qwen3-coder-30b" in rows["memory.coder"]["remedy"]
    project.carry_out(rows["memory.coder"]["remedy"])
    assert project.row("memory.coder")["level"] == "ok"


def test_git_is_not_there(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told from the missing identity."""
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    code, rows = project.doctor()
    assert (code, rows["git.program"]["level"], "git.identity" in rows) == (1, "fail", False)
    assert "install git" in rows["git.program"]["remedy"]


def test_git_does_not_know_who_commits(project: Project) -> None:
    """The remedy is the command."""
    (Path.home() / ".gitconfig").unlink()
    row = project.row("git.identity")
    assert row["level"] == "fail"
    project.carry_out(row["remedy"])
    assert project.row("git.identity")["level"] == "ok"


def test_a_merge_is_under_way(project: Project) -> None:
    """In the repository of the project: the command ends it."""
    script = (
        "git init -q -b main . && git commit -q --allow-empty -m a && git checkout -q -b b && "
        "echo 1 >f && git add f && git commit -q -m b && git checkout -q main && "
        "echo 2 >f && git add f && git commit -q -m c && ! git merge -q b"
    )
    subprocess.run(script, shell=True, check=True, capture_output=True)
    row = project.row("git.repository")
    assert (row["level"], "a merge is under way" in row["text"]) == ("warn", True)
    project.carry_out(row["remedy"])
    assert project.row("git.repository")["level"] == "ok"


def test_a_checks_program_is_missing(project: Project) -> None:
    """A configured command that cannot run fails; without it the row is ok."""
    project.write(more="orchestration: {validation_build_cmd: no-such-builder --all}\n")
    row = project.row("validators.commands")
    assert (row["level"], "'no-such-builder'" in row["text"]) == ("fail", True)
    assert "take orchestration.validation_build_cmd out" in row["remedy"]
    project.write()
    assert project.row("validators.commands")["level"] == "ok"


def test_factory_yaml_is_no_yaml(project: Project) -> None:
    """One row with the line; what needs no settings is looked at, the rest is left out."""
    (project.root / "factory.yaml").write_text("models:\n  coder: {key: [\n")
    code, rows = project.doctor()
    assert (code, rows["config.settings"]["level"]) == (1, "fail")
    assert "factory.yaml" in rows["config.settings"]["text"]
    assert rows["versions.python"]["level"] == "ok"
    assert rows["server.examined"]["level"] == rows["state.examined"]["level"] == "skipped"
    project.write()
    assert project.row("config.settings")["level"] == "ok"


def test_a_permission_rule_has_no_effect(project: Project) -> None:
    """A row of its own names the rule and the one that wins."""
    project.write(more='permissions: {deny: [Bash], allow: ["Bash(npm test)"]}\n')
    code, rows = project.doctor()
    assert (code, rows["config.rules"]["level"]) == (1, "fail")
    assert "'Bash(npm test)' can have no effect" in rows["config.rules"]["text"]
    assert "take the rule out" in rows["config.rules"]["remedy"]
    project.write(more="permissions: {deny: [Bash]}\n")
    assert project.row("config.rules")["level"] == "ok"


def test_the_sandbox_that_is_asked_for_does_not_work(project: Project) -> None:
    """seatbelt is macOS's, bubblewrap Linux's: the one that cannot be had is told with what that means."""
    wrong = "seatbelt" if sys.platform == "linux" else "bubblewrap"
    project.write(more=f"sandbox: {{backend: {wrong}}}\n")
    row = project.row("sandbox.sandbox")
    assert (row["level"], row["text"].startswith("NO SANDBOX")) == ("warn", True)
    assert f"sandbox.backend is {wrong}" in row["remedy"]


def test_the_state_is_of_a_newer_lao(project: Project) -> None:
    """Told as that, and nothing is changed."""
    project.state().close()
    with sqlite3.connect(project.database) as db:
        db.execute("UPDATE lao_meta SET value = '999' WHERE key = 'schema'")
    db.close()
    code, rows = project.doctor()
    assert (code, rows["state.schema"]["level"]) == (1, "fail")
    assert "schema 999" in rows["state.schema"]["text"]
    assert "upgrade LAO" in rows["state.schema"]["remedy"]


def test_the_state_is_damaged(project: Project) -> None:
    """The command puts the backup in its place."""
    store = project.state()
    store.mark()
    store.back_up()
    store.close()
    project.database.write_bytes(b"gone" * 5000)
    code, rows = project.doctor()
    assert (code, rows["state.file"]["level"]) == (1, "fail")
    assert "lao restore" in rows["state.file"]["remedy"]
    assert main(["restore"]) == 0
    assert project.row("state.file")["level"] == "ok"


def test_the_disk_has_little_room(project: Project) -> None:
    """Below the limit, at which plans wait; above it again the row is ok."""
    project.write(more=f"orchestration: {{min_free_disk_mb: {10**12}}}\n")
    row = project.row("disk.space")
    assert (row["level"], "free some space" in row["remedy"]) == ("warn", True)
    project.write()
    assert project.row("disk.space")["level"] == "ok"


MOUNTED = """
mount -t tmpfs -o size=4m tmpfs .lao || exit 99
{break_it}
"$0" -m lao doctor --json
"""


def mounted(break_it: str) -> Rows:
    """The rows with ``.lao`` on a small disk of its own."""
    script = MOUNTED.format(break_it=break_it)
    command = ["unshare", "-Urm", "sh", "-c", script, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.startswith("{"), done.stderr
    return rows_of(done.stdout)


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces to mount a disk")
def test_the_folder_of_the_state_cannot_be_written(project: Project) -> None:
    """A disk that is mounted read-only, a full one, and one that a restart empties."""
    (project.root / ".lao").mkdir()
    row = mounted("mount -o remount,ro .lao")["disk.writable"]
    assert (row["level"], "Read-only file system" in row["text"]) == ("fail", True)
    assert "mount its disk read-write" in row["remedy"]
    rows = mounted("dd if=/dev/zero of=.lao/filler bs=4k 2>/dev/null")
    assert (rows["disk.writable"]["level"], rows["disk.space"]["level"]) == ("fail", "warn")
    assert "No space left" in rows["disk.writable"]["text"]
    assert "free some space" in rows["disk.space"]["remedy"]
    rows = mounted("true")
    assert (rows["disk.writable"]["level"], rows["disk.filesystem"]["level"]) == ("ok", "warn")
    assert "paths.database" in rows["disk.filesystem"]["remedy"]


@pytest.mark.skipif(not can_mount(), reason="needs user namespaces for limits of its own")
def test_the_system_has_no_watch_left(project: Project) -> None:
    """inotify's limit: plans are swept for instead; the remedy, in that namespace, makes the row ok."""
    script = (
        'echo 0 >/proc/sys/user/max_inotify_instances && "$0" -m lao doctor --json && echo ==== && '
        'echo 99 >/proc/sys/user/max_inotify_instances && "$0" -m lao doctor --json'
    )
    command = ["unshare", "-Ur", "sh", "-c", script, sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "====" not in done.stdout:
        pytest.skip(f"no limits of a namespace here: {done.stderr}")
    before, after = (rows_of(text)["plans.watch"] for text in done.stdout.split("===="))
    assert (before["level"], before["remedy"]) == ("warn", "`sudo sysctl fs.inotify.max_user_instances=512`")
    assert after["level"] == "ok"


def test_the_plans_folder_is_missing(project: Project) -> None:
    """A warning, since ``lao run`` makes it; the command makes it as well. A file in its place fails."""
    (project.root / "plans").rmdir()
    row = project.row("plans.folder")
    assert row["level"] == "warn"
    project.carry_out(row["remedy"].replace("`lao run`", ""))
    assert project.row("plans.folder")["level"] == "ok"
    (project.root / "plans").rmdir()
    (project.root / "plans").write_text("no folder")
    row = project.row("config.settings")
    assert (row["level"], "plans' is not a folder" in row["text"]) == ("fail", True)


@pytest.fixture
def process() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Python programs in a process of their own, which say a line when they are ready."""
    begun: list[subprocess.Popen[str]] = []

    def begin(code: str) -> subprocess.Popen[str]:
        started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        begun.append(started)
        assert started.stdout is not None
        assert started.stdout.readline()
        return started

    yield begin
    for started in begun:
        started.kill()
        started.communicate()


def owner_of(pid: int) -> Owner:
    from lao.durable.owners import start_time

    mine, started = current_owner(), start_time(pid)
    assert started is not None
    return Owner(mine.host, mine.boot_id, pid, started)


def register(owner: Owner) -> None:
    at = time.time()
    WorkerRow.replace(queue=Queue.GPU.value, owner=owner.to_text(), pid=owner.pid, started_at=at).execute()


def test_a_second_worker_is_alive(project: Project, process: Callable[[str], subprocess.Popen[str]]) -> None:
    """A registered worker that lives and does not hold its queue's lock: the command ends it."""
    idle = process("import time; print('ready', flush=True); time.sleep(600)")
    store = project.state()
    register(owner_of(idle.pid))
    store.close()
    with FileLock(project.database.with_name("gpu.lock")):
        rows = project.doctor()[1]
        row = rows["workers.second"]
        assert (row["level"], f"process {os.getpid()} holds it" in row["text"]) == ("warn", True)
        assert f"gpu worker {idle.pid} since " in rows["workers.running"]["text"]
        assert row["remedy"] == f"`kill {idle.pid}`"
        project.carry_out(row["remedy"])
        assert idle.wait(30) == -signal.SIGTERM
        assert project.row("workers.second")["level"] == "ok"


def test_a_dead_worker_left_its_lock_and_a_phase(
    project: Project, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Its lock holds nobody up and is ok; the phase it held, and what waits, need a worker."""
    path = project.database.with_name("gpu.lock")
    names = "import time; from pathlib import Path; from lao.durable.owners import FileLock"
    hold = f"lock = FileLock(Path({str(path)!r})); lock.acquire(); print('ready', flush=True)"
    dead = process(f"{names}; {hold}; time.sleep(600)")
    store = project.state()
    owner = owner_of(dead.pid)
    register(owner)
    assert f"gpu by process {dead.pid}" in project.row("workers.locks")["text"]
    assert project.row("queue.waiting")["level"] == "ok", "its worker is alive"
    dead.kill()
    dead.wait()
    rows = project.doctor()[1]
    assert rows["workers.locks"]["level"] == "ok"
    assert "left by workers that have ended: gpu.lock" in rows["workers.locks"]["text"]
    assert (rows["queue.waiting"]["level"], rows["queue.waiting"]["remedy"]) == ("warn", "`lao run`")
    RunRow.update(state="running", owner=owner.to_text()).execute()
    store.close()
    row = project.row("workers.held")
    assert (row["level"], row["remedy"]) == ("warn", "`lao run`")


def test_a_message_of_the_queue_could_not_be_read(project: Project) -> None:
    """A dead letter of today is told with its error; one of last week is not."""
    store = project.state()
    ledger.add_dead_letter(store, "gpu", b"\x80garbage", "ValueError('no message')")
    row = project.row("queue.letters")
    assert (row["level"], "ValueError('no message')" in row["text"]) == ("warn", True)
    assert "`lao stop`" in row["remedy"]
    with store.write():
        store.db.execute_sql("UPDATE lao_deadletter SET at = at - 700000")
    store.close()
    assert project.row("queue.letters")["level"] == "ok"


def test_the_queues_file_is_damaged(project: Project) -> None:
    """It is only wake-ups: a worker makes it anew."""
    project.state().close()
    project.database.with_name("queue.db").write_bytes(b"no database" * 1000)
    row = project.row("queue.wakeups")
    assert (row["level"], row["remedy"]) == ("warn", "`lao run`")


def test_the_clock_was_set_back(project: Project) -> None:
    """What is in the state was written later than now."""
    store = project.state()
    with store.write():
        RunRow.update(created_at=time.time() + 7200).execute()
    store.close()
    row = project.row("clock.future")
    assert (row["level"], "timedatectl" in row["remedy"]) == ("warn", True)


def test_the_embedder_gives_vectors_of_another_length(project: Project) -> None:
    """The index has what another embedder of that name made; the command makes it anew."""
    path = project.root / ".lao" / NAME
    IndexFile(path).use(lambda db: db.execute("SELECT 1").fetchone())
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO vectors VALUES (?, 1, x'00', zeroblob(14))", (EMBEDDER,))
    db.close()
    assert project.row("embedder.vectors")["level"] == "skipped", "it is not in memory, and a look loads nothing"
    load(project.server.url, EMBEDDER)
    rows = project.doctor()[1]
    assert rows["embedder.vectors"]["level"] == "ok"
    assert (rows["embedder.index"]["level"], "vectors of 7 numbers" in rows["embedder.index"]["text"]) == ("warn", True)
    project.carry_out(rows["embedder.index"]["remedy"])
    assert project.row("embedder.index")["level"] == "ok"


def load(url: str, key: str) -> None:
    import httpx

    httpx.post(f"{url}/api/v1/models/load", json={"model": key}, timeout=30).raise_for_status()


def test_an_mcp_server_does_not_start(project: Project) -> None:
    """A warning, since plans go on without it, with the command that tries it again."""
    (project.root / ".mcp.json").write_text('{"mcpServers": {"bad": {"command": "false"}}}')
    row = project.row("mcp.bad")
    assert (row["level"], "does not start" in row["text"]) == ("warn", True)
    assert "'lao mcp check' tries 'bad' again" in row["remedy"]


def test_there_is_no_configuration(project: Project, tmp_path: Path) -> None:
    """The defaults hold; the command makes the file."""
    (project.root / "factory.yaml").unlink()
    row = project.row("config.settings")
    assert (row["level"], row["remedy"]) == ("warn", "`lao init`")
    project.carry_out("`lao init --no-interactive`")
    assert project.row("config.settings")["level"] == "ok"
    assert shutil.which("git")
    assert tmp_path.exists()
