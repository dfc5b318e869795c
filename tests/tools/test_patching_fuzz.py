"""Promise: whatever a model sends, an edit raises nothing but its own error and takes no line that it did not name."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from lao.core.diffs import parse_patch, render
from lao.core.errors import BadInput
from lao.llm.textfiles import read_files
from lao.tools.hunks import apply_hunks
from lao.tools.patching import apply_patch

RUNS = settings(max_examples=int(os.environ.get("LAO_FUZZ", "200")), deadline=None, database=None, derandomize=True)
LINE = st.sampled_from(
    [
        "",
        "x = 1",
        "    x = 1",
        "def f():",
        "    return x",
        "\treturn x",
        "}",
        "# y",
        "class A:",
        "y = x  ",
        "- a",
        "+ b",
    ]
)
TEXT = st.lists(LINE, max_size=12).map("\n".join)
MARKED = st.sampled_from(
    ["@@", "@@ class A:", "@@ -3,2 +3,2 @@", "-x = 1", "+x = 2", " def f():", "--- a/m.py", "+++ b/m.py", "```",
     "```diff", "*** Begin Patch", "*** Update File: m.py", "*** Add File: n.py", "*** End Patch", "*** End of File",
     "FILE: m.py", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "text", "", "+++ /dev/null", "--- /dev/null"]
)  # fmt: skip
ANSWER = st.lists(st.one_of(MARKED, LINE), max_size=25).map("\n".join)


@RUNS
@given(text=TEXT, search=TEXT, replace=TEXT)
def test_an_edit_changes_one_block(text: str, search: str, replace: str) -> None:
    """The lines before and after the edit stay; at most the lines of SEARCH, and what stood among them, go."""
    try:
        new, _ = apply_patch(text, search, replace, "f.py")
    except BadInput:
        return
    if new == text:
        return
    old_lines, new_lines = text.splitlines(), new.splitlines()
    gone = [line for line in old_lines if line.strip()]
    for line in new_lines:
        if line in gone:
            gone.remove(line)
    named = [line.strip() for line in search.splitlines()]
    assert all(any(n and n in line for n in named) for line in gone)


@RUNS
@given(answer=ANSWER, text=TEXT, truncated=st.booleans())
def test_any_answer_is_read(answer: str, text: str, truncated: bool) -> None:
    """No exception from reading; each edit that was read is applied or refused."""
    found = read_files(answer, ("m.py",), truncated=truncated)
    for patch in found.patches:
        try:
            if patch.patch:
                apply_hunks(text, parse_patch(patch.patch, patch.path)[0], "m.py")
            else:
                apply_patch(text, patch.search, patch.replace, "m.py")
        except BadInput:
            continue


@RUNS
@given(answer=ANSWER)
def test_a_patch_survives_rendering(answer: str) -> None:
    """What was read of a patch is the same after writing it out and reading it again."""
    try:
        diffs = parse_patch(answer, "m.py")
    except BadInput:
        return
    for diff in diffs:
        if any(line.startswith(("-- ", "++ ", "** ")) for h in diff.hunks for line in (*h.search, *h.replace)):
            continue  # no diff can tell these from its own headers
        again = parse_patch(render(diff))[0]
        assert again.content == diff.content
        assert [(h.replace, h.at_end) for h in again.hunks] == [(h.replace, h.at_end) for h in diff.hunks]
