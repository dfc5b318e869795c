"""Promise: what plans ask for works in a sandbox as it does without one, and a refusal says what is closed and why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lao.durable.containment import Containment
from lao.workspace.desks import Desk
from lao.workspace.git_calls import Git
from tests.durable.sandbox.cases import HOLDING, run

PYTHON = sys.executable
pytestmark = pytest.mark.parametrize("how", HOLDING)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A desk of a plan's repository that keeps data and a file of settings aside."""
    plan = tmp_path / "plan"
    (plan / "data").mkdir(parents=True)
    (plan / "app.py").write_text("x = 1\n")
    (plan / ".gitignore").write_text("data/\n")
    (plan / "data/table.csv").write_text("1,2\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first words"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *arguments], cwd=plan, check=True)
    made = Desk(tmp_path / "desks", 1, "plan")
    made.lay_out(Git(plan), Git(plan).out("rev-parse", "HEAD"))
    return made.root


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")


def test_git_reads(desk: Path, how: Containment) -> None:
    """status, diff, log and show work at a desk, whose objects are in the plan's repository."""
    (desk / "app.py").write_text("x = 2\n")
    result = run("git status --short && git diff && git log --oneline && git show HEAD:app.py", desk, how)
    assert result.passed, result.output
    for words in ("M app.py", "+x = 2", "first words", "x = 1"):
        assert words in result.output


def test_pytest(desk: Path, how: Containment) -> None:
    """A test run with a cache, a temporary folder and a server of its own on the loopback."""
    (desk / "test_app.py").write_text(
        "import socket\n\ndef test_it(tmp_path):\n    (tmp_path / 'x').write_text('x')\n"
        + ("    with socket.create_server(('127.0.0.1', 0)) as s:\n        socket.create_connection(s.getsockname())\n")
        * (how is not Containment.LANDLOCK)
    )
    result = run(f"{PYTHON} -m pytest -q", desk, how)
    assert "1 passed" in result.output
    assert (desk / ".pytest_cache").is_dir()


def test_venv_and_pip_without_a_network(desk: Path, how: Containment) -> None:
    """A virtual environment is made and works; an installation fails, and the line names the key that would help."""
    result = run(
        f"{PYTHON} -m venv --without-pip .venv && .venv/bin/python -c 'import sys; print(sys.prefix)'", desk, how
    )
    assert f"{desk}/.venv" in result.output, result.output
    result = run(
        f"{PYTHON} -m pip install --disable-pip-version-check --retries 0 --target lib six-of-nowhere", desk, how
    )
    assert not result.passed
    assert "A person can change sandbox.network in factory.yaml" in result.output


def test_npm(desk: Path, how: Containment) -> None:
    """npm test, which writes a log and a cache to the home folder."""
    needs("npm")
    (desk / "package.json").write_text('{"name": "x", "scripts": {"test": "node -e \\"console.log(6*7)\\""}}')
    result = run("npm test", desk, how)
    assert "42" in result.output, result.output


def test_make_and_a_compiler(desk: Path, how: Containment) -> None:
    """A compiler finds its parts and writes its temporary files."""
    needs("make")
    needs("gcc")
    (desk / "main.c").write_text("int main(void) { return 7; }\n")
    (desk / "Makefile").write_text("main: main.c\n\tgcc -o $@ $<\n")
    assert run("make && ./main", desk, how).exit_code == 7


def test_cargo(desk: Path, how: Containment) -> None:
    """A package without dependencies builds, with its caches in the private home."""
    needs("cargo")
    (desk / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n')
    (desk / "src").mkdir()
    (desk / "src/main.rs").write_text('fn main() { println!("{}", 6 * 7); }\n')
    result = run("cargo run -q --offline", desk, how, timeout_s=120)
    assert "42" in result.output, result.output


def test_what_a_desk_borrows_is_there(desk: Path, how: Containment) -> None:
    """Ignored files of the plan's folder are read and written by the links that LAO made."""
    result = run("cat data/table.csv && echo 3,4 >> data/table.csv", desk, how)
    assert result.passed, result.output
    assert (desk / "data/table.csv").read_text() == "1,2\n3,4\n"


def test_the_home_folder_is_private_and_empty(desk: Path, how: Containment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one command leaves there the next one does not find, nor the user."""
    assert run("mkdir -p ~/.config && echo x > ~/.config/x && test -w ~ && echo y > $(mktemp)", desk, how).passed
    assert run("test ! -e ~/.config/x", desk, how).passed


def test_read_only_and_writable_folders(desk: Path, tmp_path: Path, how: Containment) -> None:
    """What the settings name is there, as they say; a package cache in the home folder too."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    for folder in (cache, out):
        folder.mkdir()
        (folder / "x").write_text("from outside\n")
    more = {"read_only": (cache,), "writable": (out,)}
    assert run(f"cat {cache}/x {out}/x && echo y > {out}/y", desk, how, **more).passed
    result = run(f"echo y > {cache}/y", desk, how, **more)
    assert not result.passed
    assert "sandbox.writable" in result.output
    assert (out / "y").exists()
    assert not (cache / "y").exists()


def test_the_network_of_the_host(desk: Path, how: Containment) -> None:
    """sandbox.network: host gives it back."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"{PYTHON} -c \"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\""
        assert not run(call, desk, how).passed
        assert run(call, desk, how, network=True).passed


def test_a_workspace_by_a_link_and_in_the_home_folder(
    desk: Path, tmp_path: Path, how: Containment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is where it was, the home folder around it is not there, and its repository cannot be written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "private.txt").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(desk)
    look = f"pwd -P; git log --oneline; echo y > new; cat {tmp_path}/private.txt"
    result = run(look, link, how)
    assert str(desk) in result.output or str(link) in result.output
    assert "first words" in result.output
    assert "mine" not in result.output
    assert (desk / "new").exists()
    before = (desk / ".git/config").read_bytes()
    run("echo x >> .git/config", link, how)
    assert (desk / ".git/config").read_bytes() == before


def test_git_reads_in_a_linked_work_tree(desk: Path, tmp_path: Path, how: Containment) -> None:
    """Its .git is a file that names a repository elsewhere: read, and with namespaces not written."""
    plan, tree = tmp_path / "plan", tmp_path / "tree"
    subprocess.run(["git", "worktree", "add", "-q", str(tree)], cwd=plan, check=True)
    result = run("git status --short && git log --oneline && git branch evil", tree, how)
    assert "first words" in result.output, result.output
    assert not result.passed
    assert "evil" not in subprocess.run(["git", "branch"], cwd=plan, check=True, capture_output=True, text=True).stdout


def test_git_commits_as_the_user(desk: Path, tmp_path: Path, how: Containment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository that a command makes has an author; of the user's other settings nothing is there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(
        '[user]\n\tname = "Ada \\"L\\" \\\\ Byron"\n\temail = ada@example.org\n[alias]\n\tx = !echo ran\n'
        "[credential]\n\thelper = store\n[include]\n\tpath = /etc/hostname\n"
    )
    make = "git init -q r && cd r && git commit -q --allow-empty -m x"
    result = run(f"{make} && git log --format='%an|%ae|%cn'; git config --global --list; git x", desk, how)
    assert 'Ada "L" \\ Byron|ada@example.org|Ada "L" \\ Byron' in result.output, result.output
    assert "ran" not in result.output
    for gone in ("credential", "alias.", "include"):
        assert gone not in result.output
    own = run(f"{make} && git config --global user.name New && git config user.email r@r && {make}", desk, how)
    assert own.passed, own.output
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    assert "LAO|lao@localhost" in run(f"rm -rf r; {make} && git log --format='%an|%ae'", desk, how).output
