"""Promise: no tool reads or writes outside the workspace, nor git's or LAO's own folders."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lao.core.errors import BadInput
from lao.tools.paths import relative_name, resolve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace full of ways out, beside a secret."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "work-evil").mkdir()
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    (root / "src/app.py").write_text("x = 1\n")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("")
    (root / "out").symlink_to(tmp_path)
    (root / "proc").symlink_to("/proc/self")
    (root / "secret-link").symlink_to(tmp_path / "secret.txt")
    (root / "nowhere").symlink_to(tmp_path / "not-there")
    (root / "relative-out").symlink_to("../secret.txt")
    (root / "loop").symlink_to("loop")
    (root / "git-link").symlink_to(".git")
    (root / "chain").symlink_to("out")
    (root / "inner").symlink_to("src/app.py")
    os.link(tmp_path / "secret.txt", root / "hard.txt")
    os.mkfifo(root / "pipe")
    return root


ESCAPES = [
    "..", "../secret.txt", "src/../../secret.txt", "./../work-evil/x", "src/../../work/../secret.txt",
    "/etc/passwd", "//etc/passwd", "/proc/self/environ", "/proc/self/cwd/../secret.txt", "/dev/sda", "/",
    "out/secret.txt", "out", "chain/secret.txt", "out/../secret.txt/../../secret.txt", "proc/environ",
    "proc/root/etc/passwd", "secret-link", "relative-out", "nowhere", "loop", "loop/x",
    ".git/config", ".git/hooks/pre-commit", ".GIT/config", ".git./config", ".git /config", "GIT~1/config",
    ".git::$INDEX_ALLOCATION/config", "src/.git/hooks/post-checkout", "git-link/config", "src/../.git/config",
    ".lao/state.db", ".LAO/state.db", "src/.lao/x",
    "~/.ssh/id_rsa", "~root/x", "..\\secret.txt", "C:\\Windows\\x", "C:/Windows/x", "\\\\server\\share",
    "a\0b", "a\nb", "", "   ", "x" * 300, "a/" * 600 + "b", "\ud800", "pipe", "src/app.py/below",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("writing", [False, True])
def test_escape_corpus(root: Path, path: str, writing: bool) -> None:
    """Every known way out is refused with a reason, for reading and for writing."""
    with pytest.raises(BadInput) as caught:
        resolve(root, path, writing=writing)
    assert len(caught.value.message) > 10
    assert caught.value.hint


@pytest.mark.parametrize("path", ["out", "proc", "/", "..", ".git", "chain", "src/app.py"])
def test_folder_escapes(root: Path, path: str) -> None:
    """Folders outside, and files, cannot be listed."""
    with pytest.raises(BadInput):
        resolve(root, path, folder=True)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("src/app.py", "src/app.py"), ("./src//app.py", "src/app.py"), ("src/../src/app.py", "src/app.py"),
        ("new/deep/file.txt", "new/deep/file.txt"), (".gitignore", ".gitignore"), (".github/x.yml", ".github/x.yml"),
        ("inner", "src/app.py"), ("-rf", "-rf"), ("naïve ü.md", "naïve ü.md"), ("a..b", "a..b"), ("...", "..."),
    ],
)  # fmt: skip
def test_inside_is_taken(root: Path, path: str, name: str) -> None:
    """What is inside is found, also by a link that stays inside, for writing too."""
    assert relative_name(root, resolve(root, path, writing=True)) == name


def test_absolute_inside_is_made_relative(root: Path, tmp_path: Path) -> None:
    """Absolute paths below the workspace work, also when the workspace is reached by a link."""
    assert resolve(root, str(root / "src/app.py")) == root.resolve() / "src/app.py"
    link = tmp_path / "alias"
    link.symlink_to(root)
    assert relative_name(link, resolve(link, str(link / "src/app.py"))) == "src/app.py"
    assert resolve(root, ".", folder=True) == root.resolve()


def test_hard_link_is_read_but_not_written(root: Path) -> None:
    """A file with a second name may be read; writing it could change something outside."""
    assert resolve(root, "hard.txt")
    with pytest.raises(BadInput, match="hard link"):
        resolve(root, "hard.txt", writing=True)


def test_socket_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets are not files."""
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(BadInput, match="not a regular file"):
            resolve(root, "s")
