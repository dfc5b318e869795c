"""Promise: every common form of a patch is read to the same changes, and nothing is guessed."""

from __future__ import annotations

import pytest

from lao.core.diffs import FileDiff, Hunk, looks_like_patch, parse_patch, render
from lao.core.errors import BadInput

CHANGE = Hunk(("def f():", "    return 1"), ("def f():", "    return 2"))


@pytest.mark.parametrize(
    "text",
    [
        "--- a/src/a.py\n+++ b/src/a.py\n@@\n def f():\n-    return 1\n+    return 2\n",
        "--- src/a.py\t2026-01-01\n+++ src/a.py\t2026-01-02\n@@ @@\n def f():\n-    return 1\n+    return 2",
        "diff --git a/src/a.py b/src/a.py\nindex 12ab..34cd 100644\n--- a/src/a.py\n+++ b/src/a.py\n@@\n def f():\n"
        "-    return 1\n+    return 2\n\\ No newline at end of file\n",
        "*** Begin Patch\n*** Update File: src/a.py\n@@\n def f():\n-    return 1\n+    return 2\n*** End Patch",
        "*** Update File: src/a.py\n def f():\n-    return 1\n+    return 2",
        "--- a/src/a.py\n+++ b/src/a.py\n@@ ... @@\ndef f():\n-    return 1\n+    return 2\n\n",
    ],
)
def test_forms_of_one_change(text: str) -> None:
    """Unified with and without numbers, git's, the Begin Patch form with and without its frame: one change."""
    assert parse_patch(text) == (FileDiff("src/a.py", (CHANGE,)),)
    assert looks_like_patch(text)


def test_headers_are_hints() -> None:
    """Numbers and headings of a diff, and anchor lines, come along; several anchors stay in order."""
    (unified,) = parse_patch("--- a/a\n+++ b/a\n@@ -7,2 +7,3 @@ class A:\n x\n+y\n@@ -20 +21 @@\n-z\n")
    assert unified.hunks == (Hunk(("x",), ("x", "y"), ("class A:",), 7), Hunk(("z",), (), (), 20))
    (anchored,) = parse_patch("*** Update File: a\n@@ class A\n@@ def f():\n+x\n*** End of File\n@@\n-q\n")
    assert anchored.hunks == (Hunk((), ("x",), ("class A", "def f():"), 0, True), Hunk(("q",), ()))


def test_new_files() -> None:
    """A file added by either form comes whole."""
    assert parse_patch("--- /dev/null\n+++ b/n.py\n@@ -0,0 +1,2 @@\n+a\n+\n+b\n") == (FileDiff("n.py", (), "a\n\nb\n"),)
    added = "*** Begin Patch\n*** Add File: n.py\n+- a\n*** Update File: m.py\n-x\n+y\n*** End Patch"
    assert parse_patch(added) == (FileDiff("n.py", (), "- a\n"), FileDiff("m.py", (Hunk(("x",), ("y",)),)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "changes nothing"),
        ("--- a/a\n+++ b/a\n@@\n same\n", "changes nothing"),
        ("@@\n-a\n+b\n", "which file"),
        ("*** Delete File: a\n", "deletes 'a'"),
        ("--- a/a\n+++ /dev/null\n@@\n-x\n", "deletes 'a'"),
        ("*** Update File: a\n*** Move to: b\n-x\n", "renames 'a'"),
    ],
)
def test_refused(text: str, why: str) -> None:
    """No change, no file, deletions and renamings are said, not done."""
    with pytest.raises(BadInput, match=why):
        parse_patch(text)


def test_a_patch_without_header_is_about_the_named_file() -> None:
    """Bare hunks belong to the path that is given."""
    assert parse_patch("@@\n-a\n+b\n", "x.py") == (FileDiff("x.py", (Hunk(("a",), ("b",)),)),)


def test_rendered_and_read_again() -> None:
    """What ``render`` writes is read to the same."""
    diffs = (
        FileDiff("a.py", (CHANGE, Hunk((), ("x", "", "y"), ("class A", "def f():")), Hunk((), ("e",), at_end=True))),
        FileDiff("b.py", (Hunk(("x",), (), ("class A:",), 7),)),
        FileDiff("c.py", (), "one\n\ntwo\n"),
    )
    for diff in diffs:
        assert parse_patch(render(diff)) == (diff,)


def test_a_file_is_no_patch() -> None:
    """Code, front matter and lists do not look like a patch."""
    for text in ("", "x = 1\n", "---\ntitle: a\n---\n", "- a\n+ b\n", "@property\ndef f(): ...\n"):
        assert not looks_like_patch(text)
