"""``lao configure-models``: what it shows, what it writes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.states import Role
from lao.servers.simulated.scenario import Scenario, SimModel
from lao.servers.simulated.server import SimulatedServer

CODER = "qwen/qwen3-coder-30b"
MODELS = (
    SimModel(CODER, 18_556_689_568, max_context_length=262_144),
    SimModel("small", 2_000_000_000, max_context_length=8192),
    SimModel("huge", 47_000_000_000),
    SimModel("text-embedding-nomic-embed-text-v1.5", 84_106_624, "embedding", 2048),
)

FILE = """\
# my file\r
lm_studio_base_url: '{url}'\r
models:\r
   planner: &all {{key: "old",   context_length: 16384, size_bytes: 5}}   # plans\r
   coder: *all\r
   # no swaps\r
   reviewer: *all\r
   pilot: *all\r
   analyst: *all\r
   embedder: {{key: text-embedding-nomic-embed-text-v1.5}}\r
git: {{enabled: true}}   # yes\r
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with SimulatedServer(Scenario(models=MODELS)) as server:
        (tmp_path / "factory.yaml").write_bytes(FILE.format(url=server.url).encode())
        yield tmp_path / "factory.yaml"


def keys(file: Path) -> dict[str, str]:
    return {role.value: model.key for role, model in load(cwd=file.parent, env={}).models.items()}


def test_one_role_is_changed_and_the_rest_is_byte_for_byte(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M1: --role coder --key X writes that role; comments, CRLF, the anchor and all other roles stay."""
    before = project.read_bytes()
    assert main(["configure-models", "--role", "coder", "--key", CODER, "--context", "32768", "--json"]) == 0
    changed = json.loads(capsys.readouterr().out)["changed"]
    assert changed == {"coder": {"key": CODER, "size_bytes": 18_556_689_568, "context_length": 32768}}
    new = b'{<<: *all, key: "qwen/qwen3-coder-30b", size_bytes: 18556689568, context_length: 32768}'
    assert project.read_bytes() == before.replace(b"coder: *all", b"coder: " + new)
    assert keys(project) == {**dict.fromkeys(keys(project), "old"), "coder": CODER, "embedder": MODELS[3].key}


def test_several_roles_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each named role gets the model, those that shared its mapping keep theirs."""
    assert main(["configure-models", "--role", "planner", "--role", "reviewer", "--key", "small"]) == 0
    assert "planner: key: small" in capsys.readouterr().out
    got = load(cwd=project.parent, env={}).models
    assert (got[Role.PLANNER].key, got[Role.REVIEWER].key) == ("small", "small")
    assert got[Role.PLANNER].context_length == 8192, "more than the model holds would be refused at the first run"
    for role in (Role.CODER, Role.PILOT, Role.ANALYST):
        assert (got[role].key, got[role].context_length, got[role].size_bytes) == ("old", 16384, 5)
    assert b"# no swaps\r\n" in project.read_bytes()


def test_the_same_again_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there already is not written."""
    assert main(["configure-models", "--role", "coder", "--key", CODER]) == 0
    before = project.read_bytes()
    capsys.readouterr()
    assert main(["configure-models", "--role", "coder", "--key", CODER]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert project.read_bytes() == before


def test_json_shows_the_models_and_how_they_fit(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --role it only tells: each model's size, fit and catalogue entry."""
    before = project.read_bytes()
    assert main(["configure-models", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    rows = {row["key"]: row for row in view["models"]}
    assert view["roles"] == keys(project)
    assert view["budget_bytes"] == Scenario().vram_total_bytes
    assert rows[CODER]["catalogue"] == "qwen3-coder-30b-a3b-instruct"
    assert (rows[CODER]["fit"], rows[CODER]["context"]) == ("fits", 16384)
    assert (rows["huge"]["fit"], rows["huge"]["context"], rows["huge"]["catalogue"]) == ("no", None, None)
    assert project.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "this is no terminal"),
        (["--role", "coder"], "--role and --key belong together"),
        (["--key", "small"], "--role and --key belong together"),
        (["--context", "4096"], "--context needs --role"),
        (["--role", "poet", "--key", "small"], "poet"),
    ],
)
def test_off_a_terminal_it_says_what_is_missing(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """Exit 2 with what to give, and the file untouched."""
    before = project.read_bytes()
    assert main(["configure-models", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert project.read_bytes() == before


def test_wrong_choices_are_refused(project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A key that the server has not, an embedder as coder, no factory.yaml: a message, and nothing written."""
    before = project.read_bytes()
    assert main(["configure-models", "--role", "coder", "--key", "qwen3-coder-30"]) != 0
    assert f"nearest: {CODER!r}" in capsys.readouterr().err
    assert main(["configure-models", "--role", "coder", "--key", MODELS[3].key]) == 42
    assert "is an embedding model" in capsys.readouterr().err
    assert project.read_bytes() == before
    url = load(cwd=tmp_path, env={}).server.base_url
    project.unlink()
    assert main(["--lm-studio-url", url, "configure-models", "--role", "coder", "--key", "small"]) == 42
    assert "run `lao init` first" in capsys.readouterr().err


def test_flags_of_the_moment_are_not_written(project: Path) -> None:
    """--coder-model on the same line is not what the file means for the other roles."""
    assert main(["--coder-model", "small", "configure-models", "--role", "planner", "--key", CODER]) == 0
    assert keys(project)["coder"] == "old"


def test_a_linked_file_stays_a_link(project: Path, tmp_path: Path) -> None:
    """The file that the link leads to is changed."""
    real = tmp_path / "elsewhere.yaml"
    project.rename(real)
    project.symlink_to(real)
    assert main(["configure-models", "--role", "coder", "--key", "small"]) == 0
    assert project.is_symlink()
    assert keys(project)["coder"] == "small"
