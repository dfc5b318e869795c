"""Promise: what git or LAO would follow at the top of a workspace is after a command what it was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.durable.containment import Containment
from lao.durable.sandbox.rights import kept
from tests.durable.sandbox.cases import run


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".git/hooks").mkdir(parents=True)
    (tmp_path / ".git/info").mkdir()
    (tmp_path / ".git/info/borrowed").write_text("")
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git/config").write_text("[core]\n")
    (tmp_path / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    (tmp_path / ".git/hooks/pre-commit").chmod(0o755)
    return tmp_path


def test_what_is_changed_is_put_back_and_told(workspace: Path) -> None:
    """Changed, removed and new files, a link, and a folder."""
    with kept(workspace) as restored:
        (workspace / ".git/config").write_text("[core]\n\tfsmonitor = evil\n")
        (workspace / ".git/hooks/pre-commit").unlink()
        (workspace / ".git/hooks/post-checkout").write_text("evil")
        (workspace / ".mcp.json").write_text("{}")
        (workspace / ".lao/skills").mkdir(parents=True)
        (workspace / ".claude").symlink_to("/")
        (workspace / "ordinary.txt").write_text("x")
    assert (workspace / ".git/config").read_text() == "[core]\n"
    assert (workspace / ".git/hooks/pre-commit").stat().st_mode & 0o777 == 0o755
    assert sorted(p.name for p in workspace.iterdir()) == [".git", "ordinary.txt"]
    assert sorted(p.name for p in (workspace / ".git/hooks").iterdir()) == ["pre-commit"]
    assert ".git/config" in restored.text
    assert restored.text.count("\n") == 0


def test_what_was_there_stays(workspace: Path) -> None:
    """A project's own files are not taken away, and nothing is told when nothing was changed."""
    for name in (".mcp.json", "factory.yaml", "hooks.py"):
        (workspace / name).write_text(name)
    with kept(workspace) as restored:
        (workspace / "hooks.py").write_text("evil")
    assert (workspace / "hooks.py").read_text() == "hooks.py"
    assert restored.names == ["hooks.py"]
    with kept(workspace) as restored:
        pass
    assert restored.text == ""


def test_the_users_own_changes_stay_where_a_command_cannot_write(workspace: Path) -> None:
    """Beside a command in the plan's own folder a person sets up git, or an agent: nothing of it is taken back."""
    (workspace / ".git/info/borrowed").unlink()
    with kept(workspace, frozen=True) as restored:
        (workspace / ".git/config").write_text("[remote]\n")
        (workspace / ".mcp.json").write_text("{}")
    assert (workspace / ".git/config").read_text() == "[remote]\n"
    assert (workspace / ".mcp.json").exists()
    assert restored.text == ""


def test_a_file_in_the_place_of_the_repository_is_not_followed(workspace: Path) -> None:
    """It could name a repository anywhere; nothing of it stays."""
    with kept(workspace) as restored:
        (workspace / ".git").rename(workspace / "old")
        (workspace / ".git").write_text("gitdir: /somewhere")
    assert (workspace / ".git").is_dir()
    assert (workspace / ".git/config").read_text() == "[core]\n"
    assert ".git" in restored.names


def test_it_is_put_back_when_the_command_is_interrupted(workspace: Path) -> None:
    """A stop in the middle gives no rights either."""
    with pytest.raises(KeyboardInterrupt), kept(workspace):
        (workspace / ".mcp.json").write_text("{}")
        raise KeyboardInterrupt
    assert not (workspace / ".mcp.json").exists()


@pytest.mark.parametrize("how", [Containment.BUBBLEWRAP, Containment.LANDLOCK, Containment.NONE])
def test_after_a_real_command(workspace: Path, how: Containment) -> None:
    """Read-only with bubblewrap, put back with the others; the model is told either way."""
    result = run("echo x >> .git/config; echo '{}' > .mcp.json; false", workspace, how)
    assert (workspace / ".git/config").read_text() == "[core]\n"
    assert not (workspace / ".mcp.json").exists()
    assert "put back as it was" in result.output
    if how is Containment.BUBBLEWRAP:
        assert "Read-only file system" in result.output
