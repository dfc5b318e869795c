"""Promises of the index: only what changed is read, a content is indexed once, nothing outside is ever read."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lao.search import index as indexing
from lao.search.index import refresh
from lao.search.listing import MAX_BYTES, content_of
from tests.search.conftest import Desk, touch


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


@pytest.mark.usefixtures("settled")
def test_only_what_changed_is_read(desk: Desk) -> None:
    """F5: a second refresh opens no file; one that changed is read, one that is gone is forgotten."""
    desk.write({"a.py": "def alpha(): pass\n", "b.py": "def beta(): pass\n", "c.md": "gamma\n"})
    first = desk.refresh()
    assert (first.files, first.read, first.added) == (3, 3, 3)
    again = desk.refresh()
    assert (again.files, again.read, again.added) == (3, 0, 0)
    desk.write({"b.py": "def delta(): pass\n"})
    (desk.root / "c.md").unlink()
    third = desk.refresh()
    assert (third.files, third.read, third.added, third.removed) == (2, 1, 1, 1)
    assert desk.find("delta") == ["b.py"]
    assert desk.find("beta gamma") == []
    assert (desk.count("contents"), desk.count("chunk_words"), desk.count("path_words")) == (2, 2, 2)


@pytest.mark.usefixtures("settled")
def test_a_new_time_alone_reads_but_indexes_nothing(desk: Desk) -> None:
    """F5: the content's hash decides: a file that was only touched is opened once and nothing is stored anew."""
    desk.write({"a.py": "alpha = 1\n"})
    desk.refresh()
    touch(desk.root / "a.py", 60)
    again = desk.refresh()
    assert (again.read, again.added) == (1, 0)
    assert desk.refresh().read == 0


def test_a_file_that_has_just_changed_is_not_trusted(desk: Desk) -> None:
    """A write within the clock's grain with the same size is seen: a fresh stamp counts for nothing."""
    desk.write({"a.py": "alpha = 1\n"})
    desk.refresh()
    assert desk.rows("SELECT stamp FROM files") == [("",)]
    assert desk.refresh().read == 1


@pytest.mark.usefixtures("settled")
def test_a_content_is_indexed_once_whatever_the_folder(desk: Desk, tmp_path: Path) -> None:
    """F5: a desk of the same project costs hashes only, and each folder finds its own files."""
    desk.write({"src/a.py": "def alpha(): pass\n", "src/b.py": "def beta(): pass\n"})
    desk.refresh()
    other = Desk(tmp_path / "desk", desk.index)
    shutil.copytree(desk.root, other.root)
    other.write({"src/b.py": "def changed(): pass\n"})
    told = other.refresh()
    assert (told.read, told.added) == (2, 1)
    assert desk.count("contents") == 3
    assert (desk.find("beta"), other.find("beta")) == (["src/b.py"], [])
    assert (desk.find("changed"), other.find("changed")) == ([], ["src/b.py"])


@pytest.mark.usefixtures("settled")
def test_folders_that_are_gone_are_forgotten_in_the_end(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last desks that are gone stay, so that the next one costs little; older ones and their contents go."""
    monkeypatch.setattr(indexing, "_GONE_KEPT", 1)
    desk.write({"a.py": "alpha = 1\n"})
    for number in range(3):
        other = Desk(tmp_path / f"desk-{number}", desk.index)
        other.root.mkdir()
        other.write({"x.py": f"number_{number} = 1\n"})
        other.refresh()
        shutil.rmtree(other.root)
    desk.refresh()
    assert [Path(path).name for (path,) in desk.rows("SELECT path FROM folders ORDER BY id")] == ["desk-2", "work"]
    assert desk.count("contents") == 2


def test_gitignore_is_respected_with_and_without_a_repository(desk: Desk) -> None:
    """F5: what git ignores is not found; the nearer .gitignore wins, also in a plain folder."""
    desk.write(
        {
            ".gitignore": "*.log\n/out/\nkept/*\n!kept/this.txt\n",
            "a.log": "zebra",
            "out/x.txt": "zebra",
            "deep/out/y.txt": "zebra",
            "kept/this.txt": "zebra",
            "kept/that.txt": "zebra",
            "deep/.gitignore": "!b.log\n",
            "deep/b.log": "zebra",
        }
    )
    wanted = ["deep/b.log", "deep/out/y.txt", "kept/this.txt"]
    assert sorted(desk.find("zebra")) == wanted
    git(desk.root, "init", "-q")
    assert sorted(desk.find("zebra")) == wanted


def test_binary_and_big_files_are_known_by_name(desk: Desk) -> None:
    """F5: their content is not read into the index; what was skipped is told with the reason."""
    desk.write({"zebra.bin": b"zebra\0zebra", "zebra.txt": "zebra " * (MAX_BYTES // 6 + 1), "a.txt": "zebra"})
    told = desk.refresh()
    assert told.by_name == {"big": 1, "binary": 1}
    assert sorted(desk.find("zebra")) == ["a.txt", "zebra.bin", "zebra.txt"]
    assert desk.count("contents") == 1


@pytest.mark.parametrize("repository", [True, False])
def test_links_are_never_followed(desk: Desk, tmp_path: Path, repository: bool) -> None:
    """F5: a link to a file is known by its name, one to a folder is not entered, tracked paths below it included."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "plans.txt").write_text("zebra")
    desk.write({"folder/plans.txt": "harmless", "a.txt": "nothing"})
    if repository:
        git(desk.root, "init", "-q")
        git(desk.root, "add", ".")
    shutil.rmtree(desk.root / "folder")
    (desk.root / "folder").symlink_to(secret)
    (desk.root / "link.txt").symlink_to(secret / "plans.txt")
    assert desk.find("zebra") == []
    assert desk.find("link") == ["link.txt"]
    assert content_of(desk.root, "folder/plans.txt") == (b"", "unreadable")
    assert content_of(desk.root, "link.txt") == (b"", "unreadable")


def test_odd_names_and_contents_are_no_obstacle(desk: Desk) -> None:
    """Names that are no UTF-8 are left out; odd bytes, empty files, quotes and long lines are taken as they are."""
    desk.write({'"quoted" OR.txt': "zebra", "latin.txt": b"z\xe9bra zebra"})
    desk.write({"empty.py": "", "long.js": "x" * 9000, os.fsdecode(b"bad-\xff.txt"): "zebra"})
    assert sorted(desk.find("zebra")) == ['"quoted" OR.txt', "latin.txt"]
    assert desk.find('" quoted OR ( NEAR * ^') == ['"quoted" OR.txt']
    assert desk.find("?!") == []


def test_a_refresh_without_time_left_goes_on_at_the_next_one(desk: Desk) -> None:
    """What was not read in time is known by its name at once, and read by the next refresh."""
    desk.write({f"part_{n:03}.txt": "zebra" if n == 99 else "horse" for n in range(100)})
    first = refresh(desk.index, desk.root, within_s=0.0)
    assert (first.read, first.left, first.files) == (64, 36, 100)
    names = desk.index.use(lambda db: db.execute("SELECT count(*) FROM files").fetchone()[0])
    assert names == 100
    assert refresh(desk.index, desk.root).left == 0
    assert desk.find("zebra") == ["part_099.txt"]


def test_a_workspace_that_is_empty_or_gone(desk: Desk) -> None:
    """No file is no error."""
    assert desk.refresh().files == 0
    shutil.rmtree(desk.root)
    assert desk.find("anything") == []
