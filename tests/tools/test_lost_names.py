"""Imports and constants that a rewritten file lost come back where one reading is possible, and nowhere else."""

from __future__ import annotations

import pytest

from lao.tools.lost_names import with_lost_names

STUB = "from datetime import datetime, timedelta\nimport numpy as np\n\ndef add(moment):\n    pass\n"


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (
            "def add(m: datetime):\n    return m + timedelta(seconds=1)\n",
            ("from datetime import datetime", "from datetime import timedelta"),
        ),
        ("def f(x):\n    return np.sum(x)\n", ("import numpy as np",)),
    ],
)
def test_imports_of_the_earlier_version_are_kept(after: str, lines: tuple[str, ...]) -> None:
    """A name that the file imported before and still uses is imported again, as it was."""
    text, added = with_lost_names(after, STUB)
    assert added == lines
    assert text.endswith(after)
    assert text.startswith("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("after", "line"),
    [
        ("def f(x):\n    return math.sqrt(x)\n", "import math"),
        ("def f(x):\n    return Counter(x)\n", "from collections import Counter"),
        ("def f(x: List[int]):\n    return x\n", "from typing import List"),
        ("def f(x):\n    return datetime.datetime(2020, 1, x)\n", "import datetime"),
        ("def f(x):\n    return datetime(2020, 1, x)\n", "from datetime import datetime"),
    ],
)
def test_names_of_the_standard_library_with_one_meaning_are_imported(after: str, line: str) -> None:
    """``math.sqrt`` can only mean one thing."""
    assert with_lost_names(after) == (f"{line}\n\n{after}", (line,))


@pytest.mark.parametrize(
    "after",
    [
        "def f(x):\n    return helper(x)\n",  # nobody knows
        "def f(string):\n    return string.upper()\n",  # a parameter
        "from math import *\ndef f(x):\n    return sqrt(x) + os.x\n",  # may come from there
        "def f(:\n    math.x\n",  # does not parse
        "import datetime as d\nx = d.date\n",
        "def f(x: datetime):\n    return datetime.timedelta(1)\n",  # module or class: two readings
        "for re in []:\n    re.x\n",
    ],
)
def test_nothing_is_added_where_a_name_is_bound_or_unclear(after: str) -> None:
    """No guess: the file stays byte for byte as it was."""
    assert with_lost_names(after) == (after, ())


def test_imports_go_below_docstring_and_future() -> None:
    """The file's first lines keep their meaning."""
    after = '"""Doc."""\nfrom __future__ import annotations\n\n\ndef f(x):\n    return math.floor(x)\n'
    text, _ = with_lost_names(after)
    assert text.splitlines()[:3] == ['"""Doc."""', "from __future__ import annotations", "import math"]
    compile(text, "x", "exec")


CONSTANTS = """\"\"\"Kinds.\"\"\"

import re

BASE = 10
LIMIT = BASE * 2
UNUSED = 3
PATTERN = re.compile("x")
TWICE = 1
TWICE = 2


def f(x):
    pass
"""


def test_constants_of_the_earlier_version_come_back_below_the_imports() -> None:
    """With what they need themselves; what the new text does not use stays away."""
    after = "import sys\n\n\ndef f(x):\n    return x < LIMIT and PATTERN.match(sys.argv[0])\n"
    text, added = with_lost_names(after, CONSTANTS)
    assert added == ("import re", "BASE = 10", "LIMIT = BASE * 2", 'PATTERN = re.compile("x")')
    assert text.startswith("import re\nimport sys\nBASE = 10\nLIMIT = BASE * 2\nPATTERN =")
    assert text.endswith("\n\ndef f(x):\n    return x < LIMIT and PATTERN.match(sys.argv[0])\n")
    scope: dict[str, object] = {}
    exec(text, scope)
    assert scope["LIMIT"] == 20


def test_a_constant_with_two_values_or_a_new_one_is_left_alone() -> None:
    """Assigned twice, it has no single reading; bound in the new text, it is the model's."""
    for after in ("def f(x):\n    return TWICE\n", "BASE = 2\n\n\ndef f(x):\n    return BASE\n"):
        assert with_lost_names(after, CONSTANTS) == (after, ())
