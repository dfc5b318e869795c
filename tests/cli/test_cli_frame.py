"""The front door: global options before and after a command, exit codes, errors, lazy imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lao import __version__
from lao.cli.commands import COMMANDS, Entry
from lao.cli.context import Session
from lao.cli.global_options import GLOBAL_OPTIONS
from lao.cli.main import main
from lao.config.overrides import FLAGS
from lao.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
TABLE = {name: Entry(f"frame_commands:{name}", f"Help of {name}.") for name in ("echo", "run", "nest", "fail", "leave")}
VALUES = {"ram_gb": ("8", 8.0), "batch_size": ("2", 2), "seed": ("3", 3), "max_context_utilization": ("0.5", 0.5)}
VALUES |= {"quality_gate": ("off", "off"), "permission_mode": ("auto", "auto"), "output_style": ("json", "json")}


def _flags(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, object]:
    assert main(argv, table=TABLE) == 0
    flags: dict[str, object] = json.loads(capsys.readouterr().out)["flags"]
    return flags


@pytest.mark.parametrize("option", GLOBAL_OPTIONS, ids=lambda option: option.name)
def test_every_global_option_before_and_after(capsys, option):
    """Each global option works before the command, after it, after a nested one, and as --x=value."""
    if option.type is None:
        given, value = [option.name], True
    else:
        text, value = VALUES.get(option.key, ("some", "some"))
        given = [option.name, text]
        assert _flags(capsys, "echo", f"{option.name}={text}") == {option.key: value}
    expected = {option.key: value}
    assert _flags(capsys, *given, "echo") == expected
    assert _flags(capsys, "echo", *given) == expected
    assert _flags(capsys, "echo", "word", *given, "word") == expected
    assert _flags(capsys, *given, "nest", "leaf") == expected
    assert _flags(capsys, "nest", *given, "leaf") == expected
    assert _flags(capsys, "nest", "leaf", *given) == expected


def test_run_options_before_the_command(capsys):
    """`lao --plan P --single-run run` and `lao run --plan P --single-run` are the same."""
    expected = {"plan": "plans/x.md", "single_run": True}
    assert _flags(capsys, "--plan", "plans/x.md", "--single-run", "run") == expected
    assert _flags(capsys, "run", "--single-run", "--plan", "plans/x.md") == expected


def test_the_later_value_wins(capsys):
    """Given twice, the option after the command counts; nothing given is nothing stored."""
    assert _flags(capsys, "--seed", "1", "echo", "--seed", "2") == {"seed": 2}
    assert _flags(capsys, "echo") == {}


def test_values_and_dashes_are_not_taken_for_options(capsys):
    """What follows `--`, or is the value of another option, is no global option."""
    assert main(["echo", "--text", "--plain", "--", "--plain", "--seed"], table=TABLE) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"flags": {}, "words": ["--plain", "--seed"], "text": "--plain"}


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("usage", 2, "no such thing"),
        ("lao", 1, "lao: it broke\n  → mend it"),
        ("input", 42, "lao: bad 'x'"),
        ("human", 4, "lao: you decide"),
        ("stop", 130, "lao: stopping"),
        ("full", 1, "lao: no space left on the disk (writing '/x/state.db')"),
        ("bug", 1, "lao: internal error: ZeroDivisionError: oops\n  → run again with LAO_DEBUG=1"),
        ("ctrl-c", 130, "lao: interrupted"),
    ],
)
def test_errors_become_a_message_and_an_exit_code(capsys, monkeypatch, kind, code, said):
    """Each class of error has its exit code, one message on stderr, nothing on stdout and no traceback."""
    monkeypatch.delenv("LAO_DEBUG", raising=False)
    assert main(["fail", kind], table=TABLE) == code
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
    assert "Traceback" not in streams.err


def test_debug_prints_the_traceback(capsys, monkeypatch):
    """LAO_DEBUG=1 adds the traceback."""
    monkeypatch.setenv("LAO_DEBUG", "1")
    assert main(["fail", "bug"], table=TABLE) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "name", "code"), [("lao", "LaoError", 1), ("full", "DiskFull", 1), ("bug", "ZeroDivisionError", 1)]
)
def test_json_errors(capsys, kind, name, code):
    """With --json the error is also a JSON document on stdout."""
    assert main(["fail", kind, "--json"], table=TABLE) == code
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["kind"], error["exit_code"]) == (name, code)
    assert error["message"]


def test_json_usage_error(capsys):
    """A wrong option with --json is a JSON error as well, exit code 2."""
    assert main(["fail", "lao", "--json", "--nope"], table=TABLE) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "UsageError"


@pytest.mark.parametrize("how", ["return", "exit", "sys"])
def test_commands_choose_their_exit_code(how):
    """A command's return value, ctx.exit and sys.exit are the exit code."""
    assert main(["leave", "3", "--how", how], table=TABLE) == 3


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["statsu"], "Did you mean 'status'?"),
        (["xyzzy"], "`lao --help` lists the commands."),
        (["--nope", "status"], "--nope"),
        (["--seed", "x", "config"], "not a valid integer"),
        (["--quality-gate", "lax", "config"], "'strict', 'standard', 'off'"),
        (["config", "nope"], "nope"),
    ],
)
def test_usage_errors(capsys, argv, said):
    """Wrong usage is exit code 2 with advice."""
    assert main(argv) == 2
    assert said in capsys.readouterr().err


def test_help_and_version(capsys):
    """Bare `lao` prints the help with every command that is not hidden; -v prints the version."""
    assert main([]) == 0
    text = capsys.readouterr().out
    assert main(["-h"]) == 0
    assert capsys.readouterr().out == text
    for name, entry in COMMANDS.items():
        assert (f"\n  {name} " in text) is not entry.hidden
    assert main(["-v"]) == 0
    assert capsys.readouterr().out == f"lao {__version__}\n"


def test_run_lists_its_options(capsys):
    """`lao run --help` lists the options of a run and points to the others."""
    assert main(["run", "--help"], table=TABLE) == 0
    text = capsys.readouterr().out
    assert "--single-run" in text
    assert "--coder-model" not in text
    assert "lao --help" in text


def test_setting_flags_are_options():
    """Every flag that the configuration knows is a global option, and the reverse for settings."""
    assert {o.key for o in GLOBAL_OPTIONS if o.setting} == {*FLAGS, "config"}


def test_help_imports_no_command():
    """`lao --help` imports no command, no configuration and no heavy library: that keeps it under 150 ms."""
    code = (
        "import sys\nfrom lao.cli.main import main\nmain(['--help'])\n"
        "heavy = {'yaml', 'jsonschema', 'openai', 'httpx', 'peewee', 'huey', 'rich', 'psutil', 'mcp'}\n"
        "heavy |= {'lao.config.load'}\n"
        "bad = sorted(m for m in sys.modules if m in heavy or m.endswith('_cmd') or m.startswith('workflows'))\n"
        "sys.stderr.write(repr(bad))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_the_sdk_of_mcp_is_not_imported_before_a_server_is_used():
    """N1: neither the workers nor a project's state need it, and it takes as long as all the rest."""
    code = (
        "import sys\nimport workflows.cpu, workflows.gpu, lao.cli.mcp_cmd, lao.tools.mcp.hub, lao.tools.mcp.servers\n"
        "sys.stderr.write(repr(sorted({'mcp', 'mcp_types', 'pydantic', 'anyio'} & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "[]"


def test_checkout_runs_without_installation(tmp_path: Path):
    """`python main.py` works from anywhere."""
    command = [sys.executable, str(ROOT / "main.py"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"lao {__version__}\n"


def test_closed_pipe_is_quiet(tmp_path: Path):
    """A reader that goes away causes no message."""
    script = f"{sys.executable} {ROOT / 'main.py'} config show | true"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_worker_env_hands_flags_on(tmp_path: Path):
    """Flags that change settings go to workers with absolute paths; flags of the run itself stay."""
    flags = {"db": "x/s.db", "seed": 3, "plain": True, "plan": "p.md", "single_run": True}
    session = Session(flags=flags, cwd=tmp_path, env={})
    passed = session.worker_env()
    assert json.loads(passed["LAO_FLAGS"]) == {"db": str(tmp_path / "x" / "s.db"), "seed": 3}
    worker = Session(cwd=tmp_path.parent, env=passed)
    assert worker.settings().paths.database == session.settings().paths.database
    assert Session(env={}).worker_env() == {}
    handed_on = Session(flags={"seed": 4}, cwd=tmp_path, env=passed).worker_env()
    assert json.loads(handed_on["LAO_FLAGS"])["seed"] == 4


def test_settings_are_loaded_once(tmp_path: Path):
    """A session loads its settings once."""
    session = Session(cwd=tmp_path, env={})
    assert session.settings() is session.settings()


def test_wrong_configuration_is_42(capsys, tmp_path: Path, monkeypatch):
    """A wrong factory.yaml ends any command that needs it with 42 and one message."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "factory.yaml").write_text("gti: {}\n")
    assert main(["config", "show", "--json"]) == 42
    streams = capsys.readouterr()
    assert 'factory.yaml:1: gti: unknown key; did you mean "git"?' in streams.err
    assert json.loads(streams.out)["error"]["kind"] == ConfigError.__name__


def test_terminal_without_unicode(tmp_path: Path):
    """A terminal that cannot print a character gets it escaped."""
    (tmp_path / "factory.yaml").write_text("models: {coder: {description: '→'}}\n", encoding="utf-8")
    command = [sys.executable, str(ROOT / "main.py"), "config", "show"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "\\u2192" in done.stdout) == (0, True), done.stderr
