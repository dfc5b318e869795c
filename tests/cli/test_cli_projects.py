"""``lao projects``: list, scan, add, use, remove, needs-action; in words and as JSON; and what puts itself there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lao.cli.context import Session
from lao.cli.main import main
from lao.cli.place import note_use, session_somewhere
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    for name in ("shop", "blog", "deep/er/api", "other/api"):
        (home / "code" / name).mkdir(parents=True)
        (home / "code" / name / "factory.yaml").write_text("{}\n")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "code")
    return home


def told(capsys: Capture, *argv: str) -> Any:
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_scan_list_use_remove(capsys: Capture, home: Path) -> None:
    """L3: what a scan finds is listed; one becomes the current one; removing touches no folder."""
    assert main(["projects", "scan"]) == 0
    streams = capsys.readouterr()
    assert streams.out.splitlines()[0] == "added  blog  ~/code/blog"
    assert "4 projects in" in streams.err
    assert main(["projects", "scan", "--root", "other"]) == 0
    assert capsys.readouterr().out == "known  api  ~/code/other/api\n"
    listed = told(capsys, "projects", "list")
    assert listed["current"] is None
    assert {p["path"] for p in listed["projects"]} == {
        str(home / "code" / name) for name in ("shop", "blog", "deep/er/api", "other/api")
    }
    assert main(["projects", "use", "shop"]) == 0
    assert "current project: shop  ~/code/shop" in capsys.readouterr().out
    assert main(["projects", "list"]) == 0
    assert capsys.readouterr().out.startswith("* shop  ~/code/shop  used 20")
    assert told(capsys, "projects", "remove", "shop")["removed"][0]["name"] == "shop"
    assert told(capsys, "projects", "list")["current"] is None
    assert (home / "code" / "shop" / "factory.yaml").exists()


def test_scan_is_bounded_and_says_so(capsys: Capture) -> None:
    """L3: a depth leaves out what lies deeper; --json has the figures."""
    found = told(capsys, "projects", "scan", "--depth", "1")
    assert sorted(p["name"] for p in found["projects"]) == ["blog", "shop"]
    assert (found["stopped"], found["unreadable"], found["folders"]) == (None, 0, 5)
    assert main(["projects", "scan", "--root", "nowhere"]) == 42
    assert "is not a folder" in capsys.readouterr().err


def test_add_takes_tags_and_names(capsys: Capture) -> None:
    """L3: a project is added once, by its folder or its factory.yaml; tags choose what is listed."""
    assert told(capsys, "projects", "add", "shop", "--tag", "web", "--name", "The Shop")["new"] is True
    again = told(capsys, "projects", "add", "shop/factory.yaml", "--tag", "night")
    assert (again["new"], again["tags"], again["name"]) == (False, ["web", "night"], "The Shop")
    assert told(capsys, "projects", "add", "blog")["tags"] == []
    assert [p["name"] for p in told(capsys, "projects", "list", "--tag", "web")["projects"]] == ["The Shop"]
    assert main(["projects", "list", "--tag", "none"]) == 0
    assert "no projects with the tag 'none'" in capsys.readouterr().err
    for argv in (["--tag", " "], ["--name", "a\nb"], ["--tag", "x" * 101]):
        assert main(["projects", "add", "blog", *argv]) == 42
    assert "is no name or tag" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["add", "nowhere"], 42, "is not a folder"),
        (["add", "deep"], 42, "lao projects scan --root"),
        (["add", "/"], 42, "lao projects scan --root /"),
        (["use", "api"], 42, "2 projects are called 'api'"),
        (["use", "shp"], 42, "did you mean 'shop'?"),
        (["use", "./deep"], 42, "'lao projects add ./deep' adds it"),
        (["remove", "nope"], 42, "no project 'nope' in the list"),
        (["remove"], 2, "Name a project, or give --gone"),
        (["remove", "shop", "--gone"], 2, "Name a project, or give --gone"),
        (["lst"], 2, "No such command 'lst'"),
    ],
)
def test_bad_input_is_told(capsys: Capture, argv: list[str], code: int, said: str) -> None:
    """L3: exit code 42, or 2 for wrong usage, with the candidates or the nearest name."""
    assert main(["projects", "scan"]) == 0
    capsys.readouterr()
    assert main(["projects", *argv]) == code
    assert said in capsys.readouterr().err


def test_use_takes_a_folder_that_is_not_listed(capsys: Capture, home: Path) -> None:
    """L3: a path of a project is enough; it is listed from then on."""
    assert told(capsys, "projects", "use", "~/code/deep/er/api")["path"] == str(home / "code/deep/er/api")
    assert told(capsys, "projects", "list")["current"] == str(home / "code/deep/er/api")


def test_what_is_gone_is_marked_and_removed(capsys: Capture, home: Path) -> None:
    """L3: a project whose folder was deleted is shown as such until --gone takes it off."""
    assert main(["projects", "scan"]) == 0
    (home / "code/shop/factory.yaml").unlink()
    (home / "code/shop").rmdir()
    capsys.readouterr()
    assert main(["projects", "list"]) == 0
    assert "shop  ~/code/shop  (its folder is gone)" in capsys.readouterr().out
    assert [p["name"] for p in told(capsys, "projects", "needs-action")] == ["shop"]
    assert [p["name"] for p in told(capsys, "projects", "remove", "--gone")["removed"]] == ["shop"]
    assert told(capsys, "projects", "remove", "--gone") == {"removed": []}


def test_needs_action_shows_the_damaged_beside_the_good(capsys: Capture, home: Path) -> None:
    """L3: a damaged state is a row with what to do; --all shows those that need nothing."""
    assert main(["projects", "scan"]) == 0
    (home / "code/shop/.lao").mkdir()
    (home / "code/shop/.lao/state.db").write_bytes(b"garbage" * 999)
    (home / "code/blog/factory.yaml").write_text("gti: {}\n")
    capsys.readouterr()
    rows = {p["name"]: p["needs"] for p in told(capsys, "projects", "needs-action")}
    assert [need["kind"] for need in rows["shop"]] == ["state"]
    assert [need["kind"] for need in rows["blog"]] == ["config"]
    assert set(rows) == {"shop", "blog"}
    assert len(told(capsys, "projects", "needs-action", "--all")) == 4
    assert main(["projects", "needs-action"]) == 0
    assert "-> lao doctor" in capsys.readouterr().out


def test_init_lists_the_project_and_says_nothing_of_it(capsys: Capture, home: Path) -> None:
    """L3: `lao init` puts the project into the list."""
    (home / "new").mkdir()
    os.chdir(home / "new")
    assert main(["init", "--no-interactive"]) == 0
    assert "project" not in capsys.readouterr().err
    (listed,) = told(capsys, "projects", "list")["projects"]
    assert (listed["path"], listed["last_used_at"] > 0) == (str(home / "new"), True)


def test_submit_lists_the_project_and_needs_no_list(capsys: Capture, home: Path) -> None:
    """L3: `lao submit` does, too; where the list cannot be written the plan is queued all the same, with a note."""
    work = "Write `one.py` with a function `one()` that returns 1, for those who need a number to begin with."
    (home / "code/shop/x.md").write_text(f"# Plan\n\n{work}\n\nCheck: `python3 -c 'import one'`\n")
    os.chdir(home / "code/shop")
    assert main(["submit", "x.md"]) == 0
    assert capsys.readouterr().err == ""
    assert [p["name"] for p in told(capsys, "projects", "list")["projects"]] == ["shop"]
    (home / ".lao" / "projects.json").unlink()
    (home / ".lao" / "projects.json").mkdir()
    (home / "code/shop/y.md").write_text("# Plan\n\n- another thing\n")
    assert main(["submit", "y.md", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["created"] is True
    assert "lao: note: this project is not in 'lao projects list'" in streams.err


def test_temporary_projects_are_left_out(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: what lies in the system's folder for temporary files is not noted; `add` takes it all the same."""
    monkeypatch.chdir(tmp_path / "tmp")
    assert main(["init", "--no-interactive"]) == 0
    capsys.readouterr()
    assert told(capsys, "projects", "list")["projects"] == []
    assert told(capsys, "projects", "add", ".")["new"] is True


def test_a_damaged_list_is_named_once(capsys: Capture, home: Path) -> None:
    """L3: the list is begun anew, and the message says where the old one is."""
    assert main(["projects", "add", "shop"]) == 0
    (home / ".lao" / "projects.json").write_text("{")
    capsys.readouterr()
    assert main(["projects", "list"]) == 0
    assert "projects.json.damaged-" in capsys.readouterr().err
    assert main(["projects", "list"]) == 0
    assert "damaged" not in capsys.readouterr().err


def test_a_user_without_a_home_gets_no_folder(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """L3: where the system knows no home, nothing is written anywhere and nothing is said."""
    monkeypatch.setenv("HOME", "relative")
    note_use(home / "code" / "shop")
    assert capsys.readouterr().err == ""
    assert not Path("relative").exists()
    assert main(["projects", "list"]) == 42
    assert "no home folder" in capsys.readouterr().err


def test_names_cannot_move_the_cursor(capsys: Capture, home: Path) -> None:
    """L3: a folder's name is shown without its control characters; --json has it in full."""
    folder = home / "code" / "a\x1b[2Jb\n"
    folder.mkdir()
    (folder / "factory.yaml").write_text("{}\n")
    assert main(["projects", "add", str(folder)]) == 0
    assert main(["projects", "list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a\\x1b[2Jb\\n" in out
    assert told(capsys, "projects", "list")["projects"][0]["name"] == folder.name


@pytest.mark.parametrize("command", ["run", "init --no-interactive"])
def test_the_root_is_refused(capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A5: `lao run` and `lao init` refuse the root of the file system, as 3.1 did."""
    monkeypatch.chdir("/")
    assert main(command.split()) == 42
    assert "'/' is the root of the file system" in capsys.readouterr().err
    assert not Path("/.lao").exists()


def test_the_home_folder_is_warned_of(capsys: Capture, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5: in the home folder `lao run` says that another place is better, and goes on."""
    monkeypatch.chdir(home)
    assert main(["run", "--single-run", "--lm-studio-url", "http://127.0.0.1:9"]) == 1
    assert "is your home folder" in capsys.readouterr().err


def test_the_current_project_is_where_no_project_is(capsys: Capture, home: Path) -> None:
    """L3: a command that is a place to be in opens the project here, else the current one with its own settings."""
    outside = home / "code" / "deep"
    env = {"DB_PATH": str(home / "x.db")}
    nowhere = Session(cwd=outside, env=env, flags={"seed": 3})
    assert session_somewhere(nowhere) is nowhere
    assert main(["projects", "use", "shop"]) == 0
    capsys.readouterr()
    opened = session_somewhere(nowhere)
    assert opened.settings().paths.root == home / "code" / "shop"
    assert opened.settings().paths.database == home / "code" / "shop" / ".lao" / "state.db"
    assert opened.flags == {}
    assert "in the current one, shop (~/code/shop)" in capsys.readouterr().err
    here = Session(cwd=home / "code" / "blog", env=env)
    assert session_somewhere(here) is here
    named = Session(cwd=outside, env={}, flags={"config": str(home / "code" / "blog" / "factory.yaml")})
    assert session_somewhere(named) is named
    (home / "code/shop/factory.yaml").unlink()
    (home / "code/shop").rmdir()
    assert session_somewhere(nowhere) is nowhere
