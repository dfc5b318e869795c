"""The built-in roles of the simulated server: a pipeline runs without any scenario."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import CHAT_PATH
from lao.servers.simulated.scripted_roles import answer, file_text, plan_tasks

WRITE = {"type": "function", "function": {"name": "file_write", "parameters": {}}}
BRIEF = (
    "Task: Greet\ncontent: hello\n\nFiles of this task:\n- a.txt\n- sub/b.txt\n\n"
    "Now write.\n- task: other | content: no"
)


def request(role: str, user: str, *more: dict[str, Any], **body: Any) -> SimRequest:
    system = {"role": "system", "content": f"You work.\nLAO role: {role}\nThe end."}
    return SimRequest(CHAT_PATH, {"messages": [system, {"role": "user", "content": user}, *more], **body})


def test_planner_answers_the_plans_task_lines() -> None:
    """Task lines become tasks with file, content, dependency and test, and nothing else does."""
    plan = (
        "# Title\n\nSome words.\n## Heading\n"
        "- task: First thing | file: a.txt | content: x | y: z\n"
        "- task: Second thing | file: b.py, c.py | after: First thing | test: `python b.py`\n"
    )
    tasks = json.loads(answer(request("planner", plan)).text)["tasks"]
    assert [t["title"] for t in tasks] == ["First thing", "Second thing"]
    assert [t["file_paths"] for t in tasks] == [["a.txt"], ["b.py", "c.py"]]
    assert "\ncontent: x | y: z" in tasks[0]["description"]
    assert tasks[1]["dependencies"] == ["First thing"]
    assert [t["acceptance"]["commands"] for t in tasks] == [[], ["python b.py"]]


def test_coder_understands_a_plain_request() -> None:
    """One file, asked for in a sentence."""
    told = "Task: Greet\ncontent: hello\n\nWrite the complete file `sub/b.txt`. Answer with one code block only."
    assert answer(request("coder", told)).text == "FILE: sub/b.txt\n```\nhello\n```"


def test_planner_takes_headings() -> None:
    """Without task lines each second-level heading is a task; a named file is its file, else the title's slug."""
    plan = (
        "# P\n\n## Parse numbers\nIn `src/parse.py`.\n- Test: `python -m pytest tests/t.py`\n\n"
        "## Add the 2nd one!\nText."
    )
    tasks = plan_tasks(plan)
    assert [(t["title"], t["file_paths"]) for t in tasks] == [
        ("Parse numbers", ["src/parse.py"]),
        ("Add the 2nd one!", ["add_the_2nd_one.py"]),
    ]
    assert "Test: `python -m pytest" in tasks[0]["description"]


def test_planner_takes_list_items() -> None:
    """Without headings each list item is a task, but a line that names a test is none."""
    tasks = plan_tasks("# P\n- Make a module\n- Write some notes\n- Test: `make test`\n1. Third\n")
    assert [t["file_paths"] for t in tasks] == [["make_a_module.py"], ["write_some_notes.txt"], ["third.py"]]


def test_planner_takes_anything() -> None:
    """A plan without structure is one task; an empty one is none."""
    assert [t["title"] for t in plan_tasks("Write a calculator\nplease")] == ["Write a calculator"]
    assert plan_tasks("  \n") == []


def test_planner_reads_the_plan_only() -> None:
    """Titles of earlier parts and the instructions around a framed plan are no tasks."""
    framed = "# Planned so far\n\n- Old one (a.py)\n\n# The plan, part 2 of 2\n\n- New one\n\n# End of the plan\n\nGo."
    tasks = json.loads(answer(request("planner", framed)).text)["tasks"]
    assert [t["title"] for t in tasks] == ["New one"]
    assert set(tasks[0]) == {"title", "description", "file_paths", "dependencies", "acceptance"}


def test_planner_is_steady_when_corrected() -> None:
    """A correction of the answer gets the plan's tasks again, and a list that is shown comes back."""
    fix = {"role": "user", "content": "Correct this."}
    first, again = (json.loads(answer(request("planner", "- a\n- b", *more)).text) for more in ((), (fix,)))
    assert first == again
    shown = 'These were planned:\n\n{"tasks": [{"title": "x"}]}\n\nCorrect the dependencies.'
    assert json.loads(answer(request("planner", shown)).text) == {"tasks": [{"title": "x"}]}


def test_answers_obey_the_schema() -> None:
    """Tasks have the names that the schema knows, and the verdict is one of its words."""
    items = {"properties": {"title": {}, "commands": {}}}
    schema = {"properties": {"tasks": {"items": items}, "verdict": {"enum": ["APPROVED", "REJECTED"]}}}
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    tasks = json.loads(answer(request("planner", "- task: A | test: make", response_format=form)).text)["tasks"]
    assert tasks == [{"title": "A", "commands": ["make"]}]
    assert json.loads(answer(request("reviewer", "diff", response_format=form)).text)["verdict"] == "APPROVED"


@pytest.mark.parametrize(("word", "role"), [("tasks", "planner"), ("verdict", "reviewer")])
def test_roles_by_schema(word: str, role: str) -> None:
    """Without the marker line the response schema tells the role."""
    form = {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": {word: {}}}}}
    asked = SimRequest(CHAT_PATH, {"messages": [{"role": "user", "content": "## A"}], "response_format": form})
    assert asked.role == role
    assert word in json.loads(answer(asked).text)


def test_coder_writes_through_the_tool() -> None:
    """With the tool on offer the coder writes each file of its task with the given content, then says so."""
    first = answer(request("coder", BRIEF, tools=[WRITE]))
    written = [json.loads(c.arguments) for c in first.tool_calls]
    assert written == [{"path": p, "content": "hello\n"} for p in ("a.txt", "sub/b.txt")]
    done = [{"function": {"name": c.name, "arguments": c.arguments}} for c in first.tool_calls]
    last = answer(request("coder", BRIEF, {"role": "assistant", "content": "", "tool_calls": done}, tools=[WRITE]))
    assert (last.tool_calls, last.text) == ((), "Wrote a.txt, sub/b.txt.")


def test_coder_makes_one_call_when_asked_to() -> None:
    """parallel_tool_calls false: one file a turn."""
    assert len(answer(request("coder", BRIEF, tools=[WRITE], parallel_tool_calls=False)).tool_calls) == 1


def test_coder_writes_as_text() -> None:
    """Without tools the files come as FILE blocks, and the fence is longer than any fence inside."""
    assert answer(request("coder", BRIEF)).text == "FILE: a.txt\n```\nhello\n```\n\nFILE: sub/b.txt\n```\nhello\n```"
    fenced = BRIEF.replace("content: hello", "content: ```")
    assert "FILE: a.txt\n````\n```\n````" in answer(request("coder", fenced)).text


def test_coder_remembers_its_brief() -> None:
    """A later reminder does not make the coder forget the files of the first message."""
    reminder = {"role": "user", "content": "You wrote no file yet."}
    assert "FILE: a.txt" in answer(request("coder", BRIEF, reminder)).text


@pytest.mark.parametrize("path", ["a.py", "src/two-words.py", "class.py", "9lives.py", "test_x.py", "__init__.py"])
def test_python_files_are_valid(path: str) -> None:
    """Without a given content a Python file parses and has one function."""
    tree = ast.parse(file_text(path))
    assert sum(isinstance(node, ast.FunctionDef) for node in tree.body) == 1


def test_other_files() -> None:
    """JSON files parse, and text files are not empty."""
    assert json.loads(file_text("x/data.json")) == {"name": "data"}
    assert file_text("notes.txt").endswith("\n")


def test_reviewer_approves() -> None:
    """The reviewer's verdict is approved, as JSON."""
    verdict = json.loads(answer(request("reviewer", "diff")).text)
    assert (verdict["verdict"], verdict["findings"]) == ("approved", [])


def test_same_request_same_answer() -> None:
    """Answers depend on nothing but the request."""
    assert answer(request("coder", BRIEF)) == answer(request("coder", BRIEF))
