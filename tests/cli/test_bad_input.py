"""Bad input at the command line: one clear message, the right exit code, nothing lost, never a traceback."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer

GOOD = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "plans").mkdir()


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return code, said


def health(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """``lao health``, whose rows are its output and not a message."""
    return main(["health"]), capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.md", b"", "empty"),
        ("blank.md", b"\n  \n\t\n---\n", "empty"),
        ("binary.md", b"# Plan\x00\x01", "binary"),
        ("latin.md", b"# Gr\xf6\xdfe", "UTF-8"),
        ("huge.md", b"x" * 1_000_000, "split"),
        ("factory.md", GOOD.encode(), "reserved"),
        ("plans.md", GOOD.encode(), "reserved"),
        ("README.md", GOOD.encode(), "README"),
        ("notes.txt", GOOD.encode(), "*.md"),
        ("front.md", b"---\nvalidation: [\n---\n" + GOOD.encode(), "front"),
        ("form.md", b"---\nvalidation: {biuld: x}\n---\n" + GOOD.encode(), "biuld"),
    ],
)
def test_files_that_are_no_plans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, words: str
) -> None:
    """M3: exit code 42, the file's name and the reason; the file stays, the state has no plan."""
    path = tmp_path / name
    path.write_bytes(content)
    code, said = outcome(capsys, "submit", name)
    assert code == 42
    assert words in said
    assert path.read_bytes() == content
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plans"] == []


def test_a_missing_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """M3: a path that does not exist is named."""
    code, said = outcome(capsys, "submit", "plans/nope.md")
    assert code == 42
    assert "nope.md" in said


def test_an_unknown_plan_for_retry(capsys: pytest.CaptureFixture[str]) -> None:
    """M3: retry-failed of a plan that is not there says how to find it."""
    code, said = outcome(capsys, "retry-failed", "nope")
    assert code == 42
    assert "lao status" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("git: [unclosed", "factory.yaml"),
        ("orchestration:\n  max_task_attemps: 3\n", "max_task_attempts"),
        ("orchestration:\n  max_task_attempts: many\n", "orchestration.max_task_attempts"),
    ],
)
@pytest.mark.parametrize("command", ["status", "run", "health", "worker"])
def test_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str, command: str
) -> None:
    """B4: every command stops at a broken factory.yaml with the place and the nearest key, exit code 42."""
    (tmp_path / "factory.yaml").write_text(text)
    code, said = outcome(capsys, command, *(["--print"] if command == "worker" else []))
    assert code == 42
    assert words in said


def test_a_missing_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M1: health and a single run say that nothing answers and where; exit code 1, the plan stays queued or unread."""
    (tmp_path / "factory.yaml").write_text("lm_studio_base_url: http://127.0.0.1:9\n")
    (tmp_path / "plans" / "a.md").write_text(GOOD)
    for command in (["health"], ["run", "--single-run"], ["run", "--plan", "plans/a.md"]):
        code, said = outcome(capsys, *command)
        assert code == 1
        assert "127.0.0.1:9" in said


def test_a_model_that_the_server_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """E2: a run does not start with a wrong key; the message names the setting and the nearest key."""
    with SimulatedServer() as server:
        document = f"lm_studio_base_url: {server.url}\nmodels: {{coder: {{key: sim-codr}}}}\n"
        (tmp_path / "factory.yaml").write_text(document)
        code, said = outcome(capsys, "run", "--single-run")
    assert code == 42
    assert "models.coder.key" in said
    assert "sim-coder" in said


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ("coder: {key: sim-coder, context_length: 900000}", "holds at most 131072 tokens"),
        ("coder: {key: text-embedding-nomic-embed-text-v1.5}", "needs a language model"),
        ("coder: {key: qwen3-coder}", "nearest: 'qwen/qwen3-coder-30b'"),
    ],
)
def test_a_model_that_cannot_do_its_role(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], models: str, words: str
) -> None:
    """E2 M1: a failed row of health, and a run that does not start; both say what and where."""
    with SimulatedServer() as server:
        (tmp_path / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\nmodels: {{{models}}}\n")
        code, said = health(capsys)
        assert (code, words in said, said.count("WRONG") + said.count("MISSING")) == (1, True, 1)
        code, said = outcome(capsys, "run", "--single-run")
        assert (code, words in said, "models.coder." in said) == (42, True, True)


def test_an_embedder_that_is_a_language_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M1: a failed row of health that names the role."""
    with SimulatedServer() as server:
        document = f"lm_studio_base_url: {server.url}\nmodels: {{embedder: {{key: sim-coder}}}}\n"
        (tmp_path / "factory.yaml").write_text(document)
        code, said = health(capsys)
    assert code == 1
    assert "embedder  sim-coder: WRONG" in said


@pytest.mark.parametrize(("wanted", "shown"), [(3, " (answers 2 at once, gpu.parallel is 3)"), (2, "")])
def test_more_at_once_than_the_server_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wanted: int, shown: str
) -> None:
    """E7: a note at the role whose model is loaded; no more is sent than the server says."""
    with SimulatedServer(Scenario(parallel=2)) as server:
        httpx.post(f"{server.url}/api/v1/models/load", json={"model": "sim-coder"}).raise_for_status()
        models = f"gpu: {{parallel: {wanted}}}\nmodels: {{coder: {{key: sim-coder}}}}\n"
        (tmp_path / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\n{models}")
        _, said = health(capsys)
    assert f"coder     sim-coder: loaded{shown}\n" in said


class Html(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = b"<html><body>router login</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def html_server() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Html)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_answers_html(tmp_path: Path, capsys: pytest.CaptureFixture[str], html_server: str) -> None:
    """M1: something else than a model server is a configuration error that names the address."""
    (tmp_path / "factory.yaml").write_text(f"lm_studio_base_url: {html_server}\n")
    for command in (["health"], ["run", "--single-run"]):
        code, said = outcome(capsys, *command)
        assert code == 42
        assert html_server in said


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """M3: a state file that cannot be made is named, with what to do; exit code 42."""
    (tmp_path / "a.md").write_text(GOOD)
    code, said = outcome(capsys, "submit", "a.md", "--db", "/proc/lao/state.db")
    assert code == 42
    assert "/proc/lao/state.db" in said


def test_status_looks_without_making_anything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """M1: looking at an empty project creates no state."""
    assert main(["status"]) == 0
    assert "no plans yet" in capsys.readouterr().out
    assert not (tmp_path / ".lao").exists()
