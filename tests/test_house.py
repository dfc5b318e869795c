"""The rules of the house that no linter knows: sizes, docstrings, the printed tree, no words that do not belong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for name in ("lao", "workflows", "models_cfg", "scripts") for p in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small_and_say_what_they_own(path: Path) -> None:
    """STYLE: at most 400 lines a file and 60 a function; every file starts with a docstring."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a docstring says what the file owns"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long"


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_test_says_its_promise_and_none_sleeps(path: Path) -> None:
    """STYLE: a test's docstring is the promise; no test sleeps."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("time.sleep", "sleep"), f"line {node.lineno} sleeps"
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_printed_tree_is_the_real_one() -> None:
    """The tree in docs/architecture.md has every package of lao/ and every top folder, and no other."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    printed = page.split("```text\n", 1)[1].split("```", 1)[0]
    inner = set(re.findall(r"^  (\w+)/", printed, re.MULTILINE))
    top = set(re.findall(r"^(\w+)/", printed, re.MULTILINE))
    packages = {p.parent.name for p in (ROOT / "lao").glob("*/__init__.py")}
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    folders = {name for name in folders if not name.startswith(".") and name != "build"}
    assert inner == packages
    assert top - {"docs"} == folders


def test_only_the_borders_catch_everything() -> None:
    """STYLE: ``except Exception`` is at the borders: the frame of a phase, the gate's hook, the queue's reader, the
    service threads, main, threads that hand their error over, and the user's hooks.py."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            caught = node.type if isinstance(node, ast.ExceptHandler) else None
            if isinstance(node, ast.ExceptHandler) and (
                caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))
            ):
                found.add(str(path.relative_to(ROOT)))
    borders = {"workflows/frame.py", "workflows/phases.py", "workflows/queues.py", "workflows/services.py"}
    handing_over = {"lao/llm/exchange.py", "lao/durable/threads.py"}
    assert found <= borders | handing_over | {"lao/cli/main.py", "lao/hooks/python_file.py"}
