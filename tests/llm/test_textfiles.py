"""Whole files and edits out of plain text."""

from __future__ import annotations

import pytest

from lao.llm.textfiles import FileBlock, PatchBlock, read_files

A = FileBlock("src/a.py", "x = 1\n")


@pytest.mark.parametrize(
    "text",
    [
        "FILE: src/a.py\n```python\nx = 1\n```",
        "Sure!\n\nFILE: `src/a.py`\n\n```python\nx = 1\n```\nDone.",
        "FILE src/a.py\n```\nx = 1\n```",
        "FILE src/a.py\nx = 1\nEND FILE",
        "FILE: src/a.py\n```python\nx = 1\n```\nEND FILE",
        "**File: src/a.py**\n```python\nx = 1\n```",
        "**src/a.py**\n```python\nx = 1\n```",
        "`src/a.py`:\n```python\nx = 1\n```",
        "### src/a.py\n```python\nx = 1\n```",
        "### 1. `src/a.py`\n```python\nx = 1\n```",
        "Here is the new content of `src/a.py`:\n```python\nx = 1\n```",
        "# src/a.py\n```python\nx = 1\n```",
        "```python:src/a.py\nx = 1\n```",
        "```python src/a.py\nx = 1\n```",
        '```python title="src/a.py"\nx = 1\n```',
        "```src/a.py\nx = 1\n```",
        "FILE: src/a.py\n~~~~\nx = 1\n~~~~",
        "FILE: ./src/a.py\r\n```python\r\nx = 1\r\n```\r\n",
        "FILE: src/a.py\n```python\nx = 1",
        "<think>FILE: b.py\n```\ny\n```</think>FILE: src/a.py\n```python\nx = 1\n```<|im_end|>",
    ],
)
def test_whole_file_forms(text: str) -> None:
    """Each way in which models name a file is read, to the byte."""
    found = read_files(text)
    assert (found.files, found.patches, found.problems) == ((A,), (), ())


def test_path_in_the_first_comment() -> None:
    """A comment line that is only a path names the file, and stays in it."""
    found = read_files("```python\n# src/a.py\nx = 1\n```")
    assert found.files == (FileBlock("src/a.py", "# src/a.py\nx = 1\n"),)


def test_several_files_and_the_last_version_wins() -> None:
    """Files come in order; a second version of the same file replaces the first."""
    found = read_files("FILE: a.py\n```\n1\n```\nFILE: b.py\n```\n2\n```\nFixed:\nFILE: a.py\n```\n3\n```")
    assert found.files == (FileBlock("b.py", "2\n"), FileBlock("a.py", "3\n"))


def test_forgotten_closing_fence() -> None:
    """A FILE line that is followed by a fence ends the block before it."""
    found = read_files("FILE: a.py\n```python\nx = 1\nFILE: b.py\n```python\ny = 2\n```")
    assert found.files == (FileBlock("a.py", "x = 1\n"), FileBlock("b.py", "y = 2\n"))


def test_fences_inside_markdown() -> None:
    """A Markdown file may contain fenced code."""
    found = read_files("FILE: README.md\n```markdown\n# Use\n```sh\npip install x\n```\nEnd.\n```")
    assert found.files == (FileBlock("README.md", "# Use\n```sh\npip install x\n```\nEnd.\n"),)


def test_lone_block_is_the_only_expected_file() -> None:
    """One block without a path is the task's only file; shell commands and usage examples do not count."""
    text = "Here:\n```python\ndef f():\n    return 1\n```\nRun:\n```bash\npython a.py\n```\n```python\nprint(f())\n```"
    assert read_files(text, ("src/a.py",)).files == (FileBlock("src/a.py", "def f():\n    return 1\n"),)
    assert read_files("def f():\n    return 1\n", ("src/a.py",)).files[0].content == "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\ndef f(): ...\n```\n```python\ndef g(): ...\n```", ("a.py",)),
        ("```python\ndef f(): ...\n```", ("a.py", "b.py")),
        ("```python\ndef f(): ...\n```", ()),
    ],
)
def test_never_guesses(text: str, expected: tuple[str, ...]) -> None:
    """Among several blocks or several files nothing is guessed; the problem says what to write."""
    found = read_files(text, expected)
    assert found.files == ()
    assert "FILE:" in found.problems[0]


def test_bare_name_means_the_expected_path() -> None:
    """A file's bare name stands for the one expected path that ends with it."""
    assert read_files("FILE: a.py\n```\nx = 1\n```", ("src/a.py", "b.py")).files == (A,)


@pytest.mark.parametrize(
    "line",
    [
        "# ... rest of code", "    # ... (existing code)", "// ... rest of the implementation ...",
        "# rest of the code", "# existing code here", "... remaining methods unchanged",
        "<!-- ... existing content ... -->", "# The rest of the file remains the same", "# … same as before",
    ],
)  # fmt: skip
def test_elisions_are_refused(line: str) -> None:
    """A file with a placeholder for left-out code is a problem, not a file."""
    found = read_files(f"FILE: a.py\n```\nx = 1\n{line}\n```")
    assert found.files == ()
    assert "leaves code out" in found.problems[0]


@pytest.mark.parametrize(
    "line",
    [
        "...", "    ...", "# remaining seats", "# the rest of the list is sorted", "# Other options", "x = [...]",
        "# previous implementations raised here", "# same as the caller's", "# code is a string", "# ...",
    ],
)  # fmt: skip
def test_ordinary_lines_are_no_elision(line: str) -> None:
    """Ellipsis and ordinary comments are code."""
    assert read_files(f"FILE: a.py\n```\nx = 1\n{line}\n```").files


@pytest.mark.parametrize(
    "text",
    [
        "src/a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE",
        "FILE: src/a.py\n```python\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```",
        "```python\nsrc/a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```",
    ],
)
def test_search_replace(text: str) -> None:
    """An edit block is read inside and outside of fences, with the path above it."""
    found = read_files(text)
    assert (found.files, found.patches, found.problems) == ((), (PatchBlock("src/a.py", "x = 1", "x = 2"),), ())


def test_search_replace_problems() -> None:
    """An edit without path or end is a problem."""
    assert "no path" in read_files("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE").problems[0]
    assert "no =======" in read_files("a.py\n<<<<<<< SEARCH\na\n").problems[0]
    assert "deletes" in read_files("```diff\n--- a/a.py\n+++ /dev/null\n@@\n-a\n```").problems[0]
    assert "which file" in read_files("```diff\n-a\n+b\n```", ("a.py", "b.py")).problems[0]
    assert "empty" in read_files("FILE: a.py\n```\n\n```").problems[0]
    assert read_files("FILE: p/__init__.py\n```\n```").files == (FileBlock("p/__init__.py", ""),)


def test_truncated_answer_keeps_the_complete_files() -> None:
    """At the token limit complete files are kept and the cut one is named, not written."""
    found = read_files("FILE: a.py\n```\nx = 1\n```\nFILE: b.py\n```\ny = ", truncated=True)
    assert (found.files, found.cut) == ((FileBlock("a.py", "x = 1\n"),), "b.py")
    assert read_files("```python\ndef f(", ("a.py",), truncated=True).cut == "a.py"
    assert read_files("a.py\n<<<<<<< SEARCH\nx\n=====", truncated=True).cut == "a.py"


@pytest.mark.parametrize(
    "text",
    [
        "```diff\n--- a/src/a.py\n+++ b/src/a.py\n@@\n y = 0\n-x = 1\n+x = 2\n```",
        "So:\n```patch\n*** Begin Patch\n*** Update File: src/a.py\n y = 0\n-x = 1\n+x = 2\n*** End Patch\n```\nDone.",
        "*** Begin Patch\n*** Update File: src/a.py\n@@\n y = 0\n-x = 1\n+x = 2\n*** End Patch\nIt is done.",
        "I change it.\n--- a/src/a.py\n+++ b/src/a.py\n@@\n y = 0\n-x = 1\n+x = 2\nThat was it.",
        "--- a/src/a.py\n+++ b/src/a.py\n@@\ny = 0\n-x = 1\n+x = 2\n\nThis is done:\n- it works\n",
        "*** Update File: src/a.py\ny = 0\n-x = 1\n+x = 2\n*** End Patch",
        "FILE: src/a.py\n```diff\n@@\n y = 0\n-x = 1\n+x = 2\n```",
        "FILE: src/a.py\n```\n@@ @@\n y = 0\n-x = 1\n+x = 2\n```",
    ],
)
def test_patches(text: str) -> None:
    """A diff or a Begin Patch block, fenced or not, is read as edits whatever was asked for."""
    found = read_files(text)
    assert found.patches == (PatchBlock("src/a.py", "y = 0\nx = 1", "y = 0\nx = 2"),)
    assert (found.files, found.problems) == ((), ())


def test_patches_with_anchors_and_new_files() -> None:
    """An edit whose anchor or line number matters carries its own patch; an added file is a whole file."""
    text = (
        "*** Begin Patch\n*** Update File: a.py\n@@ class A:\n-x\n+y\n*** Add File: b.py\n+n = 1\n*** End Patch\n"
        "```diff\n--- a/c.py\n+++ b/c.py\n@@ -3,1 +3,1 @@\n-p\n+q\n```"
    )
    found = read_files(text)
    assert found.files == (FileBlock("b.py", "n = 1\n"),)
    first, second = found.patches
    assert (first.path, first.search, first.replace) == ("a.py", "x", "y")
    assert "@@ class A:" in first.patch
    assert "@@ -3 +3 @@" in second.patch


def test_a_lone_diff_is_about_the_only_file() -> None:
    """Without a path a diff changes the task's one file; a bare name means the expected path."""
    assert read_files("```diff\n-a\n+b\n```", ("src/a.py",)).patches == (PatchBlock("src/a.py", "a", "b"),)
    named = "```diff\n--- a.py\n+++ a.py\n@@\n-a\n+b\n```"
    assert read_files(named, ("src/a.py", "b.py")).patches == (PatchBlock("src/a.py", "a", "b"),)


def test_a_cut_patch_is_not_used() -> None:
    """A patch that the token limit cut off is named as cut, in a fence and outside."""
    half = "--- a/a.py\n+++ b/a.py\n@@\n-a\n+b"
    for text in (f"```diff\n{half}", f"*** Begin Patch\n{half}"):
        found = read_files(text, ("a.py",), truncated=True)
        assert found.patches == ()
        assert found.cut


def test_a_patch_file_is_a_file() -> None:
    """A task may ask for a file that holds a diff; and code that mentions one is code."""
    diff = "--- a/x\n+++ b/x\n@@\n-a\n+b\n"
    assert read_files(f"FILE: fix.patch\n```\n{diff}```").files == (FileBlock("fix.patch", diff),)
    code = 'DIFF = """\n--- a/x\n+++ b/x\n"""\n'
    assert read_files(f"FILE: a.py\n```python\n{code}```").files == (FileBlock("a.py", code),)
