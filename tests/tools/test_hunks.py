"""Promise: of a patch what fits is applied and named, what does not fit changes nothing."""

from __future__ import annotations

import pytest

from lao.core.diffs import parse_patch
from lao.core.errors import BadInput
from lao.tools.hunks import Applied, apply_hunks

CODE = """class A:
    def one(self):
        return 1

    def two(self):
        x = 1
        return x


class B:
    def one(self):
        return 1
"""


def applied(patch: str, text: str = CODE) -> Applied:
    return apply_hunks(text, parse_patch(patch, "f.py")[0], "f.py")


def test_all_hunks() -> None:
    """Two places, the second with wrong line numbers: both changed."""
    result = applied(
        "@@ -1,3 +1,3 @@\n     def two(self):\n-        x = 1\n+        x = 2\n@@ -90 +90 @@\n-class B:\n+class C:\n"
    )
    assert result.ok
    assert result.text == CODE.replace("x = 1", "x = 2").replace("class B", "class C")


def test_partial_success_is_kept_and_named() -> None:
    """The change that fits stays; the answer says which must not be sent again, and shows real lines for the other."""
    result = applied("@@\n-        x = 1\n+        x = 2\n@@\n-    def three(self):\n-        x = 11\n+pass\n")
    assert not result.ok
    assert result.text == CODE.replace("x = 1", "x = 2")
    assert result.note.startswith("1 of 2 changes were applied to f.py. Do not send these again:\nchange 1:")
    assert "    5 |     def two(self):" in result.note.partition("send only them again")[2]


def test_nothing_fits() -> None:
    """When no change fits, nothing is changed and all reasons come back."""
    with pytest.raises(BadInput, match=r"(?s)change 1: .*change 2: "):
        applied("@@\n-no\n+yes\n@@\n-never\n+ever\n")


@pytest.mark.parametrize("head", ["@@ class B", "@@ class B:", "@@ -11,2 +11,2 @@", "@@ class B\n@@ def one"])
def test_anchors_decide_between_places(head: str) -> None:
    """Text that is found twice is changed below its anchor, or exactly where the line number says."""
    above = "     def one(self):\n" if "-11" in head else ""
    changed = applied(f"{head}\n{above}-        return 1\n+        return 5\n").text
    assert changed == CODE[: CODE.rindex("return 1")] + "return 5\n"


@pytest.mark.parametrize("head", ["@@", "@@ def one", "@@ class Z", "@@ -40 +40 @@"])
def test_several_places_are_not_guessed(head: str) -> None:
    """Without an anchor that is there once, text that is found twice changes nothing."""
    with pytest.raises(BadInput, match="found 2 times"):
        applied(f"{head}\n-        return 1\n+        return 5\n")


def test_pure_insertion() -> None:
    """New lines go below a unique anchor or to the end; anywhere else they are refused."""
    assert applied("@@ class B:\n+    y = 1\n").text == CODE.replace("class B:\n", "class B:\n    y = 1\n")
    assert applied("@@\n+z = 1\n*** End of File\n", "a = 1").text == "a = 1\nz = 1\n"
    for patch in ("@@\n+y = 1\n", "@@ def one\n+y = 1\n", "@@ -3,0 +4 @@ class B:\n+y = 1\n"):
        with pytest.raises(BadInput, match="not certain"):
            applied(patch)


def test_again_changes_nothing() -> None:
    """The same patch twice: the second time nothing changes."""
    for patch in ("@@ class B:\n+    y = 1\n", "@@\n         x = 1\n+        y = 2\n"):
        once = applied(patch).text
        assert once != CODE
        again = applied(patch, once)
        assert (again.text, again.ok) == (once, True)
        assert "already" in again.note


def test_placeholders_are_refused() -> None:
    """New lines that stand for code left out are no change, inserted or replacing."""
    for patch in (
        "@@ class B:\n+    # ... rest of the code\n",
        "@@\n-        x = 1\n+        # ... existing code ...\n",
    ):
        with pytest.raises(BadInput, match="leaves code out"):
            applied(patch)
