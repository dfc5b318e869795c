"""``lao init``: what it writes loads, and nothing that is there is touched."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.states import Role
from models_cfg.load import presets

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_init_writes_a_project_that_loads(capsys, tmp_path: Path):
    """All files are there, factory.yaml loads and means the defaults."""
    assert main(["init", "--no-interactive"]) == 0
    names = {"factory.yaml", "factory.example.yaml", "README.md", "plans/README.md", ".lao/.gitignore"}
    assert set(_files(tmp_path)) == names
    assert (tmp_path / ".lao").is_dir()
    settings = load(cwd=tmp_path, env={})
    assert {r: m.key for r, m in settings.models.items()} == {
        r: m.key for r, m in load(cwd=ROOT, env={}, flags={"config": "factory.example.yaml"}).models.items()
    }
    assert "wrote  factory.yaml" in capsys.readouterr().out


def test_init_hides_only_its_own_folder_from_git(tmp_path: Path):
    """With the state elsewhere no .gitignore is written: a "*" there would hide the user's own files."""
    assert main(["init", "--no-interactive", "--db", "state.db"]) == 0
    assert not (tmp_path / ".gitignore").exists()


def test_init_never_overwrites(capsys, tmp_path: Path):
    """A second init changes no byte and says what it kept."""
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "factory.yaml").write_text("output_style: json\npaths: {plans: todo}\n")
    assert main(["init", "--no-interactive", "--preset", "one-model"]) == 0
    assert "kept   README.md" in capsys.readouterr().out
    before = _files(tmp_path)
    assert before["README.md"] == b"mine"
    assert before["factory.yaml"].startswith(b"output_style: json")
    assert "todo/README.md" in before
    assert main(["init", "--no-interactive"]) == 0
    assert "wrote" not in capsys.readouterr().out
    assert {k: v for k, v in _files(tmp_path).items() if k in before} == before


@pytest.mark.parametrize("name", list(presets()))
def test_init_with_a_preset(tmp_path: Path, name: str):
    """Every preset makes a factory.yaml that loads with exactly its models."""
    assert main(["init", "--no-interactive", "--skip-readme", "--preset", name]) == 0
    assert not (tmp_path / "README.md").exists()
    models = load(cwd=tmp_path, env={}).models
    for role, entries in presets()[name].items():
        assert {key: getattr(models[Role(role)], key) for key in entries} == entries


def test_init_for_so_much_memory(tmp_path: Path):
    """--preset 24gb is the preset for that memory, with one model in all roles that generate."""
    assert main(["init", "--no-interactive", "--skip-readme", "--preset", "24GB"]) == 0
    models = load(cwd=tmp_path, env={}).models
    assert {m.key for r, m in models.items() if r is not Role.EMBEDDER} == {"qwen3-coder-30b-a3b-instruct"}
    assert models[Role.CODER].context_length == 32768


def test_init_takes_url_and_models_from_flags(tmp_path: Path):
    """--lm-studio-url and --coder-model go into the file; another model keeps no size of the preset's."""
    assert main(["--lm-studio-url", "http://gpu:99", "init", "--no-interactive", "--coder-model", 'odd "key"']) == 0
    settings = load(cwd=tmp_path, env={})
    assert settings.server.base_url == "http://gpu:99"
    assert settings.models[Role.CODER].key == 'odd "key"'
    assert settings.models[Role.CODER].size_bytes == 0


def test_unknown_preset(capsys, tmp_path: Path):
    """An unknown preset is refused with the names of the known ones, before anything is written."""
    assert main(["init", "--no-interactive", "--preset", "huge"]) == 42
    said = capsys.readouterr().err
    assert "no preset 'huge'" in said
    assert all(f"{name}: " in said for name in ("default", "one-model", "small-qwen"))
    assert "8gb, 12gb" in said
    assert _files(tmp_path) == {}


def test_root_is_refused(capsys, monkeypatch):
    """The root of the file system is no project."""
    monkeypatch.chdir("/")
    assert main(["init", "--no-interactive"]) == 42
    assert "root of the file system" in capsys.readouterr().err
    assert not Path("/factory.yaml").exists()


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process may not write to, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    folder.chmod(0o755)
    folder.rmdir()


def test_read_only_folder(capsys, monkeypatch, read_only: Path):
    """A folder without write permission is a clear message and exit code 42."""
    monkeypatch.chdir(read_only)
    assert main(["init", "--no-interactive"]) == 42
    assert f"cannot write '{read_only / 'factory.yaml'}': Permission denied" in capsys.readouterr().err
    monkeypatch.undo()


def test_file_in_the_way(capsys, tmp_path: Path):
    """A file named .lao is reported and kept."""
    (tmp_path / ".lao").write_text("mine")
    assert main(["init", "--no-interactive"]) == 42
    assert ".lao" in capsys.readouterr().err
    assert (tmp_path / ".lao").read_text() == "mine"


@pytest.fixture
def closed_port() -> int:
    """A port at which nothing answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_init_asks_on_a_terminal(tmp_path: Path, closed_port: int):
    """With a preset it asks for the server and the model of each role; Enter keeps the default."""
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "main.py"), "init", "--preset", "one-model", "--port", str(closed_port)]
    child = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(ours, b"http://127.0.0.1:9\nbig\nsmall\n\n\n\n\n\nn\n")
    said = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        said += chunk
    os.close(ours)
    assert child.wait(timeout=30) == 0, said.decode()
    settings = load(cwd=tmp_path, env={})
    assert settings.server.base_url == "http://127.0.0.1:9"
    assert not (tmp_path / "plans" / "first-steps.md").exists()
    keys = {role: model.key for role, model in settings.models.items()}
    assert (keys[Role.PLANNER], keys[Role.CODER], keys[Role.PILOT]) == ("big", "small", "big")
    assert keys[Role.REVIEWER] == presets()["one-model"]["reviewer"]["key"]
