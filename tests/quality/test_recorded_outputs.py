"""Promises of evidence from recorded runs: node, jest, vitest, mocha, go, cargo and compilers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.words import CommandResult
from lao.quality.evidence import Evidence, digest

OUTPUTS = Path(__file__).parent / "outputs"


def of(name: str, *files: str) -> Evidence:
    return digest(CommandResult("c", 1, (OUTPUTS / f"{name}.txt").read_text(encoding="utf-8")), files=files)


@pytest.mark.parametrize(
    ("name", "files", "tests", "counts", "shown"),
    [
        ("node_tap", ("sum.js",), ("adds", "deep", "throws"), (1, 3), ["expected 3; actual -1", "at sum.js:1"]),
        ("node_spec", ("sum.js",), ("adds", "deep", "throws"), (1, 3), ["expected 3; actual -1", "sum.test.js:5"]),
        ("jest", (), ("adds 1 + 2 to equal 3", "seven"), (1, 2), ["expected 3; actual -1", "sum.js:2", "toBe(3)"]),
        ("vitest", (), ("sum.test.js > adds",), (1, 1), ["expected -1 to be 3", "sum.test.js:5"]),
        ("mocha", (), ("sum adds", "sum seven"), (1, 2), ["-1 == 3", "reading 'x'", "sum.js:2"]),
        ("go_test", (), ("TestAdd", "TestTable/zero"), (None, 3), ["Add(1, 2) = -1; want 3", "add_test.go:9"]),
        ("go_panic", ("add.go",), ("TestAdd",), (None, 1), ["index out of range", "at add.go:7"]),
        ("cargo_test", (), ("tests::seven", "tests::adds"), (1, 2), ["seven 7", "left: -1", "src/lib.rs:"]),
    ],
)
def test_runners(
    name: str, files: tuple[str, ...], tests: tuple[str, ...], counts: tuple[int | None, int], shown: list[str]
) -> None:
    """Counts, names in order, values and places; no line of the machine's own paths."""
    found = of(name, *files)
    assert set(found.tests) == set(tests)
    assert (found.passed, found.failed) == counts
    for text in shown:
        assert text in found.text
    assert "/home/dev" not in found.text
    assert 0.0 < found.score < 1.0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("node_crash", ["No test could run.", "sum.js:2", "SyntaxError: Unexpected end of input"]),
        ("go_build", ["add.go:5", "undefined: x", "add.go:6", "declared and not used"]),
        ("cargo_error", ["error[E0277]: cannot subtract `&str` from `i32`", "no implementation", "src/lib.rs:1"]),
        ("gcc", ["calc.c:4", "'y' undeclared"]),
        ("tsc", ["src/app.ts:3", "TS2322", "src/app.ts:9", "Cannot find name 'foo'"]),
    ],
)
def test_what_does_not_compile(name: str, shown: list[str]) -> None:
    """Every compiler's errors with their places, at the lowest score, warnings left out."""
    found = of(name, "sum.js")
    for text in shown:
        assert text in found.text
    assert found.score == 0.0
    assert "-Wreturn-type" not in found.text
