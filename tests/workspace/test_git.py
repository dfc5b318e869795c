"""Promises of the plan's repository: made once, the user's left alone, git's troubles told clearly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lao.config.settings import GitSettings
from lao.core.errors import BadInput
from lao.workspace.git import Repository
from tests.workspace.plan_repository import DATE, commit, git, repository


def test_new_repository(root: Path) -> None:
    """A plan without a repository gets one with a .gitignore; ensuring again changes nothing."""
    repo = repository(root)
    assert repo.ensure() is True
    assert "node_modules/" in (root / ".gitignore").read_text()
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert repo.head() is None
    assert repo.ensure() is False
    assert "fsync" not in (root / ".git/config").read_text()


def test_existing_repository_is_left_as_it_is(root: Path) -> None:
    """Branch, configuration and ignore rules of the user stay; nothing is initialised again."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "trunk")
    git(root, "config", "user.name", "Local")
    before = (root / ".git/config").read_text()
    repo = repository(root)
    assert repo.ensure() is False
    assert not (root / ".gitignore").exists()
    (root / "a").write_text("1")
    commit(repo, "s1")
    assert (root / ".git/config").read_text() == before
    assert git(root, "log", "-1", "--format=%an <%ae> %D") == "Local <ada@example.org> HEAD -> trunk"


def test_killed_init_is_finished(root: Path) -> None:
    """A .git that a killed git init left without objects is completed, not reported as broken for ever."""
    (root / ".git/refs").mkdir(parents=True)
    (root / ".git/HEAD").write_text("ref: refs/heads/main\n")
    repo = repository(root)
    assert repo.ensure() is True
    assert commit(repo, "s1")


def test_killed_init_aside_is_cleared(root: Path) -> None:
    """git init works aside, so that a power cut leaves a whole repository or none; what is left of it goes."""
    left = root / ".lao-99999999-abcdef.tmp"
    (left / ".git").mkdir(parents=True)
    repo = repository(root)
    assert repo.ensure() is True
    assert sorted(entry.name for entry in root.iterdir()) == [".git", ".gitignore"]
    assert git(root, "fsck", "--strict") == ""


def test_broken_repository_is_bad_input(root: Path) -> None:
    """A .git that is no repository, or a file that points nowhere, is one clear message."""
    root.mkdir(parents=True)
    (root / ".git").write_text("gitdir: /nowhere/at/all\n")
    with pytest.raises(BadInput, match="points nowhere"):
        repository(root).ensure()


def test_repository_above_is_never_used(root: Path) -> None:
    """When the plan's .git has vanished, git must not find the user's repository above it."""
    root.mkdir(parents=True)
    git(root.parent, "init", "-q", "-b", "main")
    repo = repository(root)
    repo.ensure()
    (root / "a").write_text("1")
    commit(repo, "s1")
    assert git(root.parent, "for-each-ref") == ""
    assert git(root, "rev-parse", "--show-toplevel") == str(root.resolve())


def test_no_git(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git on PATH: one message with the way out."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(BadInput, match="git is not on PATH") as caught:
        repository(root).ensure()
    assert "--no-git" in caught.value.hint
    with pytest.raises(BadInput, match="git is not on PATH"):
        repository(root).available()


def test_no_identity(root: Path) -> None:
    """A git that does not know its user: the two commands are named, nothing is invented from the host's name."""
    Path(os.environ["HOME"], ".gitconfig").write_text("")
    with pytest.raises(BadInput, match="who you are") as caught:
        repository(root).ensure()
    assert "user.name" in caught.value.hint
    assert "user.email" in caught.value.hint
    with pytest.raises(BadInput, match="who you are"):
        commit(repository(root), "s1")


def test_commit_has_everything(repo: Repository, root: Path) -> None:
    """New, changed and deleted files; fixed date, the user's identity, the trailers; a clean status afterwards."""
    (root / "d").mkdir()
    (root / "d/new ü.txt").write_text("1")
    (root / "gone").write_text("1")
    commit(repo, "s1")
    (root / "gone").unlink()
    (root / "d/new ü.txt").write_text("2")
    made = commit(repo, "run 1/7", "lao(coder): " + "x" * 100, body="Plan-ID: 1", trailers={"LAO-Plan-ID": "p1"})
    assert made == repo.head()
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0")[:-1] == [".gitignore", "d/new ü.txt"]
    text = git(root, "log", "-1", "--format=%an|%ae|%at|%cn|%ct|%s|%b")
    subject = "lao(coder): " + "x" * 59 + "…"
    expected = f"Ada|ada@example.org|{DATE}|Ada|{DATE}|{subject}|Plan-ID: 1\n\nLAO-Plan-ID: p1\nLAO-Step: run 1/7"
    assert text == expected
    assert len(subject) == 72


def test_trailers_are_a_choice_the_step_is_not(root: Path) -> None:
    """Without git.commit_trailers only LAO-Step remains."""
    off = GitSettings(enabled=True, plan_file_name="LAO_PLAN.md", commit_trailers=False, worktrees=False)
    repo = Repository(root, settings=off, state_dir=root.parent / ".lao")
    repo.ensure()
    commit(repo, "s1", trailers={"LAO-Plan-ID": "p1"})
    assert git(root, "log", "-1", "--format=%(trailers)") == "LAO-Step: s1"


def test_diff_and_changed_files(root: Path, repo: Repository) -> None:
    """Between two commits, or from nothing; long patches are cut at a line with a note."""
    first = repo.head()
    (root / "a").write_text("one\n")
    second = commit(repo, "s1")
    assert second is not None
    assert "+one" in repo.diff(first, second)
    assert repo.changed_files(first, second) == ("a",)
    assert repo.changed_files(None, second) == (".gitignore", "a")
    assert "+one" in repo.diff(None, second)
    short = repo.diff(None, second, limit=80)
    assert "more characters of the diff" in short
    assert len(short) < 140


def test_a_tree_without_some_files(root: Path) -> None:
    """Equal as long as only those files differ; content, mode and name of any other, also below, make it another."""
    repo = repository(root)
    repo.ensure()
    (root / "sub").mkdir()
    (root / "sub/LOG").write_text("x")
    (root / "ä b").write_text("1")
    trees = [repo.tree_without(str(commit(repo, "s1")), {"LOG"})]
    (root / "LOG").write_text("said")
    trees.append(repo.tree_without(str(commit(repo, "s2")), {"LOG"}))
    assert trees[0] == trees[1]
    (root / "sub/LOG").write_text("y")
    trees.append(repo.tree_without(str(commit(repo, "s3")), {"LOG"}))
    (root / "ä b").chmod(0o755)
    trees.append(repo.tree_without(str(commit(repo, "s4")), {"LOG"}))
    (root / "ä b").rename(root / "c")
    trees.append(repo.tree_without(str(commit(repo, "s5")), {"LOG"}))
    (root / "c").rename(root / "ä b")
    (root / "ä b").chmod(0o644)
    (root / "sub/LOG").write_text("x")
    trees.append(repo.tree_without(str(commit(repo, "s6")), {"LOG"}))
    assert len(set(trees[1:5])) == 4
    assert trees[5] == trees[0]
