"""Promise: in a real terminal (tmux) the wizard of ``lao init`` and ``lao configure-models`` do their work."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.config.load import load
from lao.core.states import Role
from lao.servers.simulated.scenario import Scenario, SimModel
from lao.servers.simulated.server import SimulatedServer
from tests.cli.terminal import ROOT, Tmux

CODER = "qwen/qwen3-coder-30b"
NOMIC = "text-embedding-nomic-embed-text-v1.5"
MODELS = (
    SimModel("small", 2_000_000_000, max_context_length=8192),
    SimModel(CODER, 18_556_689_568, max_context_length=262_144),
    SimModel("huge", 47_000_000_000),
    SimModel(NOMIC, 84_106_624, "embedding", 2048),
)

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (scripts/python.sh does)")


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path_factory.mktemp("t"))
    yield terminal
    terminal.run("kill-server")


def start(tmux: Tmux, folder: Path, arguments: str, size: tuple[int, int] = (120, 50)) -> None:
    shell = f"{sys.executable} -m lao {arguments}; echo ended with $?"
    tmux.run(
        "new-session", "-d", "-s", "lao", "-x", str(size[0]), "-y", str(size[1]), "-c", str(folder),
        f"PYTHONPATH={ROOT} NO_COLOR=1 sh -c 'trap : INT; {shell}; exec cat'",
    )  # fmt: skip


def test_enter_all_the_way_is_a_project(tmp_path: Path, tmux: Tmux) -> None:
    """Issue 7: the server is found, what fits is proposed, factory.yaml loads and says why, health is shown."""
    with SimulatedServer(Scenario(models=MODELS)) as server:
        start(tmux, tmp_path, f"init --port {server.url.rsplit(':', 1)[1]}")
        assert server.url in tmux.until("Which [1]:")
        tmux.type("")
        screen = tmux.until("Model [")
        assert "25.8 GB for models" in screen
        assert "does not fit" in screen
        tmux.type("")
        tmux.until("Another model for some role?")
        tmux.type("")
        tmux.until("Command (Enter")
        tmux.type("")
        tmux.until("Write plans/first-steps.md")
        tmux.type("")
        assert f"coder     {CODER}: ok" in tmux.until("ended with 0")
        settings = load(cwd=tmp_path, env={})
    assert settings.server.base_url == server.url
    assert {m.key for r, m in settings.models.items() if r is not Role.EMBEDDER} == {CODER}
    assert settings.models[Role.EMBEDDER].key == NOMIC
    assert settings.models[Role.CODER].context_length == 32768
    text = (tmp_path / "factory.yaml").read_text()
    assert "# All roles but the embedder: made for code, takes 23.0 GB of 25.8 GB." in text
    assert (tmp_path / "plans" / "first-steps.md").read_text().startswith("# First steps")


def test_nothing_fits_names_what_to_download(tmp_path: Path, tmux: Tmux) -> None:
    """With no model that fits, the preset for that memory and its commands are shown, and written as comments."""
    with SimulatedServer(Scenario(models=(MODELS[2],))) as server:
        start(tmux, tmp_path, f"init --port {server.url.rsplit(':', 1)[1]}", size=(80, 50))
        tmux.until("Which [1]:")
        tmux.type("")
        screen = tmux.until("Command (Enter")
        assert "None of the 1 models" in screen
        assert "lms get https://huggingface.co/" in screen
        tmux.type("python3 -m pytest -q")
        tmux.until("Write plans/first-steps.md")
        tmux.type("n")
        tmux.until("ended with 0")
    settings = load(cwd=tmp_path, env={})
    assert settings.models[Role.CODER].key == "qwen3-coder-30b-a3b-instruct"
    assert settings.orchestration.validation_build_cmd == "python3 -m pytest -q"
    assert "#   lms get https://huggingface.co/" in (tmp_path / "factory.yaml").read_text()
    assert not (tmp_path / "plans" / "first-steps.md").exists()


def test_ctrl_c_leaves_nothing(tmp_path: Path, tmux: Tmux) -> None:
    """Interrupted at the third question: no file, no folder, exit code 130."""
    with SimulatedServer(Scenario(models=MODELS)) as server:
        start(tmux, tmp_path, f"init --port {server.url.rsplit(':', 1)[1]}")
        tmux.until("Which [1]:")
        tmux.type("")
        tmux.until("Model [")
        tmux.run("send-keys", "-t", "lao", "C-c")
        assert "Traceback" not in tmux.until("ended with 130")
    assert list(tmp_path.iterdir()) == []


def test_the_menus_change_what_was_chosen(tmp_path: Path, tmux: Tmux) -> None:
    """M1: a role and a model are chosen by number; only that role's values change, after it is said to write."""
    with SimulatedServer(Scenario(models=MODELS)) as server:
        text = f"""\
lm_studio_base_url: {server.url}  # here
models:
    planner:   {{key: 'small', context_length: 8192}}
    coder:
      # the one that writes
      key: 'small'
      context_length:    8192
    reviewer: {{key: small, context_length: 8192}}
    pilot: {{key: small, context_length: 8192}}
    analyst: {{key: small, context_length: 8192}}
    embedder: {{key: {NOMIC}}}
"""
        file = tmp_path / "factory.yaml"
        file.write_text(text)
        start(tmux, tmp_path, "configure-models")
        assert "memory for models: 25.8 GB" in tmux.until("Change [8]:")
        tmux.type("2")
        screen = tmux.until("Model [")
        assert "Qwen3 Coder 30B" in screen, "the catalogue's name, cut where the window ends"
        number = next(line.split()[0] for line in screen.splitlines() if f"  {CODER}" in line)
        tmux.type(number)
        tmux.until("Context in tokens [8192]:")
        tmux.type("16384")
        tmux.until(f"{CODER}  (new)")
        assert file.read_text() == text, "nothing is written before it is said"
        tmux.type("")
        tmux.until("ended with 0")
        start_of = text.replace("key: 'small'\n", f"key: '{CODER}'\n")
        assert file.read_text() == start_of.replace("context_length:    8192", "context_length:    16384")
        assert load(cwd=tmp_path, env={}).models[Role.CODER].key == CODER


def test_leaving_the_menus_writes_nothing(tmp_path: Path, tmux: Tmux) -> None:
    """Enter at once leaves; a wrong number is asked again; in a small window as well."""
    with SimulatedServer(Scenario(models=MODELS)) as server:
        file = tmp_path / "factory.yaml"
        file.write_text(f"lm_studio_base_url: {server.url}\n")
        start(tmux, tmp_path, "configure-models", size=(40, 10))
        tmux.until("Change [8]:")
        tmux.type("99")
        tmux.until("99 is not in the range")
        tmux.type("")
        assert "nothing changed" in tmux.until("ended with 0")
        assert file.read_text() == f"lm_studio_base_url: {server.url}\n"
