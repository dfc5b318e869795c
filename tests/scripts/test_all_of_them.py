"""Promise: every script begins: what it takes from LAO, from other scripts and from the tests is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "scripts").rglob("*.py")
    if path.name != "__init__.py" and "map_tasks" not in path.parts  # projects to be worked on, not scripts
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_finds_what_it_imports(name: str) -> None:
    """Scripts that no other test runs were broken by a rename that only they did not follow."""
    assert importlib.import_module(name).__doc__
