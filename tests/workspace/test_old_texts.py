"""Promises: the texts of a commit's files come back as they were, and what is no text is left out."""

from __future__ import annotations

from pathlib import Path

from lao.workspace.folder_copy import FolderCopy
from lao.workspace.git_calls import Git
from lao.workspace.old_texts import LARGEST, texts_at


def test_texts_of_a_commit(tmp_path: Path) -> None:
    """Empty files, odd names and bad bytes; not missing, binary, large ones, folders or commits that are none."""
    git = Git(tmp_path)
    git.out("init", "-q")
    files = {
        "a.py": b"x = 1\n", "empty": b"", "d/ä b.txt": b"\xff text", "bin": b"a\0b", "large": b"x" * (LARGEST + 1),
        "no end": b"no newline",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    git.out("add", "-A")
    git.out("commit", "-q", "-m", "one")
    found = texts_at(git, "HEAD", [*files, "missing", "d", "new\nline"])
    assert found == {"a.py": "x = 1\n", "empty": "", "d/ä b.txt": "\ufffd text", "no end": "no newline"}
    assert texts_at(git, "HEAD^", list(files)) == {}
    assert texts_at(git, "HEAD", []) == {}


def test_texts_of_a_copy(tmp_path: Path) -> None:
    """Without git the copy made before the attempt has them."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("old\n")
    (root / "bin").write_bytes(b"\0")
    copy = FolderCopy(root, tmp_path / "copy")
    copy.save()
    (root / "a.py").write_text("new\n")
    assert copy.texts(["a.py", "bin", "gone"]) == {"a.py": "old\n"}
