"""Which files count, how they are hashed, and what is never opened or named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lao.workspace.survey import inventory
from lao.workspace.survey.inventory import is_secret, take_inventory


def write(root: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def test_files_languages_and_lines(tmp_path: Path) -> None:
    """D1: each file with its language and lines; binary and huge ones by name only; what git ignores not at all."""
    write(
        tmp_path, src__a_dot_py="x = 1\ny = 2", b_dot_rs="fn main() {}\n", pic_dot_png=b"\0\1",
        big_dot_js="x" * 600_000,
        _dot_gitignore="out/\n", out__c_dot_py="1",
    )  # fmt: skip
    found = {f.path: (f.language, f.lines, f.note) for f in take_inventory(tmp_path, without=(".gitignore",)).files}
    assert found == {
        "src/a.py": ("python", 2, ""),
        "b.rs": ("rust", 1, ""),
        "pic.png": ("", None, "binary"),
        "big.js": ("javascript", None, "big"),
    }


def test_the_hash_follows_contents_and_nothing_else(tmp_path: Path) -> None:
    """D1: equal files have the same hash, whatever their times; another byte, or another file, has another."""
    write(tmp_path, a_dot_py="x = 1\n")
    first = take_inventory(tmp_path).tree
    os.utime(tmp_path / "a.py", (1, 1))
    assert take_inventory(tmp_path).tree == first
    write(tmp_path, a_dot_py="x = 2\n")
    changed = take_inventory(tmp_path).tree
    write(tmp_path, b_dot_py="")
    assert len({first, changed, take_inventory(tmp_path).tree}) == 3


def test_hidden_and_own_files_do_not_count(tmp_path: Path) -> None:
    """D1 G5: what a rule forbids to read is neither listed nor part of the hash."""
    write(tmp_path, a_dot_py="x = 1\n")
    before = take_inventory(tmp_path)
    write(tmp_path, keys__k_dot_py="SECRET = 1\n", LAO_PLAN_dot_md="# p")
    after = take_inventory(tmp_path, without=("LAO_PLAN.md",), hidden=lambda path: path.startswith("keys/"))
    assert after == before


def test_links_and_odd_names(tmp_path: Path) -> None:
    """D1: a link out of the workspace is a name; bytes that are no UTF-8 are left out; line breaks are only counted."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    write(outside, secret_dot_py="KEY = 1\n")
    write(inside, a_dot_py="x = 1\n")
    (inside / "link.py").symlink_to(outside / "secret.py")
    (inside / "folder").symlink_to(outside)
    (inside / "line\nbreak.py").write_text("x = 1\n")
    (inside / os.fsdecode(b"bad\xff.py")).write_text("x = 1\n")
    found = take_inventory(inside)
    assert [(f.path, f.note) for f in found.files] == [("a.py", ""), ("link.py", "link")]
    assert found.beyond == 1


def test_a_huge_tree_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D1: beyond the limits files are counted, or known by size and time, and still are part of the hash."""
    monkeypatch.setattr(inventory, "MAX_FILES", 30)
    monkeypatch.setattr(inventory, "READ_FILES", 10)
    write(tmp_path, **{f"f{n:02}_dot_py": "x\n" for n in range(50)})
    found = take_inventory(tmp_path)
    assert (len(found.files), found.beyond) == (30, 20)
    assert sum(f.lines is not None for f in found.files) == 10
    assert found.tree
    write(tmp_path, f20_dot_py="longer\n")
    assert take_inventory(tmp_path).tree != found.tree


def test_without_time_there_is_no_hash(tmp_path: Path) -> None:
    """D1: a tree that could not be read in time is not taken for another one."""
    write(tmp_path, a_dot_py="x\n")
    ticks = iter((0.0, 1000.0, 2000.0))
    found = take_inventory(tmp_path, clock=lambda: next(ticks))
    assert (found.tree, [f.lines for f in found.files]) == ("", [None])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (".env", True), ("a/.env.local", True), (".env.example", False), ("deploy/id_rsa", True),
        ("tls/server.key", True),
        ("my_secrets.yaml", True), ("credentials.json", True), ("secrets.py", False), ("monkey.py", False),
        ("password_form.tsx", False), ("keys.md", False),
    ],
)  # fmt: skip
def test_names_that_tell_of_secrets(path: str, told: bool) -> None:
    """G5: files with keys or passwords are known by their names; source code about them is not meant."""
    assert is_secret(path) is told


def test_no_folder_is_no_files(tmp_path: Path) -> None:
    """D1: a folder that is not there yet has no files."""
    assert take_inventory(tmp_path / "none").files == ()
