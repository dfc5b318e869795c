"""Promises of the mechanical verifier: real faults are found with file and hint, finished work passes untouched."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lao.core.words import Finding, Severity, TaskSpec
from lao.quality.placeholders import PlaceholderLimits
from lao.quality.validators.change import change_of
from lao.quality.verifier import verify_files


def task(*paths: str, commands: tuple[str, ...] = ()) -> TaskSpec:
    return TaskSpec("t", "d", paths, (), commands)


def verify(root: Path, spec: TaskSpec, *changed: str, **more: Any) -> list[tuple[str, str, str]]:
    found = verify_files(root, spec, changed, **more)
    assert all(isinstance(f, Finding) and f.message and f.analyzer for f in found)
    return [(f.severity.value, f.kind, f.file) for f in found]


def write(root: Path, name: str, content: str | bytes) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content.encode() if isinstance(content, str) else content)


def one(root: Path, name: str, content: str | bytes) -> list[tuple[str, str]]:
    write(root, name, content)
    return [(s, k) for s, k, _ in verify(root, task(name), name)]


def test_finished_work_passes(tmp_path: Path) -> None:
    """Files that are there, parse and are complete give no finding, and nothing is left in the workspace."""
    write(tmp_path, "src/a.py", "def f(x: int) -> int:\n    return x + 1\n")
    write(tmp_path, "src/__init__.py", "")
    write(tmp_path, "data.json", "{}")
    assert verify(tmp_path, task("src/a.py", "src/__init__.py", "data.json", "src/"), "src/a.py") == []
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["__init__.py", "a.py", "data.json", "src"]


def test_missing_file(tmp_path: Path) -> None:
    """A claimed file that is not there blocks, also when others were changed."""
    write(tmp_path, "b.py", "x = 1\n")
    assert verify(tmp_path, task("a.py"), "b.py") == [("major", "missing_file", "a.py")]


def test_no_change(tmp_path: Path) -> None:
    """Doing nothing blocks, unless the files are complete already or commands decide."""
    assert ("major", "no_change", "") in verify(tmp_path, task("a.py"))
    assert verify(tmp_path, task()) == [("major", "no_change", "")]
    assert verify(tmp_path, task(commands=("true",))) == [("info", "no_change", "")]
    write(tmp_path, "a.py", "x = 1\n")
    assert verify(tmp_path, task("a.py")) == [("info", "no_change", "")]
    write(tmp_path, "a.py", "def f(:\n")
    assert [k for _, k, _ in verify(tmp_path, task("a.py"))] == ["syntax", "no_change"]


@pytest.mark.parametrize("path", ["../x.py", "/etc/passwd", ".git/config", "out/passwd"])
def test_paths_outside(tmp_path: Path, path: str) -> None:
    """A claimed or changed path outside the workspace blocks and is not read."""
    (tmp_path / "out").symlink_to("/etc")
    assert ("major", "outside_workspace", path) in verify(tmp_path, task(path), "out/passwd")


def test_deleted_file_is_no_fault(tmp_path: Path) -> None:
    """A changed path that is gone was deleted on purpose."""
    write(tmp_path, "a.py", "x = 1\n")
    assert verify(tmp_path, task("a.py"), "a.py", "gone.py") == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "def f(:\n"), ("a.py", "return 1\n"), ("a.py", b"x = '\xff'\n"), ("a.py", "if x:\nprint()\n"),
        ("a.py", "(" * 500 + ")" * 500), ("a.json", "{'a': 1}"), ("a.json", "  "), ("a.json", '{"a": 1,}'),
        ("a.yaml", "a: [1\n"), ("a.yml", "a: b: c\n"), ("a.yml", "\tx: 1\n"), ("a.yaml", "a: *none\n"),
        pytest.param("a.toml", "a = \n", marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="no tomllib")),
    ],
)  # fmt: skip
def test_what_does_not_parse(tmp_path: Path, name: str, content: str | bytes) -> None:
    """Broken Python, JSON, YAML, TOML block with one finding."""
    assert one(tmp_path, name, content) == [("major", "syntax")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "# coding: latin-1\nx = '\\d'\n"), ("a.py", b"# -*- coding: latin-1 -*-\nx = '\xff'\n"),
        ("a.json", b'\xef\xbb\xbf{"a": 1}'), ("tsconfig.json", "{ // comment\n}"),
        (".vscode/settings.json", "{ // x\n}"),
        ("a.yaml", "a: !Ref b\n---\nc: &x 1\nd: *x\n"), ("chart.yaml", "a: {{ .Values.x }}\n"), ("a.bin", b"\0\1{"),
        ("a.toml", "a = 1\n"), ("notes.md", "TODO: implement\n# ... rest of the code\n"),
    ],
)  # fmt: skip
def test_what_is_fine(tmp_path: Path, name: str, content: str | bytes) -> None:
    """Encodings, comments where allowed, tags, templates, binaries and prose are no faults."""
    assert one(tmp_path, name, content) == []


def test_conflict_markers(tmp_path: Path) -> None:
    """Left-over conflict markers block in code; a rule of a heading in prose does not."""
    marks = "<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n"
    assert ("major", "conflict_markers") in one(tmp_path, "a.js", marks)
    assert one(tmp_path, "a.md", marks) == []
    assert one(tmp_path, "b.js", "// =======\nx;\n") == []


ELISIONS = [
    "# ... rest of the code", "# ... existing code ...", "// ... (rest unchanged)", "    // … remaining methods",
    "# rest of the file unchanged", "/* existing code here */", "# your code here", "# Your implementation goes here",
    "# code remains the same", "// same as before", "# implementation goes here", "<!-- ... existing content -->",
]  # fmt: skip


@pytest.mark.parametrize("line", ELISIONS)
def test_elisions_block(tmp_path: Path, line: str) -> None:
    """Text that a model left out blocks in a claimed file; in another one it is only noted."""
    name = "a.html" if line.startswith("<!") else ("a.js" if line.strip().startswith("/") else "a.py")
    write(tmp_path, name, f"x = 1\n{line}\n")
    assert verify(tmp_path, task(name), name) == [("major", "elision", name)]
    write(tmp_path, "other.py", "x = 1\n")
    assert verify(tmp_path, task("other.py"), name) == [("minor", "elision", name)]


def test_older_comments_do_not_block(tmp_path: Path) -> None:
    """Text left out and TODO comments that the file had before are noted; a stub in the task's file blocks still."""
    old = "# ... rest of the code\n" + "# TODO: later\n" * 3 + "def f():\n    raise NotImplementedError\n"
    write(tmp_path, "a.py", f"{old}X = 1\n")
    change = change_of(tmp_path, ["a.py"], {"a.py": old}, claimed=["a.py"])
    found = verify_files(tmp_path, task("a.py"), ("a.py",), change=change)
    kinds = sorted((f.severity.value, f.kind) for f in found if f.analyzer == "placeholders")
    assert kinds == [("major", "placeholder"), ("minor", "elision"), ("minor", "placeholder_density")]
    write(tmp_path, "a.py", f"{old}# TODO: more\n")
    change = change_of(tmp_path, ["a.py"], {"a.py": old}, claimed=["a.py"])
    found = verify_files(tmp_path, task("a.py"), ("a.py",), change=change)
    assert ("major", "placeholder_density") in [(f.severity.value, f.kind) for f in found]


def test_validators_are_part_of_it(tmp_path: Path) -> None:
    """With the texts before, the validators speak; of given tests only their judges do."""
    write(tmp_path, "a.py", "X = missing\n")
    write(tmp_path, "test_a.py", "def test_a():\n    pass\n")
    before = {"test_a.py": "def test_a():\n    assert f()\n"}
    change = change_of(tmp_path, ["a.py", "test_a.py"], before, claimed=["a.py"])
    names = ("a.py", "test_a.py")
    found = verify_files(tmp_path, task("a.py"), names, change=change, judges_before=before)
    assert {f.analyzer for f in found} >= {"undefined_names", "judges"}
    assert "weakened_tests" not in {f.analyzer for f in found}
    loose = verify_files(tmp_path, task("a.py"), names, change=change)
    assert "weakened_tests" in {f.analyzer for f in loose}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "def f():\n    raise NotImplementedError\n"), ("a.py", "x = 1\n# TODO: implement this\n"),
        ("a.py", 'class A:\n    def f(self):\n        """Doc."""\n        raise NotImplementedError("later")\n'),
        ("a.py", "# TODO(me) implement\n"), ("a.py", "# placeholder implementation\nx = 1\n"),
        ("a.py", "x = 1  # in a real application this would ask the server\n"),
        ("a.js", "function f() { throw new Error('Not implemented'); }\n"), ("a.rs", "fn f() { todo!() }\n"),
        ("a.go", 'func f() { panic("not implemented") }\n'), ("a.cs", "throw new NotImplementedException();\n"),
    ],
)  # fmt: skip
def test_stubs_block(tmp_path: Path, name: str, content: str) -> None:
    """A function that the task claims and that only says that it is not there yet blocks."""
    assert one(tmp_path, name, content) == [("major", "placeholder")]


@pytest.mark.parametrize(
    "content",
    [
        "from abc import ABC, abstractmethod\nclass A(ABC):\n    def f(self):\n        raise NotImplementedError\n",
        "import abc\nclass A:\n    @abc.abstractmethod\n    def f(self):\n        raise NotImplementedError\n",
        "class Shape:\n    def area(self):\n        raise NotImplementedError\nclass Sq(Shape):\n    pass\n",
        "class BaseStore:\n    def get(self):\n        raise NotImplementedError\n",
        "def f(x):\n    if x:\n        raise NotImplementedError('odd')\n    return 1\n",
        "try:\n    pass\nexcept NotImplementedError:\n    pass\n",
        "x = ...\n",
        "# the rest is silence\n",
        "# more code follows the same rules\n",
        "print('todo list')\n",
        "todos = []  # all todos\n",
    ],
)
def test_what_only_looks_like_a_stub(tmp_path: Path, content: str) -> None:
    """Abstract methods, real branches and ordinary words are no placeholders."""
    assert one(tmp_path, "a.py", content) == []


def test_todo_comments(tmp_path: Path) -> None:
    """A plain TODO is minor; many in a short file block; the limits are the factory's."""
    assert one(tmp_path, "a.py", "x = 1  # TODO: faster\n") == [("minor", "todo_comment")]
    many = "x = 1\n# TODO a\n# FIXME b\n# XXX c\n"
    assert one(tmp_path, "a.py", many) == [("major", "placeholder_density")]
    loose = PlaceholderLimits(markers_per_kloc=5_000, ratio=1.0)
    assert verify(tmp_path, task("a.py"), "a.py", limits=loose) == [("minor", "todo_comment", "a.py")]


def test_empty_and_huge_files(tmp_path: Path) -> None:
    """A claimed empty file blocks; one of many megabytes is not read."""
    assert one(tmp_path, "a.py", "") == [("major", "empty_file")]
    assert one(tmp_path, "b.py", "x" * 2_000_001) == [("info", "too_big")]


def test_open_todos(tmp_path: Path) -> None:
    """Open items of the ledger are named, and do not block."""
    write(tmp_path, "a.py", "x = 1\n")
    found = verify_files(tmp_path, task("a.py"), ("a.py",), open_todos=("write tests",))
    assert [(f.kind, f.severity) for f in found] == [("open_todo", Severity.MINOR)]
    assert "write tests" in found[0].message


def test_same_input_same_findings(tmp_path: Path) -> None:
    """The verifier is deterministic and its findings survive the state file's JSON."""
    write(tmp_path, "a.py", "def f(:\n# TODO: implement\n")
    first = verify_files(tmp_path, task("a.py", "b.py"), ("a.py",))
    assert first == verify_files(tmp_path, task("a.py", "b.py"), ("a.py",))
    assert tuple(Finding.from_json(f.to_json()) for f in first) == first
