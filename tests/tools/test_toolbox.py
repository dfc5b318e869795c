"""Promises of the dispatcher and the tools: one step a call, errors in band, everything audited, results bounded."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema.validators import Draft202012Validator

from lao.core.errors import BadInput, DiskFull, Interrupted
from lao.core.steps import Effect, OutcomeUnknown, StepKind
from lao.tools.arguments import resolve_name
from lao.tools.registry import all_tools
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import ALL as OFFERED
from tests.tools.conftest import Bench

ALL = sorted(OFFERED)


class Recorder:
    """Steps that are counted, and replayed from ``answers`` when there are any."""

    def __init__(self, answers: list[Any] | None = None) -> None:
        self.seen: list[tuple[str, str]] = []
        self.results: list[Any] = []
        self._answers = answers or []

    def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
        self.seen.append((kind.value, label))
        return self._record(fn)

    def effect(self, label: str, effect: Effect) -> Any:
        self.seen.append(("edit", label))
        return self._record(lambda: effect.apply(json.loads(json.dumps(effect.prepare()))))

    def _record(self, fn: Callable[[], Any]) -> Any:
        result = self._answers.pop(0) if self._answers else json.loads(json.dumps(fn()))
        self.results.append(result)
        return result


def test_specs_are_plain_and_stable(bench: Bench) -> None:
    """Names and parameters are the promised ones; every property has one plain type; the bytes never change."""
    specs = bench.box().openai_specs()
    shapes = {s["function"]["name"]: s["function"]["parameters"] for s in specs}
    assert {n: (sorted(p["properties"]), p.get("required", [])) for n, p in shapes.items()} == {
        "file_patch": (["patch", "path", "replace", "search"], ["path"]),
        "file_read": (["end_line", "path", "start_line"], ["path"]),
        "file_write": (["content", "path"], ["path", "content"]),
        "find_relevant_files": (["limit", "query"], ["query"]),
        "list_dir": (["path"], []),
        "shell_exec": (["command", "timeout_s"], ["command"]),
        "task_todo_get": ([], []),
        "task_todo_set": (["todos"], ["todos"]),
    }
    for parameters in shapes.values():
        Draft202012Validator.check_schema(parameters)
        assert all(isinstance(p["type"], str) for p in parameters["properties"].values())
        assert "examples" not in parameters
    assert list(shapes) == sorted(shapes) == list(bench.box().names)
    assert json.dumps(specs) == json.dumps(Toolbox(bench.context(), reversed(bench.box().names)).openai_specs())
    assert bench.box().schema("file_read") == shapes["file_read"]


@pytest.mark.parametrize("name", sorted(all_tools()))
def test_examples_are_right(name: str) -> None:
    """The example that a model is shown after a mistake satisfies the tool's own schema."""
    tool = all_tools()[name]
    for example in tool.parameters["examples"]:
        Draft202012Validator(dict(tool.parameters)).validate(example)
    assert tool.description


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("file_read", "file_read"), ("File_Read", "file_read"), ("fileRead", "file_read"), ("read_file", "file_read"),
        ("write_file", "file_write"), ("create_file", "file_write"), ("edit_file", "file_patch"),
        ("str_replace", "file_patch"), ("bash", "shell_exec"), ("run_command", "shell_exec"), ("Bash", "shell_exec"),
        ("ls", "list_dir"), ("functions.file_read", "file_read"), ("TodoWrite", "task_todo_set"),
    ],
)  # fmt: skip
def test_names_are_resolved(asked: str, meant: str) -> None:
    """Another case, other separators and the usual other names mean the tool."""
    assert resolve_name(asked, ALL) == meant


def test_unknown_name_lists_the_real_ones(bench: Bench) -> None:
    """No such tool: told in band with the list, audited as not granted; an alias of a tool that is not given too."""
    result = bench.call("file_raed", {"path": "x"})
    assert not result.ok
    assert "did you mean 'file_read'" in result.text
    assert "shell_exec" in result.text
    only = Toolbox(bench.context(), ["file_read"])
    assert not only.call("bash", {"command": "ls"}, Recorder(), "s").ok
    assert [(a.granted, a.ok) for a in bench.audits] == [(False, False)] * 2
    with pytest.raises(BadInput):
        resolve_name("", ALL)


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "a.txt", "start_line": "2", "end_line": 2.0}, '{"path": "a.txt", "start_line": 2, "end_line": 2}',
        json.dumps(json.dumps({"path": "a.txt", "start_line": "2", "end_line": "2"})),
        {"path": "a.txt", "start_line": 2, "end_line": "2"},
    ],
)  # fmt: skip
def test_arguments_are_coerced(bench: Bench, arguments: Any) -> None:
    """Numbers as text and objects as text have one reading, and get it."""
    (bench.root / "a.txt").write_text("one\ntwo\nthree\n")
    assert bench.call("file_read", arguments).text == "a.txt (lines 2-2 of 3)\ntwo\n"


def test_other_names_of_arguments_are_taken_where_one_is_meant(bench: Bench) -> None:
    """The usual other names work; two for one argument, or one beside ours, are an error that shows the right form."""
    assert bench.call("file_write", {"file_path": "a.txt", "contents": "one\n"}).ok
    assert bench.call("file_read", {"filename": "a.txt"}).text == "a.txt (1 lines)\none\n"
    for odd in ({"filename": "a.txt", "file": "b.txt"}, {"path": "a.txt", "filename": "b.txt"}):
        assert "right form: file_read" in bench.call("file_read", odd).text


def test_null_and_nothing_mean_not_given(bench: Bench) -> None:
    """null for an optional argument, and "" for a tool without arguments, are as if not there."""
    (bench.root / "a.txt").write_text("one\n")
    assert bench.call("file_read", {"path": "a.txt", "start_line": None}).ok
    assert bench.call("task_todo_get", "").ok
    assert bench.call("task_todo_get", None).ok
    assert bench.call("list_dir", "").ok


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("file_read", {}, "'path' is a required property"), ("file_read", '{"path": "a', "not a JSON object"),
        ("file_read", [1], "must be a JSON object"), ("file_read", {"path": "a", "start_line": "two"}, "'start_line'"),
        ("file_read", {"path": "a", "mode": 1}, "'mode' was unexpected"),
        ("file_write", {"path": "a", "content": {"a": 1}}, "is not of type 'string'"),
        ("task_todo_set", {"items": [{"content": "x", "status": "done"}]}, "'in_progress'"),
    ],
)  # fmt: skip
def test_bad_arguments_get_a_precise_answer(bench: Bench, tool: str, arguments: Any, words: str) -> None:
    """What is wrong, the right form, an example; the tool does not run."""
    result = bench.call(tool, arguments)
    assert not result.ok
    assert words in result.text
    assert f"right form: {tool} {{" in result.text
    assert bench.audits[0].granted is False


def test_every_call_takes_one_step(bench: Bench) -> None:
    """Good, bad, refused: one journal step each, of the tool's kind, under the caller's label."""
    steps = Recorder()
    box = bench.box()
    for number, (name, arguments) in enumerate(
        [
            ("file_write", {"path": "a", "content": "x"}), ("file_patch", {"path": "a", "search": "y", "replace": "z"}),
            ("file_read", {"path": "../x"}), ("nonsense", {}), ("shell_exec", {"command": "sudo ls"}),
            ("shell_exec", {"command": "true"}), ("task_todo_set", {"items": []}),
            ("file_write", {"path": ".git/x", "content": ""}),
        ]
    ):  # fmt: skip
        box.call(name, arguments, steps, f"tool:{number}")
    assert steps.seen == [
        ("edit", "tool:0"), ("edit", "tool:1"), ("read", "tool:2"), ("read", "tool:3"), ("read", "tool:4"),
        ("unknown", "tool:5"), ("read", "tool:6"), ("read", "tool:7"),
    ]  # fmt: skip
    assert [(a.tool, a.granted, a.ok) for a in bench.audits] == [
        ("file_write", True, True),
        ("file_patch", True, False),
        ("file_read", False, False),
        ("nonsense", False, False),
        ("shell_exec", False, False),
        ("shell_exec", True, True),
        ("task_todo_set", True, True),
        ("file_write", False, False),
    ]


def test_replay_gives_the_recorded_result_and_no_second_audit(bench: Bench) -> None:
    """On resume a finished call does nothing, is not audited again, and tells the model the same words."""
    steps = Recorder()
    first = bench.call("file_write", {"path": "a", "content": "x"}, steps)
    (bench.root / "a").write_text("changed since")
    again = bench.call("file_write", {"path": "a", "content": "x"}, Recorder(steps.results))
    assert again == first
    assert again.changed == ("a",)
    assert (bench.root / "a").read_text() == "changed since"
    assert len(bench.audits) == 1


def test_interrupted_command_is_not_run_again(bench: Bench) -> None:
    """A command that a crash cut off: the model is told that its outcome is unknown, and it is in the audit."""

    class Crashed(Recorder):
        def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
            assert kind is StepKind.UNKNOWN
            raise OutcomeUnknown(label)

    result = bench.call("shell_exec", {"command": "touch done"}, Crashed())
    assert (result.ok, result.text) == (False, "interrupted, outcome unknown: check the state before running it again")
    assert not (bench.root / "done").exists()
    assert bench.audits[0].arguments == {"command": "touch done"}


def test_edit_survives_a_crash_at_any_point(bench: Bench) -> None:
    """Prepared, crashed, resumed: applied once; applied, crashed, resumed: found done. The result is the same."""
    (bench.root / "a").write_text("one\n")
    effects: list[Effect] = []

    class Catch(Recorder):
        def effect(self, label: str, effect: Effect) -> Any:
            effects.append(effect)
            return super().effect(label, effect)

    arguments = {"path": "a", "search": "one", "replace": "two"}
    result = bench.call("file_patch", arguments, Catch())
    (bench.root / "a").write_text("one\n")
    intent = json.loads(json.dumps(effects[0].prepare()))
    assert effects[0].probe(intent) is None
    assert effects[0].apply(intent) == result.to_json()
    assert effects[0].probe(intent) == result.to_json()
    assert (bench.root / "a").read_text() == "two\n"


def test_a_full_disk_and_a_stopping_worker_pass_through(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transient troubles and interruptions are not the model's affair."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(Interrupted):
        bench.call("shell_exec", {"command": "sleep 30"}, stop=lambda: True)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        bench.call("file_write", {"path": "a", "content": "x"})


def test_a_disk_that_fails_is_not_the_models_affair(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """T9: an I/O error ends the phase, which is tried again; the model used to be asked to do something about it."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        bench.call("file_write", {"path": "a", "content": "x"})
    assert not (bench.root / "a").exists()


def test_file_write_creates_replaces_and_reports(bench: Bench) -> None:
    """New folders are made; the changed path is reported; writing the same again changes nothing."""
    first = bench.call("file_write", {"path": "d/e/f.py", "content": "x = 1\n"})
    assert (first.text, first.changed) == ("created d/e/f.py (1 lines)", ("d/e/f.py",))
    assert bench.call("file_write", {"path": "d/e/f.py", "content": "x = 1\n"}).changed == ()
    assert bench.call("file_write", {"path": "d/e/f.py", "content": "y\n\n"}).changed == ("d/e/f.py",)
    assert (bench.root / "d/e/f.py").read_text() == "y\n\n"
    (bench.root / "bin").write_bytes(b"\xff\0")
    assert bench.call("file_write", {"path": "bin", "content": "text"}).ok
    bad = bench.call("file_write", {"path": "g", "content": "\ud800"})
    assert not bad.ok
    assert not (bench.root / "g").exists()


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".git/config", "d", "f/below"])
def test_file_write_stays_inside(bench: Bench, path: str) -> None:
    """A path that the guard refuses is an answer, not an exception, and writes nothing."""
    (bench.root / "d").mkdir()
    (bench.root / "f").write_text("x")
    result = bench.call("file_write", {"path": path, "content": "x"})
    assert not result.ok
    assert result.changed == ()
    assert sorted(p.name for p in bench.root.parent.rglob("*")) == ["d", "f", "work"]


def test_system_errors_are_told(bench: Bench) -> None:
    """A name that the file system cannot take is told to the model."""
    (bench.root / "dangling").symlink_to("missing-folder/x")
    result = bench.call("file_write", {"path": "dangling", "content": "x"})
    assert result.ok, result.text
    assert (bench.root / "missing-folder/x").read_text() == "x"
    assert (bench.root / "dangling").is_symlink()


def test_file_patch(bench: Bench) -> None:
    """Patches through the dispatcher: changed, not found, no such file."""
    (bench.root / "a.py").write_text("x = 1\n")
    assert bench.call("edit_file", {"path": "a.py", "search": "x = 1", "replace": "x = 2"}).changed == ("a.py",)
    assert (bench.root / "a.py").read_text() == "x = 2\n"
    again = bench.call("file_patch", {"path": "a.py", "search": "x = 1", "replace": "x = 2"})
    assert not again.ok
    assert "1 | x = 2" in again.text
    assert "file_write" in bench.call("file_patch", {"path": "b.py", "search": "x", "replace": "y"}).text


def test_file_read_bounds(bench: Bench) -> None:
    """Long files are cut at a line with the way to read on; ranges outside, binaries and missing files are told."""
    (bench.root / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 2001)))
    text = bench.call("file_read", {"path": "long.txt"}, result_limit=1_300).text
    assert len(text) <= 1_300
    number = int(text.rsplit("start_line=", 1)[1].rstrip("]"))
    assert text.startswith(f"long.txt (lines 1-{number - 1} of 2000)\nline 1\n")
    assert f"line {number - 1}\n" in text
    assert "has only 2000 lines" in bench.call("file_read", {"path": "long.txt", "start_line": 3000}).text
    assert not bench.call("file_read", {"path": "long.txt", "start_line": 5, "end_line": 4}).ok
    (bench.root / "one").write_text("x" * 5_000)
    assert len(bench.call("file_read", {"path": "one"}, result_limit=1_300).text) <= 1_300
    (bench.root / "bin").write_bytes(b"\x7fELF\0\0")
    assert "binary" in bench.call("file_read", {"path": "bin"}).text
    (bench.root / "latin").write_bytes(b"caf\xe9")
    assert "not UTF-8" in bench.call("file_read", {"path": "latin"}).text
    assert "in that folder are: bin, latin" in bench.call("file_read", {"path": "none"}).text
    (bench.root / "empty").write_text("")
    assert bench.call("file_read", {"path": "empty"}).text == "empty (empty file)"


def test_list_dir(bench: Bench) -> None:
    """Folders first, sizes, no git and LAO folders, bounded."""
    for name in (".git", ".lao", "b"):
        (bench.root / name).mkdir()
    (bench.root / "a.txt").write_text("abc")
    (bench.root / "l").symlink_to("a.txt")
    assert bench.call("list_dir").text == ". (3 entries)\nb/\na.txt (3 bytes)\nl (link)"
    for number in range(250):
        (bench.root / "b" / f"{number:03}").write_text("")
    lines = bench.call("list_dir", {"path": "b/"}).text.splitlines()
    assert (lines[0], len(lines), lines[-1]) == ("b (250 entries)", 202, "[… 50 more entries]")
    assert not bench.call("list_dir", {"path": "none"}).ok


def test_shell_exec(bench: Bench) -> None:
    """Status and output; a failing command is not ok; no longer than the task's own limit; marked."""
    result = bench.call("bash", {"command": "pwd; echo $LAO_RUN; exit 3"})
    assert not result.ok
    assert result.text.startswith("exit status 3 after")
    assert result.text.endswith(f"{bench.root}\n{bench.marker}\n")
    assert "no output" in bench.call("shell_exec", {"command": "true"}).text
    late = bench.call("shell_exec", {"command": "sleep 30", "timeout_s": 9_999}, command_timeout_s=0.2)
    assert late.text.startswith("killed")


def test_long_results_are_bounded(bench: Bench) -> None:
    """A flood of output never reaches the model whole."""
    result = bench.call("shell_exec", {"command": "yes | head -c 500000; echo END"}, result_limit=4_000)
    assert len(result.text) < 4_100
    assert result.text.endswith("END\n")
    assert "dropped" in result.text


def test_todos(bench: Bench) -> None:
    """Items get ids and a status; the list comes back; an id given twice is refused."""
    items = [{"content": "parse "}, {"id": 7, "content": "test", "status": "completed"}]
    assert bench.call("task_todo_set", {"items": json.dumps(items)}).text == "[pending] 1: parse\n[completed] 7: test"
    assert bench.call("task_todo_get", {}).text == "[pending] 1: parse\n[completed] 7: test"
    assert bench.todos.items[1] == {"id": "7", "content": "test", "status": "completed"}
    assert (
        "twice"
        in bench.call("task_todo_set", {"items": [{"id": "1", "content": "a"}, {"id": "1", "content": "b"}]}).text
    )
    assert len(bench.todos.items) == 2
