"""Promises: code is the same when only its looks differ, failures are the same when only their figures differ."""

from __future__ import annotations

import pytest

from lao.quality.signatures import code_signature, steady

CODE = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "other",
    [
        "def f(x):\n\n    # add one\n    return x+1\n",
        'def f(x):\n    """Add one."""\n    return (x + 1)\n',
        '"""Module."""\ndef f(x): return x + 1\n',
    ],
)
def test_looks_do_not_count(other: str) -> None:
    """Comments, docstrings, blank lines and formatting leave the signature as it is."""
    assert code_signature({"a.py": CODE}) == code_signature({"a.py": other})


@pytest.mark.parametrize("other", ["def f(x):\n    return x + 2\n", "def f(x):\n    return x - 1\n", "def f(:\n", ""])
def test_code_counts(other: str) -> None:
    """Another constant, operator or broken code is another signature."""
    assert code_signature({"a.py": CODE}) != code_signature({"a.py": other})


def test_other_languages_and_broken_files() -> None:
    """Whitespace does not count where there is no parser; names of files do."""
    assert code_signature({"a.js": "f( 1 );\n"}) == code_signature({"a.js": "f( 1 );\n\n"})
    assert code_signature({"a.py": "def f(:\n"}) == code_signature({"a.py": "def f(:"})
    assert code_signature({"a.js": "x"}) != code_signature({"b.js": "x"})
    assert code_signature({"a.js": "x", "b.js": "y"}) == code_signature({"b.js": "y", "a.js": "x"})


def test_steady_texts() -> None:
    """Addresses, folders, figures and durations are not what an error is about."""
    one = steady("<object at 0x7f5b692> in /tmp/a1/b/x.py took 1.25s:  8 != 9")
    assert one == steady("<object at 0x11> in /home/u/x.py took 3 ms: 12 != 1")
    assert one != steady("<object at 0x11> in /home/u/y.py took 3 ms: 12 != 1")
