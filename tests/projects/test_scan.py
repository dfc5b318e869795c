"""Looking for projects: what is found, what is left out, and that it ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput
from lao.projects import scan as module
from lao.projects.scan import scan


def project(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "factory.yaml").write_text("")
    return folder


def names(root: Path, found: module.Found) -> list[str]:
    return [str(path.relative_to(root)) for path in found.projects]


def test_projects_are_found_and_tools_left_out(tmp_path: Path) -> None:
    """L3: hidden folders, folders of tools, links and what lies inside a project are not looked into."""
    for name in ("b/c/deep", "a", "b/with space", "a/plan/inner", ".hidden/x", "node_modules/y", "b/.git/z", "venv/v"):
        project(tmp_path / name)
    project(tmp_path.parent / f"{tmp_path.name}-outside")
    (tmp_path / "link").symlink_to(tmp_path.parent / f"{tmp_path.name}-outside")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    found = scan(tmp_path)
    assert names(tmp_path, found) == ["a", "b/with space", "b/c/deep"]
    assert (found.stopped, found.unreadable) == ("", 0)


def test_a_root_that_is_a_project_is_looked_through(tmp_path: Path) -> None:
    """L3: whoever names a project as the root wants those below it."""
    project(tmp_path)
    project(tmp_path / "inner")
    assert names(tmp_path, scan(tmp_path)) == [".", "inner"]


def test_depth_is_a_bound(tmp_path: Path) -> None:
    """L3: no folder deeper than asked for is looked into."""
    for name in ("one", "x/two", "x/y/three"):
        project(tmp_path / name)
    assert names(tmp_path, scan(tmp_path, depth=1)) == ["one"]
    assert names(tmp_path, scan(tmp_path, depth=2)) == ["one", "x/two"]
    assert names(tmp_path, scan(tmp_path, depth=0)) == []


class Ticking(FakeClock):
    """A second passes with each look."""

    def monotonic(self) -> float:
        self.wait(1.0)
        return super().monotonic()


def test_time_and_number_are_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: a tree without end does not keep anybody waiting, and what was seen is told."""
    for number in range(20):
        project(tmp_path / f"p{number:02}")
    found = scan(tmp_path, seconds=6.0, clock=Ticking())
    assert (found.stopped, found.folders) == ("time", 5)
    assert names(tmp_path, found) == ["p00", "p01", "p02", "p03"]
    monkeypatch.setattr(module, "FOUND_LIMIT", 3)
    assert (scan(tmp_path).stopped, len(scan(tmp_path).projects)) == ("number", 3)


def test_what_may_not_be_read_is_counted() -> None:
    """L3: a folder without rights hides nothing beside it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        root.chmod(0o755)
        project(root / "ok")
        closed = project(root / "closed")
        closed.chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            found = scan(root)
        finally:
            os.seteuid(user)
            closed.chmod(0o755)
        assert (names(root, found), found.unreadable) == (["ok"], 1)


def test_no_folder_is_told(tmp_path: Path) -> None:
    """L3: a root that is no folder is bad input."""
    with pytest.raises(BadInput, match="not a folder"):
        scan(tmp_path / "nowhere")
