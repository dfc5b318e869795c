"""A5 A6: the first quarter of an hour with LAO in one session of a real terminal (tmux), with a scripted server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lao.config.load import load
from lao.core.states import Role
from lao.servers.simulated.server import SimulatedServer
from scripts.shots.servers import CODER, newcomers
from tests.cli.terminal import NEEDS_TMUX, Tmux, tmux  # noqa: F401 - a fixture

pytestmark = [NEEDS_TMUX, pytest.mark.durability]  # real workers, as those tests have


@pytest.mark.parametrize(("size", "env"), [((80, 50), ""), ((100, 40), "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0")])
def test_home_init_health_demo(size: tuple[int, int], env: str, tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """In an empty folder: the home offers init; the wizard finds the server, says what fits, proposes and writes a
    commented factory.yaml; health is green; the demo runs through on that server; exit leaves with 0."""
    folder = tmp_path / "shop"
    for made in (folder, tmp_path / "home", tmp_path / "tmp"):
        made.mkdir()
    with SimulatedServer(newcomers()) as server:
        port = server.url.rsplit(":", 1)[1]
        tmux.start(folder, "", size, f"HOME={tmp_path / 'home'} TMPDIR={tmp_path / 'tmp'} {env}")
        tmux.until("choice [Enter: init]:")
        tmux.type(f"init --port {port}")
        tmux.until("Which [1]:")
        tmux.type("")
        screen = tmux.until("Model [2]:")
        assert "does not fit" in screen
        assert "24.0 GB for models" in screen
        for question in ("Another model for some role?", "Command (Enter", "Write plans/first-steps.md"):
            tmux.type("")
            tmux.until(question)
        tmux.type("")
        tmux.until("Next: `lao run` works on plans/first-steps.md")
        screen = tmux.until("choice [Enter: run]:")
        assert f"coder     {CODER}: ok" in screen
        assert f"{server.url} answers, 4 models" in screen, screen
        tmux.type("h")
        tmux.until("choice [Enter: overview]:")
        tmux.type("d")
        screen = tmux.until("plan temperatures: completed")
        tmux.type("q")
        screen = tmux.until("ended with 0\necho")
    assert "All answers came from the simulated server" not in screen
    assert "Traceback" not in screen and "Errno" not in screen
    assert env == "" or screen.isascii()
    assert max(map(len, tmux.window().splitlines())) <= size[0]
    settings = load(cwd=folder, env={})
    assert {model.key for role, model in settings.models.items() if role is not Role.EMBEDDER} == {CODER}
    text = (folder / "factory.yaml").read_text()
    assert "# All roles but the embedder: made for code, takes 23.0 GB of 24.0 GB." in text
    assert max(map(len, text.splitlines())) <= 120
    (demo,) = (tmp_path / "tmp").glob("lao-demo-*/factory.yaml")
    assert yaml.safe_load(demo.read_text())["lm_studio_base_url"] == server.url
