"""A user with an identity, an empty project folder, a fresh repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.workspace.git import Repository
from tests.workspace.plan_repository import commit, repository


@pytest.fixture(autouse=True)
def user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a name and no other settings, whatever this machine's own are."""
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project" / "plan"


@pytest.fixture
def repo(root: Path) -> Repository:
    """A fresh repository with one commit."""
    repo = repository(root)
    repo.ensure()
    commit(repo, "init")
    return repo
