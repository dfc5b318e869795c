"""Promise: in a real terminal (tmux) ``lao run`` shows a question, reads the answer, remembers "always", goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from tests.cli.terminal import NEEDS_TMUX, Tmux, tmux  # noqa: F401 - a fixture
from tests.workflows.conftest import MODELS
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

pytestmark = [
    NEEDS_TMUX,
    pytest.mark.durability,  # real workers, as those tests have
]


def project(folder: Path, url: str) -> None:
    (folder / "plans").mkdir()
    (folder / "plans" / "parts.md").write_text(PLAN)
    document = {
        "lm_studio_base_url": url,
        "models": {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()},
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False},
        "memory_gate": {"settle_timeout_s": 2, "poll_interval_s": 0.05},
        "calibration": {"auto": False},
        "permissions": {"mode": "confirm", "ask_timeout_s": 80},
    }
    (folder / "factory.yaml").write_text(yaml.safe_dump(document))


def test_confirm_asks_remembers_and_goes_on(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """G1: n refuses and the model goes on, always makes a rule that is obeyed at once, y runs once; the plan ends."""
    turns = scripted(
        [call("shell_exec", command="touch refused")],
        [call("shell_exec", command="touch kept")],
        [call("shell_exec", command="touch kept")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    with SimulatedServer(parse_scenario(turns)) as server:
        project(tmp_path, server.url)
        tmux.start(tmp_path, "run --plan plans/parts.md")
        assert "touch refused" in tmux.until("question 1 (")
        tmux.type("n")
        tmux.until("question 1: no")
        assert "always = allow from now on: Bash(touch kept)" in tmux.until("question 2 (")
        tmux.type("always")
        assert "file_write" in tmux.until("question 3 (")
        tmux.type("y")
        tmux.until("ended with 0")
    folder = tmp_path / "parts"
    assert [(folder / name).exists() for name in ("refused", "kept")] == [False, True]
    assert (folder / "part_1.txt").read_text() == "x\n"
    assert yaml.safe_load((tmp_path / ".lao" / "permissions.yaml").read_text()) == {"allow": ["Bash(touch kept)"]}
