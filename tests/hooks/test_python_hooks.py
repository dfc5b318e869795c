"""Promises of hooks.py: loaded once, told and heard, and named with file and line when it is broken."""

from __future__ import annotations

from lao.core.asking import AskFirst
from lao.hooks.tool_calls import phase_over, phase_refusal
from lao.tools.context import ToolResult
from tests.hooks.conftest import Project

BASIC = """
calls = []
def pre_tool(name, args, ctx):
    calls.append(name)
    if "rm" in args.get("command", ""):
        return "no rm here"
    if args.get("command") == "secret":
        return {"deny": "a secret"}
    if args.get("command") == "ls":
        return {"arguments": {"command": "ls -l"}}
    if args.get("command") == "make":
        return {"ask": "it takes an hour"}
    args["command"] = "changed in place"

def post_tool(name, args, result, ctx):
    return f"{len(calls)} calls, ok={result['ok']}, task={ctx.task}" if name == "shell_exec" else None

def pre_phase(phase, ctx):
    return "not on fridays" if phase == "code" and ctx.plan == "plan" else None

def post_phase(phase, outcome, ctx):
    (ctx.root / "over.txt").write_text(f"{phase} {outcome['state']}\\n")
"""


def test_the_four_functions_are_asked_and_told(project: Project) -> None:
    """N2: a text or {"deny": …} refuses, None goes on, {"arguments": …} changes, {"ask": …} wants a person asked; the
    file is loaded once."""
    (project.root / "hooks.py").write_text(BASIC)
    hooks = project.around_tools()
    assert hooks.before("shell_exec", {"command": "rm x"}) == "hooks.py refused it: no rm here"
    assert hooks.before("shell_exec", {"command": "secret"}) == "hooks.py refused it: a secret"
    assert hooks.before("shell_exec", {"command": "ls"}) == {"command": "ls -l"}
    assert hooks.before("shell_exec", {"command": "make"}) == AskFirst("it takes an hour")
    arguments = {"command": "pwd"}
    assert hooks.before("shell_exec", arguments) is None
    assert arguments == {"command": "pwd"}
    assert hooks.after("shell_exec", arguments, ToolResult("x")) == "5 calls, ok=True, task=the task"
    found = project.hooks()
    assert phase_refusal(found, project.about, project.means) == "hooks.py refused it: not on fridays"
    phase_over(found, project.about, project.means, {"state": "done", "text": ""})
    assert (project.root / "over.txt").read_text() == "code done\n"
    assert project.notes == []


def test_a_function_that_raises_is_named_with_its_line(project: Project) -> None:
    """N2: file and line, in one text; the call goes on, or is refused with fail_closed."""
    (project.root / "hooks.py").write_text("def pre_tool(name, args, ctx):\n    x = 1\n    return args['nothing']\n")
    named = f"pre_tool: {project.root / 'hooks.py'}:3: KeyError: 'nothing'"
    assert project.around_tools().before("list_dir", {}) is None
    assert project.notes == [named]
    assert named in str(project.around_tools(fail_closed=True).before("list_dir", {}))


def test_a_file_that_cannot_be_loaded_is_named(project: Project) -> None:
    """N2: a syntax error, an error while loading, an exit, and a file that is named and missing."""
    path = project.root / "hooks.py"
    for text, problem in (
        ("x = (\n", f"import: {path}:1: SyntaxError"),
        ("a = 1\nimport no_such_module_here\n", f"import: {path}:2: ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", f"import: {path}: it called sys.exit"),
    ):
        path.write_text(text)
        found = project.hooks()
        assert found.file is None
        assert found.problems[0].startswith(problem), found.problems
        assert project.around_tools().before("list_dir", {}) is None
        assert problem in str(project.around_tools(fail_closed=True).before("list_dir", {}))
    path.unlink()
    assert project.hooks().problems == ()
    assert project.hooks(path="mine.py").problems == ("hooks.path: there is no file 'mine.py'",)


def test_a_function_that_hangs_is_waited_for_once(project: Project) -> None:
    """N2: it is named, and not called again by this worker."""
    text = "import threading\ncount = []\ndef pre_tool(name, args, ctx):\n"
    text += "    count.append(1)\n    (ctx.root / 'count').write_text(str(len(count)))\n    threading.Event().wait()\n"
    (project.root / "hooks.py").write_text(text)
    hooks = project.around_tools(timeout_s=0.3)
    assert hooks.before("list_dir", {}) is None
    assert hooks.before("list_dir", {}) is None
    assert (project.root / "count").read_text() == "1"
    assert "did not end within 0.3 s" in project.notes[0]
