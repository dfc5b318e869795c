"""Promises of lao.durable.processes: a command is run whole, ends in time, and leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from lao.core.errors import BadInput, DiskFull, Interrupted
from lao.core.words import CommandResult
from lao.durable.processes import kill_marked, run_command

ORPHAN = f"""{sys.executable} -c '
import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open("orphan", "w").write(str(os.getpid()))
time.sleep(60)
'"""


def run(command: str, cwd: Path, timeout_s: float = 20, marker: str = "", **more: object) -> CommandResult:
    return run_command(command, cwd=cwd, timeout_s=timeout_s, marker=marker or uuid.uuid4().hex, **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} did not appear"
    return int(path.read_text())


def test_result_of_a_command(tmp_path: Path) -> None:
    """Both streams in the order written, the exit status, no input."""
    result = run("echo out; echo err >&2; cat; exit 3", tmp_path)
    assert (result.output, result.exit_code, result.passed) == ("out\nerr\n", 3, False)
    assert run("kill -9 $$", tmp_path).exit_code == -9
    assert CommandResult.from_json(result.to_json()) == result


def test_environment_is_scrubbed_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of LAO's environment but what is known to be harmless reaches a command; what the caller gives does."""
    for name in ("OPENAI_API_KEY", "my_secret_x", "GITHUB_TOKEN", "DbPassword", "GIT_DIR"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("UNKNOWN", "s3cret")
    monkeypatch.setenv("LC_TIME", "C")
    output = run("env", tmp_path, marker="m/1", env={"APP_KEY": "given"}).output
    assert "s3cret" not in output
    for line in ("LC_TIME=C", "APP_KEY=given", "LAO_RUN=m/1", "GIT_TERMINAL_PROMPT=0", "PYTHONDONTWRITEBYTECODE=1"):
        assert line in output.splitlines()


def test_timeout_kills_the_whole_tree(tmp_path: Path) -> None:
    """Time over: the shell, its children and theirs are gone, and the output so far is kept."""
    started = time.monotonic()
    result = run("echo begun; sh -c 'sleep 60 & echo $! > inner; wait' & echo $! > outer; wait", tmp_path, 1.5)
    assert (result.timed_out, result.passed, result.output) == (True, False, "begun\n")
    assert time.monotonic() - started < 5
    assert not alive(int((tmp_path / "inner").read_text()))
    assert not alive(int((tmp_path / "outer").read_text()))


def test_timeout_kills_what_ignores_term(tmp_path: Path) -> None:
    """A command that traps TERM gets two seconds, then KILL."""
    started = time.monotonic()
    result = run("trap '' TERM; echo $$ > pid; while :; do sleep 0.2; done", tmp_path, 1.0)
    assert result.timed_out and result.exit_code == -9
    assert 3.0 <= time.monotonic() - started < 8
    assert not alive(int((tmp_path / "pid").read_text()))


def test_background_child_does_not_hold_the_result(tmp_path: Path) -> None:
    """A child that outlives the shell with the output pipe open is killed, not waited for."""
    started = time.monotonic()
    result = run("sleep 60 & echo $! > pid; echo done", tmp_path)
    assert (result.output, result.exit_code, result.timed_out) == ("done\n", 0, False)
    assert time.monotonic() - started < 5
    assert not alive(int((tmp_path / "pid").read_text()))


def test_dying_process_is_waited_for(tmp_path: Path) -> None:
    """A killed child that needs a while to give its memory back has ended when the result is there."""
    child = (
        "import os, time; x = bytearray(b'1') * 200_000_000; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    )
    run(f'{sys.executable} -c "{child}" & while [ ! -s pid ]; do :; done', tmp_path)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_escaped_daemon_is_found_by_its_marker(tmp_path: Path) -> None:
    """A double-forked child in a session of its own is dead when the result is there."""
    run(f"{ORPHAN}; while [ ! -s orphan ]; do :; done", tmp_path)
    assert not alive(wait_for(tmp_path / "orphan"))


def test_sweep_kills_orphans_of_a_dead_worker(tmp_path: Path) -> None:
    """Processes with the marker's prefix die, whoever started them; others and the sweeper itself live."""
    prefix = uuid.uuid4().hex
    script = ["/bin/sh", "-c", f"{ORPHAN}; exit 0"]
    subprocess.run(script, cwd=tmp_path, env={**os.environ, "LAO_RUN": f"{prefix}/run-1/7"}, check=True)
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, "LAO_RUN": f"{prefix}/run-2/1"})
    pid = wait_for(tmp_path / "orphan")
    try:
        assert alive(pid)
        assert kill_marked(f"{prefix}/run-1/") >= 1  # the middle of the double fork may still be ending
        assert not alive(pid)
        assert other.poll() is None
        assert kill_marked(f"{prefix}/run-1/") == 0
    finally:
        other.kill()
        other.wait()
    with pytest.raises(BadInput):
        kill_marked("")


def test_sweep_spares_itself_and_its_ancestors() -> None:
    """A worker that was itself started under a marker does not kill itself."""
    marker = uuid.uuid4().hex
    code = f"from lao.durable.processes import kill_marked; print(kill_marked({marker!r}))"
    shell = ["/bin/sh", "-c", f'{sys.executable} -c "{code}"; echo shell lives']
    done = subprocess.run(shell, env={**os.environ, "LAO_RUN": marker}, capture_output=True, text=True, check=True)
    assert done.stdout == "0\nshell lives\n"


def test_long_output_keeps_head_and_tail(tmp_path: Path) -> None:
    """Megabytes of output neither block nor fill memory; start and end stay, the gap is counted."""
    result = run("echo FIRST; yes 0123456789 | head -c 3000000; echo; echo LAST", tmp_path, output_limit=10_000)
    assert result.output.startswith("FIRST\n")
    assert result.output.endswith("LAST\n")
    assert result.truncated_bytes == 3_000_012 - 10_000
    assert f"{result.truncated_bytes} bytes of output dropped" in result.output
    assert len(result.output) < 10_100


def test_output_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are replaced, not fatal."""
    assert run(r"printf 'a\377b'", tmp_path).output == "a\ufffdb"


def test_closed_output_does_not_end_the_command(tmp_path: Path) -> None:
    """A command that closes its output is still waited for, with its status."""
    assert run("exec >&- 2>&-; sleep 0.1; exit 5", tmp_path).exit_code == 5


def test_stop_interrupts(tmp_path: Path) -> None:
    """A stopping worker does not wait for a long command, and leaves nothing of it running."""
    started, pid = time.monotonic(), tmp_path / "pid"
    with pytest.raises(Interrupted):
        run("echo $$ > pid; sleep 60", tmp_path, stop=lambda: pid.exists() and pid.read_text() != "")
    assert time.monotonic() - started < 5
    assert not alive(int(pid.read_text()))


def test_a_failure_on_a_full_disk_says_nothing_about_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P7: it is waited for; a command that passed has passed, and with room a failure is a failure."""
    assert run("exit 1", tmp_path).exit_code == 1
    monkeypatch.setattr("lao.durable.space.FULL_MB", 1e12)
    assert run("true", tmp_path).passed
    with pytest.raises(DiskFull, match="exit 1"):
        run("exit 1", tmp_path)


def test_bad_folder_is_bad_input(tmp_path: Path) -> None:
    """A missing folder and a NUL byte are clear errors, not tracebacks of the system."""
    with pytest.raises(BadInput, match="nowhere"):
        run("true", tmp_path / "nowhere")
    with pytest.raises(BadInput):
        run("true\0", tmp_path)
