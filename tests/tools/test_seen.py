"""Promise: no existing file is changed unseen, and a refusal shows what is needed to go on."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.steps import DirectSteps
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import Bench

PATCH = ("file_patch", {"path": "a.py", "search": "x = 1", "replace": "x = 2"})
WRITE = ("file_write", {"path": "a.py", "content": "y = 1\n"})


@pytest.fixture
def box(bench: Bench) -> Toolbox:
    (bench.root / "a.py").write_text("x = 1\n")
    made = bench.box()
    made.begin()
    return made


def call(box: Toolbox, name: str, arguments: dict[str, Any]) -> Any:
    return box.call(name, arguments, DirectSteps(), "step")


@pytest.mark.parametrize("wanted", [PATCH, WRITE], ids=["patch", "write"])
def test_an_unseen_file_is_not_changed_and_is_shown(box: Toolbox, bench: Bench, wanted: Any) -> None:
    """The first try changes nothing and answers with the content; the second is done."""
    first = call(box, *wanted)
    assert not first.ok
    assert (bench.root / "a.py").read_text() == "x = 1\n"
    assert "not read in this attempt" in first.text
    assert first.text.endswith("x = 1")
    assert call(box, *wanted).ok
    assert (bench.root / "a.py").read_text() != "x = 1\n"


@pytest.mark.parametrize(
    "before",
    [
        ("file_read", {"path": "./a.py"}),
        ("shell_exec", {"command": "cat a.py"}),
        ("shell_exec", {"command": "printf 'x = 1\\n' > a.py"}),
        ("file_write", {"path": "a.py", "content": "x = 1\n"}),
    ],
    ids=["read", "cat", "written by shell", "written"],
)
def test_a_file_that_was_read_or_written_may_be_changed(bench: Bench, before: Any) -> None:
    """Reading, printing or writing a file is seeing it."""
    box = bench.box()
    box.begin()
    if before[0] == "file_read":
        (bench.root / "a.py").write_text("x = 1\n")
    if "cat" in str(before):
        (bench.root / "a.py").write_text("x = 1\n")
    assert call(box, *before).ok
    assert call(box, *PATCH).ok
    assert call(box, *WRITE).ok or before[0] == "file_patch"


def test_what_the_first_message_showed_counts(bench: Bench) -> None:
    """A file shown whole may be replaced; one shown in part may be patched, and replaced after one look."""
    (bench.root / "a.py").write_text("x = 1\n")
    box = bench.box()
    box.begin(whole=["a.py"])
    assert call(box, *WRITE).ok
    (bench.root / "a.py").write_text("x = 1\n")
    box.begin(partly=["a.py"])
    assert call(box, *PATCH).ok
    refused = call(box, *WRITE)
    assert "only in part" in refused.text
    assert "x = 2" in refused.text
    assert call(box, *WRITE).ok


def test_a_part_that_was_read_is_not_the_whole(box: Toolbox, bench: Bench) -> None:
    """After reading some lines a patch is fine and a new whole file is not."""
    (bench.root / "a.py").write_text("x = 1\nz = 3\n")
    assert call(box, "file_read", {"path": "a.py", "start_line": 1, "end_line": 1}).ok
    assert "only in part" in call(box, *WRITE).text
    box.begin()
    call(box, "file_read", {"path": "a.py", "start_line": 1, "end_line": 1})
    assert call(box, *PATCH).ok


def test_new_and_empty_files_are_free(box: Toolbox, bench: Bench) -> None:
    """What has no content cannot be lost."""
    (bench.root / "empty.py").write_text("")
    assert call(box, "file_write", {"path": "new.py", "content": "x = 1\n"}).ok
    assert call(box, "file_write", {"path": "empty.py", "content": "x = 1\n"}).ok


def test_a_new_attempt_has_seen_nothing(box: Toolbox) -> None:
    """What was read in one attempt does not count in the next."""
    assert call(box, "file_read", {"path": "a.py"}).ok
    box.begin()
    assert not call(box, *PATCH).ok


def test_long_content_is_clipped(box: Toolbox, bench: Bench) -> None:
    """The refusal shows both ends of a long file and how to read the rest."""
    (bench.root / "a.py").write_text("x = 1\n" * 5_000)
    text = call(box, *WRITE).text
    assert len(text) < 7_000
    assert "start_line" in text


def test_a_broken_python_file_is_told(bench: Bench) -> None:
    """An edit after which the file does not parse is done and said, with the line; not where it was broken before."""
    (bench.root / "a.py").write_text("x = 1\n")
    done = bench.call("file_patch", {"path": "a.py", "search": "x = 1", "replace": "x = (1"})
    assert done.ok
    assert "no longer valid Python: line 1" in done.text
    assert (bench.root / "a.py").read_text() == "x = (1\n"
    assert "valid Python" not in bench.call("file_patch", {"path": "a.py", "search": "(1", "replace": "((1"}).text
    assert "valid Python" in bench.call("file_write", {"path": "b.py", "content": "def f(:\n"}).text
    assert "valid Python" not in bench.call("file_write", {"path": "b.txt", "content": "def f(:\n"}).text


def test_a_patch_through_the_tool(bench: Bench) -> None:
    """One text for several places; partial success is not ok but names the changed file; new files; wrong files."""
    (bench.root / "a.py").write_text("x = 1\ny = 2\n")
    patch = "--- a/a.py\n+++ b/a.py\n@@\n-x = 1\n+x = 3\n@@\n-q = 7\n+q = 8\n"
    half = bench.call("file_patch", {"path": "a.py", "patch": patch})
    assert (half.ok, half.changed) == (False, ("a.py",))
    assert (bench.root / "a.py").read_text() == "x = 3\ny = 2\n"
    made = bench.call("file_patch", {"path": "n.py", "patch": "*** Add File: n.py\n+x = 1\n"})
    assert made.changed == ("n.py",)
    assert "there already" in bench.call("file_patch", {"path": "n.py", "patch": "*** Add File: n.py\n+x\n"}).text
    assert "the call about 'n.py'" in bench.call("file_patch", {"path": "n.py", "patch": patch}).text
    assert "give 'search' and 'replace'" in bench.call("file_patch", {"path": "n.py"}).text


def test_a_shortened_file_is_not_written(bench: Bench) -> None:
    """Whole content with a placeholder line is refused."""
    (bench.root / "a.py").write_text("x = 1\n")
    refused = bench.call("file_write", {"path": "a.py", "content": "y = 2\n# ... rest of the file unchanged\n"})
    assert "leaves code out" in refused.text
    assert (bench.root / "a.py").read_text() == "x = 1\n"
