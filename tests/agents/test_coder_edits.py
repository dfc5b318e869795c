"""Promise: what fits of an answer is kept, the model hears exactly what does not, and nothing is changed unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lao.agents.coder import CoderBrief, CoderResult, write_code
from lao.core.errors import AttemptFailed
from lao.core.words import TaskSpec
from lao.tools.context import ToolContext
from lao.tools.toolbox import Toolbox

from .fakes import ScriptedModel, Tape, calls, settings

CODE = "def a():\n    return 1\n\n\ndef b():\n    return 2\n"
BRIEF = CoderBrief("P", "", TaskSpec("Edit", "Change it.", ("m.py",)), (("m.py", CODE),))


class NoTodos:
    def get(self) -> list[dict[str, Any]]:
        return []

    def set(self, items: list[dict[str, Any]]) -> None: ...


def edit(old: str, new: str, path: str = "m.py") -> str:
    return f"FILE: {path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def code(root: Path, model: ScriptedModel, brief: CoderBrief = BRIEF, *, tools: bool = False) -> CoderResult:
    context = ToolContext(root, f"test/{root}/", NoTodos(), lambda _: None)
    return write_code(
        brief,
        model=model,
        settings=settings(supports_tools=tools),
        steps=Tape(),
        toolbox=Toolbox(context, ("file_read", "file_write", "file_patch")),
        max_turns=8,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(CODE)
    return tmp_path


def test_partial_success_is_kept_and_told(root: Path) -> None:
    """Of two edits one fits: it stays, and the correction names it and shows the real lines for the other."""
    model = ScriptedModel(
        edit("    return 1", "    return 10") + edit("    return 3", "    return 30"),
        edit("    return 2", "    return 20"),
    )
    result = code(root, model)
    assert (root / "m.py").read_text() == CODE.replace("1", "10").replace("2", "20")
    told = model.last_user(1)
    assert "Applied already, do not send again: m.py, edit 1." in told
    assert "m.py, edit 2: 'search' is not in 'm.py'" in told
    assert "|     return 2" in told
    assert "Send only the edits again" in told
    assert result.files == ("m.py",)


def test_a_diff_is_applied(root: Path) -> None:
    """A diff in the answer is applied place by place; anchors are honoured."""
    text = "```diff\n--- a/m.py\n+++ b/m.py\n@@ -90 +90 @@\n-    return 1\n+    return 5\n@@ def b\n+    x = 1\n```"
    code(root, ScriptedModel(text))
    assert (root / "m.py").read_text() == "def a():\n    return 5\n\n\ndef b():\n    x = 1\n    return 2\n"


def test_a_broken_file_is_told_and_mended(root: Path) -> None:
    """An edit that breaks the file is applied, and the model is asked once more with the line."""
    model = ScriptedModel(edit("    return 1", "    return (1"), edit("    return (1", "    return (1)"))
    code(root, model)
    assert "m.py is no longer valid Python" in model.last_user(1)
    assert "return (1)" in (root / "m.py").read_text()


def test_a_file_that_was_not_shown_is_not_overwritten(root: Path) -> None:
    """An existing file outside the brief is shown first, in both protocols; the second answer is taken."""
    (root / "other.py").write_text("KEEP = 1\n")
    whole = "FILE: other.py\n```python\nLOST = 2\n```"
    model = ScriptedModel(whole, edit("KEEP = 1", "KEEP = 2", "other.py"))
    code(root, model)
    assert "KEEP = 1" in model.last_user(1)
    assert (root / "other.py").read_text() == "KEEP = 2\n"
    (root / "other.py").write_text("KEEP = 1\n")
    blind = calls(("file_patch", {"path": "other.py", "search": "KEEP", "replace": "X"}))
    model = ScriptedModel(blind, blind, "Done.")
    code(root, model, tools=True)
    assert "not read in this attempt, and nothing was changed" in model.last_user(1)
    assert model.last_user(1).endswith("KEEP = 1")
    assert (root / "other.py").read_text() == "X = 1\n"


def test_one_patch_for_several_files(root: Path) -> None:
    """A patch of two files in one call, without a path, changes both."""
    patch = "*** Update File: m.py\n-    return 1\n+    return 5\n*** Add File: n.py\n+x = 1\n"
    result = code(root, ScriptedModel(calls(("file_patch", {"patch": patch})), "Done."), tools=True)
    assert result.files == ("m.py", "n.py")
    assert "return 5" in (root / "m.py").read_text()
    assert (root / "n.py").read_text() == "x = 1\n"


def test_protected_files_stay(root: Path) -> None:
    """A protected file is skipped in text and refused to tools, also inside a patch, even when the task names it."""
    (root / "t.py").write_text("assert True\n")
    brief = replace(
        BRIEF, task=replace(BRIEF.task, file_paths=("m.py", "t.py")), protected=frozenset({"t.py"}),
        context_files=(*BRIEF.context_files, ("t.py", "assert True\n")),
    )  # fmt: skip
    code(root, ScriptedModel(edit("    return 1", "    return 5") + edit("assert True", "pass", "t.py")), brief)
    patch = "*** Update File: m.py\n-    return 5\n+    return 6\n*** Update File: ./t.py\n-assert True\n+pass\n"
    model = ScriptedModel(calls(("file_patch", {"patch": patch})), "Done.")
    code(
        root,
        model,
        replace(brief, context_files=(("m.py", CODE.replace("1", "5")), brief.context_files[1])),
        tools=True,
    )
    assert "must not be changed" in str(model.requests[1].messages[-1]["content"])
    assert (root / "t.py").read_text() == "assert True\n"
    assert "return 6" in (root / "m.py").read_text()


def test_the_earlier_version_again_is_no_progress(root: Path) -> None:
    """A repair that sends the very same files ends at once; a file sent along unchanged with a changed one is fine."""
    same = f"FILE: m.py\n```python\n{CODE}```"
    brief = replace(BRIEF, previous=(("m.py", CODE), ("n.py", "y = 1\n")), feedback=("E",))
    model = ScriptedModel(same, same.replace("return 1", "return 5"))
    with pytest.raises(AttemptFailed, match="failed before"):
        code(root, model, brief)
    assert len(model.requests) == 1
    both = same + "\nFILE: n.py\n```python\ny = 2\n```"
    result = code(root, ScriptedModel(both), brief)
    assert result.turns == 1
    assert (root / "n.py").read_text() == "y = 2\n"
