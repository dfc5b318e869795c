"""The list of projects: kept whole, shared by many writers, begun anew when it is damaged, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput, Refused
from lao.durable.owners import FileLock
from lao.projects import registry as module
from lao.projects.registry import Registry, is_project, place

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".lao" / "projects.json"


def opened(file: Path, clock: FakeClock | None = None, said: list[str] | None = None) -> Registry:
    return Registry(file, clock=clock or FakeClock(), report=(said if said is not None else []).append)


def test_what_is_added_is_there_for_the_next_process(tmp_path: Path, file: Path) -> None:
    """L3: name, tags and times come back, and a second add only adds tags."""
    clock = FakeClock()
    project, new = opened(file, clock).add(tmp_path / "shop", tags=["web", "web"])
    assert new
    again, new = opened(file, clock).add(tmp_path / "shop" / ".." / "shop", tags=["night"])
    assert (again.tags, new) == (("web", "night"), False)
    assert again.added_at == project.added_at == round(clock.now(), 3)
    assert opened(file).projects() == (again,)
    document = json.loads(file.read_text())
    assert (document["version"], document["current"]) == (1, None)
    assert document["projects"] == [
        {
            "path": str(tmp_path / "shop"),
            "name": "shop",
            "tags": ["web", "night"],
            "added_at": project.added_at,
            "last_used_at": 0.0,
        }
    ]


def test_looking_makes_no_file(file: Path) -> None:
    """L3: an empty list is no file, and reading does not make one."""
    assert opened(file).projects() == ()
    assert opened(file).current() is None
    assert not file.parent.exists()


def test_the_order_is_by_use_and_use_is_written_once_a_minute(tmp_path: Path, file: Path) -> None:
    """L3: the one used last is first; using it again at once writes nothing."""
    clock = FakeClock()
    registry = opened(file, clock)
    for name in ("a", "b", "c"):
        clock.wait(10)
        registry.used(tmp_path / name)
    assert [p.name for p in registry.projects()] == ["c", "b", "a"]
    clock.wait(module.FRESH_S + 1)
    registry.used(tmp_path / "a")
    written = file.stat().st_mtime_ns, file.stat().st_ino
    clock.wait(module.FRESH_S / 2)
    registry.used(tmp_path / "a")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written
    assert [p.name for p in registry.projects()] == ["a", "c", "b"]


def test_use_chooses_and_remove_forgets(tmp_path: Path, file: Path) -> None:
    """L3: one project is the current one, until it is removed; its folder stays."""
    (tmp_path / "a").mkdir()
    registry = opened(file)
    registry.used(tmp_path / "a", choose=True)
    registry.add(tmp_path / "b")
    current = registry.current()
    assert current is not None
    assert current.path == tmp_path / "a"
    assert registry.remove(current)
    assert not registry.remove(current)
    assert registry.current() is None
    assert [p.name for p in registry.projects()] == ["b"]
    assert (tmp_path / "a").is_dir()


def test_names_and_paths_are_found_and_doubts_are_told(tmp_path: Path, file: Path) -> None:
    """L3: a name in any case, or a path; two of one name list both, an unknown one names the nearest."""
    registry = opened(file)
    for path in ("x/shop", "y/shop", "x/Blog"):
        registry.add(tmp_path / path)
    assert registry.find("blog", tmp_path).name == "Blog"
    assert registry.find("y/shop", tmp_path).path == tmp_path / "y" / "shop"
    assert registry.find(str(tmp_path / "x/shop"), Path("/")).path == tmp_path / "x" / "shop"
    with pytest.raises(BadInput) as two:
        registry.find("shop", tmp_path)
    assert str(tmp_path / "x/shop") in two.value.message
    assert str(tmp_path / "y/shop") in two.value.message
    with pytest.raises(BadInput, match="blok") as unknown:
        registry.find("blok", tmp_path)
    assert unknown.value.hint == "did you mean 'Blog'?"
    (tmp_path / "new").mkdir()
    with pytest.raises(BadInput) as folder:
        registry.find("./new", tmp_path)
    assert "lao projects add ./new" in folder.value.hint
    with pytest.raises(BadInput):
        registry.find("a\0b", tmp_path)


def test_an_exact_name_wins_over_another_case(tmp_path: Path, file: Path) -> None:
    """L3: "Shop" beside "shop" is no doubt."""
    registry = opened(file)
    registry.add(tmp_path / "x" / "shop")
    registry.add(tmp_path / "y" / "Shop")
    assert registry.find("Shop", tmp_path).path == tmp_path / "y" / "Shop"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"projects": 3}', b"[" * 100_000, b'{"version": 1}', b"0" * 5_000_000],
    ids=["empty", "torn", "bytes", "list", "number", "deep", "nothing", "huge"],
)
def test_a_damaged_list_is_set_aside_and_begun_anew(tmp_path: Path, file: Path, damage: bytes) -> None:
    """L3: its bytes are kept under a name that the message tells; the next look says nothing any more."""
    file.parent.mkdir(parents=True)
    file.write_bytes(damage)
    said: list[str] = []
    registry = opened(file, said=said)
    assert registry.projects() == ()
    assert len(said) == 1
    (aside,) = file.parent.glob("projects.json.damaged-*")
    assert aside.read_bytes() == damage
    assert aside.name in said[0]
    assert str(file) in said[0]
    registry.add(tmp_path / "a")
    assert [p.name for p in registry.projects()] == ["a"]
    assert len(said) == 1


def test_good_entries_of_a_damaged_list_are_kept(tmp_path: Path, file: Path) -> None:
    """L3: one bad entry does not take the others with it; the second damage has a file of its own."""
    said: list[str] = []
    registry = opened(file, said=said)
    bad = [3, {}, {"path": "rel", "name": "x"}, {"path": "/a\0", "name": "x"}, {"path": "/a", "name": 1},
           {"path": "/a", "name": "x", "tags": [1]}]  # fmt: skip
    for number, item in enumerate(bad, 1):
        registry.add(tmp_path / "good", tags=["t"])
        document = json.loads(file.read_text())
        document["projects"].append(item)
        file.write_text(json.dumps(document))
        assert [(p.name, p.tags) for p in registry.projects()] == [("good", ("t",))], item
        assert "1 of 2 entries" in said[-1]
        assert len(list(file.parent.glob("projects.json.damaged-*"))) == number == len(said)
    assert [p.name for p in opened(file).projects()] == ["good"]


@pytest.mark.parametrize("at", [float("nan"), -1, 1e300, "soon", None, True])
def test_times_that_are_none_count_as_never(tmp_path: Path, file: Path, at: object) -> None:
    """L3: a time that nobody can print does not make an entry unusable."""
    file.parent.mkdir(parents=True)
    entry = {"path": str(tmp_path), "name": "x", "last_used_at": at, "added_at": 5}
    file.write_text(json.dumps({"version": 1, "projects": [entry]}))
    (project,) = opened(file).projects()
    assert project.last_used_at in (0.0, 1.0)


def test_a_newer_list_is_not_touched(tmp_path: Path, file: Path) -> None:
    """L3: what a newer LAO has written is refused, and stays."""
    file.parent.mkdir(parents=True)
    text = json.dumps({"version": 2, "projects": [], "more": 1})
    file.write_text(text)
    with pytest.raises(Refused, match="newer LAO"):
        opened(file).add(tmp_path)
    with pytest.raises(Refused):
        opened(file).projects()
    assert file.read_text() == text
    assert not list(file.parent.glob("*.damaged-*"))


def test_a_held_lock_refuses_with_its_holder(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: somebody who keeps the list is waited for, within bounds, and named."""
    monkeypatch.setattr(module, "LOCK_S", 0.05)
    file.parent.mkdir(parents=True)
    with FileLock(file.with_name("projects.lock")), pytest.raises(Refused, match=f"process {os.getpid()}"):
        opened(file).add(tmp_path)
    assert not file.exists()


WRITER = """
import sys
from pathlib import Path
from lao.projects.registry import Registry
registry = Registry(Path(sys.argv[1]), report=lambda text: sys.exit(text))
print("ready", flush=True)
sys.stdin.readline()
for number in range(12):
    registry.add(Path(f"/projects/{sys.argv[2]}-{number}"), tags=[sys.argv[2]])
"""


def test_writers_at_once_lose_nothing(file: Path) -> None:
    """L3: four processes add twelve projects each, and all of them are in the list."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "abcd"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0] * 4
    registry = opened(file)
    assert len(registry.projects()) == 48
    assert {len(registry.projects(tag)) for tag in "abcd"} == {12}


def test_a_linked_list_stays_linked(tmp_path: Path, file: Path) -> None:
    """L3: a list that is kept elsewhere by a link is changed there."""
    file.parent.mkdir(parents=True)
    (tmp_path / "dotfiles").mkdir()
    file.symlink_to(tmp_path / "dotfiles" / "p.json")
    opened(file).add(tmp_path / "a")
    assert file.is_symlink()
    assert [p.name for p in Registry(tmp_path / "dotfiles" / "p.json").projects()] == ["a"]


def test_names_that_are_no_utf8_come_back(tmp_path: Path, file: Path) -> None:
    """L3: a folder's name may be any bytes."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    opened(file).add(folder)
    assert opened(file).projects()[0].path == folder


def test_a_place_that_cannot_hold_a_list_is_told(tmp_path: Path) -> None:
    """L3: a folder in the way, a file in the place of the folder, no home: a message with what to do."""
    (tmp_path / "projects.json").mkdir()
    with pytest.raises(BadInput, match="not a regular file"):
        opened(tmp_path / "projects.json").projects()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        opened(tmp_path / "file" / "projects.json").add(tmp_path)
    with pytest.raises(BadInput, match="no home"):
        opened(Path("~/.lao/projects.json")).projects()


def test_the_list_is_bounded(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: a full list takes no more, and still lets an entry be changed."""
    monkeypatch.setattr(module, "PROJECTS_LIMIT", 2)
    registry = opened(file)
    registry.add(tmp_path / "a")
    registry.add(tmp_path / "b")
    with pytest.raises(BadInput, match="full"):
        registry.add(tmp_path / "c")
    assert registry.add(tmp_path / "b", tags=["x"])[0].tags == ("x",)


def test_what_a_project_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: factory.yaml or .lao/ make one, the user's own ~/.lao does not, a factory.yaml in the home folder does."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, inner in (("a", "factory.yaml"), ("b", ".lao/"), ("c", "plans/"), (".", ".lao/")):
        made = tmp_path / name / inner
        (made if inner.endswith("/") else made.parent).mkdir(parents=True)
        if not inner.endswith("/"):
            made.write_text("")
    found = [is_project(tmp_path / name) for name in ("a", "b", "c", "nowhere")]
    assert found == [True, True, False, False]
    assert not is_project(tmp_path)
    (tmp_path / "factory.yaml").write_text("")
    assert is_project(tmp_path)


def test_where_a_reference_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: ~ is the home folder, relative paths count from the current one."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert place("~/x", Path("/")) == tmp_path / "home" / "x"
    assert place("~", Path("/")) == tmp_path / "home"
    assert place("../x", tmp_path / "y") == tmp_path / "x"
    assert place("", tmp_path) is None
