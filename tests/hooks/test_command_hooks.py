"""Promises of command hooks: Claude Code's contract, and that none of them can hold up or break the work."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lao.core.asking import AskFirst
from lao.core.errors import NeedsHuman
from lao.hooks.contract import EVENTS
from lao.tools.context import ToolResult
from tests.hooks.conftest import Project, command

OK = ToolResult("fine")


def test_a_hook_is_told_what_claude_code_tells(project: Project) -> None:
    """N2 C7: the fields of the contract, the tool under Claude Code's name, its arguments under both names."""
    line = f"cat > {project.root}/told.json; env > {project.root}/env.txt; pwd >> {project.root}/env.txt"
    hooks = project.around_tools(PreToolUse=command(line, "Edit"), pass_env=["MY_TOKEN"])
    assert hooks.before("file_patch", {"path": "a.py", "search": "x", "replace": "y"}) is None
    told = json.loads((project.root / "told.json").read_text())
    assert told["hook_event_name"] == "PreToolUse"
    assert (told["tool_name"], told["lao_tool_name"]) == ("Edit", "file_patch")
    assert told["tool_input"] == {
        "path": "a.py", "search": "x", "replace": "y",
        "file_path": str(project.root / "plan" / "a.py"), "old_string": "x", "new_string": "y",
    }  # fmt: skip
    assert (told["session_id"], told["permission_mode"], told["transcript_path"]) == ("p1", "auto", "")
    assert (told["task_id"], told["phase"], told["run_id"]) == (7, "code", 3)
    assert told["cwd"] == str(project.root / "plan")
    assert told["tool_use_id"].startswith("toolu_")
    env = (project.root / "env.txt").read_text().splitlines()
    assert f"CLAUDE_PROJECT_DIR={project.root}" in env
    assert "MY_TOKEN=t0p" in env
    assert env[-1] == str(project.root)


@pytest.mark.parametrize(
    ("matcher", "fires"),
    [
        (None, True),
        ("*", True),
        ("Bash", True),
        ("shell_exec", True),
        ("Edit|Bash", True),
        ("^Ba.h$", True),
        ("mcp__.*", False),
        ("bash", False),
        ("Edit|Write", False),
        ("Bas", False),
    ],
)
def test_matchers_are_exact_lists_or_expressions(project: Project, matcher: str | None, fires: bool) -> None:
    """C7: on Claude Code's names and ours, with case."""
    hooks = project.around_tools(PreToolUse=command("echo no >&2; exit 2", matcher))
    said = hooks.before("shell_exec", {"command": "ls"})
    assert said == ("a hook refused it: no" if fires else None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exit 0", None),
        ("echo anything at all", None),
        ("echo 'not here' >&2; exit 2", "a hook refused it: not here"),
        ("exit 2", "a hook refused it: no reason was given"),
        ("""echo '{"decision": "block", "reason": "old form"}'""", "a hook refused it: old form"),
        (
            """echo '{"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "new form"}}'""",
            "a hook refused it: new form",
        ),
        (
            """echo '{"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "sure?"}}'""",
            AskFirst("sure?"),
        ),
        (
            """echo '{"hookSpecificOutput": {"permissionDecision": "ask", "updatedInput": {"command": "ls -l"}}}'""",
            AskFirst("no reason was given", {"command": "ls -l", "timeout_s": 5}),
        ),
        ("""echo '{"hookSpecificOutput": {"permissionDecision": "allow"}}'""", None),
        (
            """echo '{"hookSpecificOutput": {"updatedInput": {"command": "ls -l"}}}'""",
            {"command": "ls -l", "timeout_s": 5},
        ),
    ],
)
def test_the_answers_of_the_contract(project: Project, line: str, said: Any) -> None:
    """C7: exit status 0 and 2, JSON on stdout in its old and new form."""
    hooks = project.around_tools(PreToolUse=command(line))
    assert hooks.before("shell_exec", {"command": "ls", "timeout_s": 5}) == said
    assert project.notes == []


def test_a_refusal_wins_over_a_wish_to_ask(project: Project) -> None:
    """C7: every hook is heard; all reasons to ask are told, and one refusal ends it."""
    ask = """echo '{"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "%s"}}'"""
    hooks = project.around_tools(PreToolUse=command(ask % "one") + command(ask % "two"))
    assert hooks.before("shell_exec", {"command": "ls"}) == AskFirst("one; two")
    hooks = project.around_tools(PreToolUse=command(ask % "one") + command("echo never >&2; exit 2"))
    assert hooks.before("shell_exec", {"command": "ls"}) == "a hook refused it: never"


def test_claude_codes_argument_names_come_back_as_ours(project: Project) -> None:
    """C7: an updatedInput that was written for Claude Code means our arguments, with our relative paths."""
    body = "import json,sys\nd = json.load(sys.stdin)['tool_input']\nd['file_path'] = d['file_path'] + '.txt'\n"
    body += "d['new_string'] = 'z'\nprint(json.dumps({'hookSpecificOutput': {'updatedInput': d}}))\n"
    hooks = project.around_tools(PreToolUse=command(project.program(body)))
    said = hooks.before("file_patch", {"path": "a", "search": "x", "replace": "y"})
    assert said == {"path": "a.txt", "search": "x", "replace": "z"}


def test_continue_false_ends_the_phase(project: Project) -> None:
    """C7: ``continue: false`` is for a person, with the reason."""
    hooks = project.around_tools(PreToolUse=command("""echo '{"continue": false, "stopReason": "freeze"}'"""))
    with pytest.raises(NeedsHuman, match="freeze"):
        hooks.before("shell_exec", {"command": "ls"})


def test_what_hooks_add_is_for_the_model(project: Project) -> None:
    """C7: additionalContext of both moments, and stderr of a PostToolUse hook that exits with 2."""
    note = """echo '{"hookSpecificOutput": {"additionalContext": "%s"}}'"""
    after = command(note % "later") + command("echo lint fails >&2; exit 2")
    hooks = project.around_tools(PreToolUse=command(note % "first"), PostToolUse=after)
    assert hooks.before("shell_exec", {"command": "ls"}) is None
    assert hooks.after("shell_exec", {"command": "ls"}, OK) == "first\nlater\nlint fails"


def test_a_call_that_failed_has_an_event_of_its_own(project: Project) -> None:
    """C7: PostToolUseFailure, with the response."""
    line = f"cat >> {project.root}/told.json"
    hooks = project.around_tools(PostToolUseFailure=command(line), PostToolUse=command("exit 2"))
    assert hooks.after("shell_exec", {"command": "ls"}, ToolResult("it broke", ok=False)) == ""
    told = json.loads((project.root / "told.json").read_text())
    assert told["tool_response"] == {"text": "it broke", "ok": False, "changed": []}


BAD = {
    "hangs": ("import time\nwhile True: time.sleep(1)\n", "no answer within 1 s"),
    "ignores_term": (
        "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n",
        "no answer within 1 s",
    ),
    "crashes": ("raise ValueError('boom')\n", "exit status 1: ValueError: boom"),
    "half_json": ("print('{\"decision\": ')\n", "begins like JSON and is none"),
    "wrong_types": ("print('{\"decision\": 7}')\n", "decision is of the wrong type"),
    "unknown": ('print(\'{"decision": "perhaps"}\')\n', "is none of allow, deny, ask, block"),
    "no_utf8": ("import sys\nsys.stdout.buffer.write(b'{\\xff\\xfe}')\n", "begins like JSON and is none"),
    "100_mb": ("import sys\nfor _ in range(100): sys.stdout.buffer.write(b'{' * 1_000_000)\n", "it printed too much"),
    "missing": (None, "exit status 127"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_hook_is_named_and_the_work_goes_on(project: Project, name: str) -> None:
    """N2: hangs, garbage, 100 MB, no UTF-8: one named problem, no refusal; bounded in time and memory."""
    body, problem = BAD[name]
    line = project.program(body) if body else "/no/such/program"
    timeout = 1 if "no answer" in problem else 60
    hooks = project.around_tools(PreToolUse=command(line, timeout=timeout))
    started = time.monotonic()
    assert hooks.before("shell_exec", {"command": "ls"}) is None
    assert time.monotonic() - started < 20
    assert len(project.notes) == 1
    assert problem in project.notes[0]
    assert project.notes[0].startswith("factory.yaml: PreToolUse: hook ")


@pytest.mark.parametrize("name", BAD)
def test_fail_closed_makes_it_a_refusal(project: Project, name: str) -> None:
    """N2: with hooks.fail_closed a hook that failed refuses the call."""
    body, problem = BAD[name]
    line = project.program(body) if body else "/no/such/program"
    timeout = 1 if "no answer" in problem else 60
    hooks = project.around_tools(PreToolUse=command(line, timeout=timeout), fail_closed=True)
    said = hooks.before("shell_exec", {"command": "ls"})
    assert isinstance(said, str)
    assert "hooks.fail_closed" in said
    assert problem in said


def test_a_daemon_does_not_outlive_its_hook(project: Project) -> None:
    """N2: what a hook leaves running, in a session of its own and with the pipes open, is ended with it."""
    pid_file = project.root / "pid"
    body = (
        "import os,subprocess,sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "from pathlib import Path\nPath(sys.argv[0] + '.pid').write_text(str(p.pid))\n"
    )
    line = project.program(body)
    marker = f"test/{project.root}/hook"
    hooks = project.around_tools(PreToolUse=command(line, timeout=30))
    started = time.monotonic()
    assert hooks.before("shell_exec", {"command": "ls"}) is None
    assert time.monotonic() - started < 10
    assert list(project.root.glob("*.pid"))
    left = []
    for process in psutil.process_iter():
        try:
            left += [process.pid] if process.environ().get("LAO_RUN") == marker else []
        except (psutil.Error, OSError):
            continue
    assert left == []
    assert not pid_file.exists()


def test_files_are_read_only_when_they_are_named(project: Project) -> None:
    """C7: .claude/settings.json counts when hooks.files names it, and its foreign parts are named and left alone."""
    settings = {
        "permissions": {"allow": []},
        "hooks": {
            "PreToolUse": [
                {
                    "matcher": "Bash",
                    "hooks": [{"type": "prompt", "prompt": "?"}, {"type": "command", "command": "exit 2"}],
                }
            ],
            "UserPromptSubmit": [{"hooks": [{"type": "command", "command": "true"}]}],
        },
    }
    (project.root / ".claude").mkdir()
    (project.root / ".claude" / "settings.json").write_text(json.dumps(settings))
    assert project.hooks().commands == ()
    found = project.hooks(files=[".claude/settings.json"])
    assert [hook.command for hook in found.commands] == ["exit 2"]
    assert found.problems == (
        ".claude/settings.json: PreToolUse: hooks of the type 'prompt' are not known here; only commands are",
        ".claude/settings.json: LAO has no event 'UserPromptSubmit'; its hooks are never run",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("{", "h.json:1: no JSON"),
        ("[]", "no JSON object"),
        ('{"hooks": 3}', "hooks is no object"),
        ('{"PreToolUse": {}}', "is no list of objects"),
        ('{"PreToolUse": [{"matcher": "(", "hooks": []}]}', "is no regular expression"),
        ('{"PreToolUse": [{"hooks": [{"command": ""}]}]}', "a hook without a command"),
        ('{"PreToolUse": [{"hooks": [{"command": "x", "timeout": -1}]}]}', "is no number above 0"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_file_is_named(project: Project, text: str | None, problem: str) -> None:
    """N2: no file of hooks can stop a worker; with fail_closed it refuses what it might have decided about."""
    if text is not None:
        (project.root / "h.json").write_text(text)
    found = project.hooks(files=["h.json"])
    assert len(found.problems) == 1
    assert problem in found.problems[0]
    assert not found.broken
    assert project.hooks(files=["h.json"], fail_closed=True).broken


def test_no_hooks_from_where_models_write(project: Project) -> None:
    """G5: nothing in a plan's folder, in .lao or outside the project can make itself a hook, by link neither."""
    (project.root / "plans").mkdir()
    (project.root / "plans" / "shop.md").write_text("# Shop\n")
    for folder in ("shop", ".lao/_misc"):
        (project.root / folder).mkdir(parents=True)
        (project.root / folder / "hooks.py").write_text("def pre_tool(*a): return 'mine'\n")
        (project.root / folder / "h.json").write_text('{"PreToolUse": [{"hooks": [{"command": "exit 2"}]}]}')
        found = project.hooks(path=f"{folder}/hooks.py", files=[f"{folder}/h.json"])
        assert (found.file, found.commands) == (None, ())
        assert all("where plans are worked on" in problem for problem in found.problems)
    (project.root / "hooks.py").symlink_to(project.root / "shop" / "hooks.py")
    assert project.hooks().file is None
    (Path(project.root) / "hooks.py").unlink()
    assert "outside the project" in project.hooks(path="../hooks.py").problems[0]


def test_switched_off_is_off(project: Project) -> None:
    """B1: with hooks.enabled false nothing is found or run."""
    (project.root / "hooks.py").write_text("raise SystemExit\n")
    found = project.hooks(enabled=False, **{event: command("exit 2") for event in EVENTS})
    assert (found.commands, found.file, found.problems) == ((), None, ())
