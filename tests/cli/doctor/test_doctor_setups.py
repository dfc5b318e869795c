"""Promise: ``lao doctor`` names the right remedy: configuration, server, models, git, sandbox, embedder, MCP."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lao.search.store import NAME, IndexFile
from lao.servers import discovery
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer
from tests.cli.doctor.setups import EMBEDDER, MODELS, Project, free_port, levels


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
