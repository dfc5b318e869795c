"""Promise: a patch goes to the one place that is meant, or nowhere, and says which."""

from __future__ import annotations

import pytest

from lao.core.errors import BadInput
from lao.tools.patching import apply_patch

CODE = """class A:
    def one(self):
        return 1

    def two(self):
        x = 1
        return x
"""


def patched(text: str, search: str, replace: str) -> str:
    return apply_patch(text, search, replace, "f.py")[0]


def test_exact_unique_match() -> None:
    """The first rung: text found once is replaced, nothing else is touched."""
    text, note = apply_patch(CODE, "        return 1\n", "        return 10\n", "f.py")
    assert text == CODE.replace("return 1\n", "return 10\n")
    assert note == "patched f.py at line 3"


def test_part_of_a_line() -> None:
    """Search text need not be whole lines."""
    assert patched("a = f(1) + g(2)\n", "g(2)", "h(3)") == "a = f(1) + h(3)\n"


def test_several_matches_are_named() -> None:
    """Two places: refused with both line numbers."""
    with pytest.raises(BadInput, match=r"found 2 times in 'f.py', at lines 2, 5"):
        apply_patch(CODE, "(self):\n", "(this):\n", "f.py")


def test_missing_indentation_is_put_back() -> None:
    """The model left the indentation out: the block is found and indented like the file."""
    new = patched(
        CODE, "def two(self):\n    x = 1\n    return x", "def two(self):\n    if self:\n        x = 2\n\n    return x"
    )
    assert new == CODE.replace(
        "        x = 1\n        return x", "        if self:\n            x = 2\n\n        return x"
    )
    compile(new, "f.py", "exec")


def test_surplus_indentation_is_taken_away() -> None:
    """The model indented everything more than the file."""
    assert patched("a = 1\nb = 2\n", "    a = 1\n    b = 2", "    a = 3\n    if a:\n        b = 4") == (
        "a = 3\nif a:\n    b = 4\n"
    )


def test_tabs_and_spaces() -> None:
    """Spaces from the model become the tabs of the file, also one level deeper than anything matched."""
    text = "func f() {\n\tif x {\n\t\treturn 1\n\t}\n}\n"
    search = "    if x {\n        return 1\n    }"
    replace = "    if x {\n        for {\n            return 2\n        }\n    }"
    assert patched(text, search, replace) == "func f() {\n\tif x {\n\t\tfor {\n\t\t\treturn 2\n\t\t}\n\t}\n}\n"


def test_trailing_blanks_and_blank_lines_around() -> None:
    """Blanks at line ends and empty lines around the search text do not matter."""
    assert patched("a = 1   \nb = 2\n", "\n\na = 1\nb = 2\n\n", "\na = 5\n") == "a = 5\n"


def test_tolerant_match_must_be_unique() -> None:
    """Without indentation the text fits twice: refused, with the lines."""
    with pytest.raises(BadInput, match="at lines 2, 4"):
        apply_patch("if a:\n    x = 1\nif b:\n        x = 1\n", "x = 1 ", "x = 2", "f.py")


def test_contradicting_indentation_is_not_guessed() -> None:
    """One indent of the model stands for two of the file: no guess, an error with the real lines."""
    with pytest.raises(BadInput, match=r"not in 'f\.py'") as caught:
        apply_patch("if a:\n    x = 1\n        y = 2\n", "if a:\n  x = 1\n  y = 2", "if a:\n  x = 3", "f.py")
    assert "    2 |     x = 1" in caught.value.hint


def test_none_shows_the_nearest_lines() -> None:
    """Not found: the most similar real lines come back with their numbers."""
    with pytest.raises(BadInput) as caught:
        apply_patch(CODE, "    def two(this):\n        x = 11\n", "pass", "f.py")
    assert "    5 |     def two(self):" in caught.value.hint
    with pytest.raises(BadInput) as caught:
        apply_patch(CODE, "€€€€€€€€€€€€€€", "pass", "f.py")
    assert "file_read" in caught.value.hint


def test_already_applied() -> None:
    """The same patch again changes nothing and says so."""
    once = patched(CODE, "        return 1\n", "        return 'a long new value'\n")
    again, note = apply_patch(once, "        return 1\n", "        return 'a long new value'\n", "f.py")
    assert again == once
    assert "already" in note
    inserted = patched("import os\n", "import os\n", "import os\nimport sys\n")
    again, note = apply_patch(inserted, "import os\n", "import os\nimport sys\n", "f.py")
    assert again == "import os\nimport sys\n"
    assert "already" in note


def test_a_short_replacement_proves_nothing() -> None:
    """That '}' is somewhere in the file does not mean that the patch was applied."""
    with pytest.raises(BadInput, match="not in"):
        apply_patch("a {\n}\n", "something else\n", "}", "f.py")


def test_windows_line_ends_are_kept() -> None:
    """A CRLF file stays one, whatever the model sent."""
    assert patched("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\n") == "x\r\ny\r\nc\r\n"
    assert patched("  a\r\n  b\r\nc\r\n", "a\nb", "x\ny") == "  x\r\n  y\r\nc\r\n"


def test_file_without_final_newline() -> None:
    """The last line keeps its missing newline; deleting a block leaves no blank line."""
    assert patched("a\n  b", "b ", "c") == "a\n  c"
    assert patched("a\n  b\nd\n", "b ", "") == "a\nd\n"


@pytest.mark.parametrize(("search", "replace"), [("", "x"), ("  \n", "x"), ("a", "a")])
def test_senseless_patches(search: str, replace: str) -> None:
    """Empty search text, and a change that changes nothing, are refused."""
    with pytest.raises(BadInput):
        apply_patch("a\n", search, replace, "f.py")


LONG = """def total(items):
    result = 0
    # sum up the items
    for item in items:
        result += item.price
    return result


def other():
    return 2
"""


REMEMBERED = """def total(items):
    result = 0
    # add everything
    for item in items:
        result += item.price
    return result"""


def test_misremembered_lines_stay() -> None:
    """The last rung: first and last line are unique and the changed line is known; a wrong line elsewhere stays."""
    new, note = apply_patch(LONG, REMEMBERED, REMEMBERED.replace("item.price", "item.price * item.count"), "f.py")
    assert new == LONG.replace("item.price", "item.price * item.count")
    assert "first and last line" in note


@pytest.mark.parametrize(
    "search",
    [
        REMEMBERED.replace("item.price", "item.cost"),
        REMEMBERED.replace("result = 0", "x = 0").replace("for item", "for z").replace("# add", "# put"),
        REMEMBERED + "\n\n\ndef gone():",
    ],
    ids=["the changed line is wrong", "too little is known", "the last line is not there"],
)
def test_likeness_is_not_enough(search: str) -> None:
    """When the touched line, most lines, or an end are not as remembered, nothing is changed and real lines come."""
    replace = search.replace("result += item.", "result += 2 * item.")
    with pytest.raises(BadInput, match="nothing was changed") as caught:
        apply_patch(LONG, search, replace, "f.py")
    assert "| def total(items):" in caught.value.hint


def test_an_insertion_between_misremembered_lines_is_refused() -> None:
    """New lines beside a line that was remembered wrongly have no certain place."""
    with pytest.raises(BadInput):
        apply_patch(LONG, REMEMBERED, REMEMBERED.replace("everything\n", "everything\n    x = 1\n"), "f.py")


def test_words_are_not_cut() -> None:
    """'x = 1' is not found in 'x = 10', and a whole line is taken before a part of one."""
    with pytest.raises(BadInput):
        apply_patch("x = 10\n", "x = 1", "x = 2", "f.py")
    assert patched("y = x = 1\nx = 1\n", "x = 1", "x = 2") == "y = x = 1\nx = 2\n"


def test_more_lines_for_an_indented_one_are_indented() -> None:
    """One line without its indentation, replaced by several: all get the file's indentation."""
    new = patched(CODE, "return 1", "if self:\n    return 2\nreturn 1")
    assert new == CODE.replace("        return 1", "        if self:\n            return 2\n        return 1")


def test_deleted_lines_leave_no_blank_line() -> None:
    """Whole lines replaced by nothing go with their line break."""
    assert patched("a = 1\nb = 2\nc = 3\n", "b = 2", "") == "a = 1\nc = 3\n"


def test_a_placeholder_is_no_replacement() -> None:
    """REPLACE that leaves code out is refused; a line that is in the file already leaves nothing out."""
    with pytest.raises(BadInput, match="leaves code out"):
        apply_patch(CODE, "        return 1", "        # ... rest unchanged", "f.py")
    text = "# ... existing code\nx = 1\n"
    assert patched(text, text, text.replace("1", "2")) == "# ... existing code\nx = 2\n"


def test_line_breaks_are_put_right() -> None:
    """Lines are never joined: a blank first line of SEARCH, and a last line break on one side only, do no harm."""
    assert patched("def f():\nx = 1\n", "\nx = 1", "x = 2") == "def f():\nx = 2\n"
    assert patched("x = 1\ny = 2\n", "x = 1\n", "x = 2") == "x = 2\ny = 2\n"
    assert patched("x = 1\ny = 2\n", "x = 1", "x = 2\n") == "x = 2\ny = 2\n"
    assert patched("x = 1\r\ny = 2\r\n", "x = 1\n", "") == "y = 2\r\n"
