"""Promises: a plan works in its own folder, and no name can touch LAO's or git's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.config.settings import PathSettings
from lao.core.errors import BadInput
from lao.workspace.folders import workspace_for


@pytest.fixture
def paths(tmp_path: Path) -> PathSettings:
    return PathSettings(
        config_file=None,
        root=tmp_path,
        workspace=tmp_path / ".lao/_misc",
        plans=tmp_path / "todo/Inbox",
        database=tmp_path / ".lao/state.db",
    )


@pytest.mark.parametrize("stem", ["MyPlan", "My Plan 2", "größe", "a.b", "src", "v1.2-fix_3"])
def test_ordinary_names(paths: PathSettings, tmp_path: Path, stem: str) -> None:
    """plans/X.md works in <root>/X, given as a file or as a stem; nothing is made yet."""
    assert workspace_for(paths.plans / f"{stem}.md", paths) == tmp_path / stem
    assert workspace_for(stem, paths) == tmp_path / stem
    assert workspace_for(f"{stem}.md", paths) == tmp_path / stem
    assert not (tmp_path / stem).exists()


def test_plan_without_a_name(paths: PathSettings) -> None:
    """Without a file the common folder is used."""
    assert workspace_for(None, paths) == workspace_for("", paths) == paths.workspace


@pytest.mark.parametrize(
    "stem",
    [
        "plans", "README", "ReadMe", ".lao", ".git", "lao", "LAO", "factory", "_misc", "inbox", "INBOX", "CON", "nul",
        "com1", "con.x", "LAO_PLAN", "a/b", "a\\b", "..", ".", ".hidden", "-rf", "a\0b", "a\nb", "a:b", "a*",
        " a", "a ",
        "a.", "x" * 121, "node_modules", "todo",
    ],
)  # fmt: skip
def test_reserved_and_impossible_names(paths: PathSettings, stem: str) -> None:
    """Each is refused with a message that says what to do."""
    with pytest.raises(BadInput) as caught:
        workspace_for(stem, paths)
    assert caught.value.hint
    assert caught.value.exit_code == 42


def test_existing_folder_is_used_and_a_file_is_not(paths: PathSettings, tmp_path: Path) -> None:
    """A folder that is there is worked in; a file of that name is a clear error."""
    (tmp_path / "app").mkdir()
    assert workspace_for("app", paths) == tmp_path / "app"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        workspace_for("file", paths)
