"""What a line means by a project: the phrases that switch, those that look for projects, and those that must not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from lao.projects.intent import Nothing, Scan, Switch, wanted
from lao.projects.registry import Registry


@dataclass(frozen=True)
class World:
    """A home with projects in it; ``{home}`` in a line is its folder."""

    home: Path
    registry: Registry

    def of(self, line: str) -> Switch | Scan | Nothing:
        return wanted(line.replace("{home}", str(self.home)), self.registry, self.home / "code" / "blog")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    registry = Registry()
    for name in ("code/foo", "code/my shop", "code/blog", "work/api", "old/api", "code/new thing", "code/unlisted"):
        (home / name).mkdir(parents=True)
        (home / name / "factory.yaml").write_text("")
        if name not in ("code/new thing", "code/unlisted"):
            registry.add(home / name)
    (home / "code" / "foo" / "src").mkdir()
    (home / "code" / "foo" / "src" / "y.py").write_text("")
    (home / "code" / "empty folder").mkdir()
    return World(home, registry)


SWITCHES = [
    ("switch to the foo project", "code/foo"),
    ("Switch to foo", "code/foo"),
    ("switch to foo.", "code/foo"),
    ("please switch to project foo", "code/foo"),
    ("can you switch to the foo project, please?", "code/foo"),
    ("could you please open the foo project", "code/foo"),
    ("let's switch over to foo now", "code/foo"),
    ("let’s work on foo", "code/foo"),
    ("I want to work on the foo project", "code/foo"),
    ("I'd like to work on foo!", "code/foo"),
    ("ok, go back to foo", "code/foo"),
    ("go to foo", "code/foo"),
    ("change to the workspace foo", "code/foo"),
    ("change into project foo", "code/foo"),
    ("jump to FOO", "code/foo"),
    ("move to my foo project", "code/foo"),
    ("open foo", "code/foo"),
    ("open the project called foo", "code/foo"),
    ("open project 'my shop'", "code/my shop"),
    ("switch to my-shop", "code/my shop"),
    ("switch to the my_shop project", "code/my shop"),
    ('open "my shop"', "code/my shop"),
    ("load the blog project", "code/blog"),
    ("use project foo", "code/foo"),
    ("use the foo project", "code/foo"),
    ("use my foo workspace please", "code/foo"),
    ("select project blog", "code/blog"),
    ("start working on foo", "code/foo"),
    ("continue with the foo project", "code/foo"),
    ("work on ~/code/foo", "code/foo"),
    ("work on the project ~/code/foo", "code/foo"),
    ("use ~/code/unlisted", "code/unlisted"),
    ("cd ~/code/foo", "code/foo"),
    ("cd ../foo", "code/foo"),
    ("cd .", "code/blog"),
    ("switch to ~/code/my shop", "code/my shop"),
    ("open '~/code/new thing'", "code/new thing"),
    ("switch to {home}/code/my shop please", "code/my shop"),
    ("{home}/code/foo", "code/foo"),
    ("  {home}/code/foo/  ", "code/foo"),
    ("'{home}/code/foo'", "code/foo"),
    ('"{home}/code/new thing"', "code/new thing"),
    ("{home}/code/new thing", "code/new thing"),
    ("{home}/code/new\\ thing", "code/new thing"),
    ("{home}/code/foo/factory.yaml", "code/foo"),
    ("{home}/code/foo/src", "code/foo"),
    ("~/code/foo", "code/foo"),
    ("`~/code/foo`", "code/foo"),
    ("../foo", "code/foo"),
    ("switch to ~/work/api", "work/api"),
]

SCANS = [
    ("~", "."),
    ("~/code", "code"),
    ("{home}/code", "code"),
    ("{home}/work/", "work"),
    ("'~/code/empty folder'", "code/empty folder"),
    ("~/code/empty folder", "code/empty folder"),
    ("..", "code"),
    ("cd ..", "code"),
    ("open ~/work", "work"),
    ("switch to {home}/old", "old"),
    ("work on the ~/code workspace", "code"),
]

NOTHINGS = [
    "",
    "   ",
    "foo",
    "the foo project",
    "what does the foo project do",
    "what does the foo project do?",
    "why did {home}/code/foo/src/y.py fail",
    "why did ~/code/foo fail?",
    "what is in ~/code/foo",
    "{home}/code/foo/src/y.py",
    "{home}/code/foo what is this",
    "{home}/code/foo and {home}/code/blog",
    "look at ~/code/foo and tell me",
    "use the foo function",
    "use foo",
    "use foo.bar() instead of baz",
    "use ~ for the home folder",
    "open the door",
    "open foo in the editor",
    "open foo.py",
    "open a new project",
    "open the next project",
    "switch to another project",
    "switch to the other project",
    "switch to the main branch",
    "switch to python 3.12",
    "switch to foo and fix the bug",
    "switch from foo to blog",
    "go to the definition of foo",
    "go on",
    "go to line 12",
    "work on the tests",
    "work on task 3 of the foo project",
    "change to tabs",
    "load the project settings",
    "use the project structure as it is",
    "open the project documentation",
    "should I switch to the foo project?",
    "how do I switch to the foo project?",
    "when did we switch to foo",
    "I switched to the foo project",
    "don't switch to the foo project",
    "do not open foo",
    "never work on foo",
    "is foo the current project?",
    "list the projects",
    "create a plan for the foo project",
    "make a plan that switches to foo",
    "retry the failed tasks of foo",
    "explain the failure in foo",
    "rename foo to bar",
    "/help",
    "/status",
    "/tmp",
    "/",
    "/project use foo",
    "/nowhere/at/all",
    "~/nowhere",
    "https://example.org/code/foo",
    "switch to foo\nand run it",
    "switch to foo\x1b[2J",
    "~\0",
    "'" * 3,
    '"',
    "switch to " + "x" * 5000,
    "/" + "x" * 900,
    "open " * 150,
]


@pytest.mark.parametrize(("line", "folder"), SWITCHES)
def test_it_switches(world: World, line: str, folder: str) -> None:
    """L3: intent phrases and bare paths mean a project."""
    found = world.of(line)
    assert isinstance(found, Switch), found
    assert found.path == world.home / folder
    assert found.listed is (found.path.name not in ("new thing", "unlisted"))
    assert found.name == found.path.name


@pytest.mark.parametrize(("line", "folder"), SCANS)
def test_it_offers_to_look(world: World, line: str, folder: str) -> None:
    """L3: a folder without factory.yaml is a place to look for projects."""
    assert world.of(line) == Scan(world.home / folder)


@pytest.mark.parametrize("line", NOTHINGS)
def test_it_stays(world: World, line: str) -> None:
    """L3: questions, other uses of the words and paths inside of sentences change nothing, and nothing is told."""
    assert world.of(line) == Nothing()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("switch to the api project", "2 projects are called 'api'; give the path"),
        ("open api", "2 projects are called 'api'"),
        ("switch to project fo", "no project 'fo' in the list; did you mean 'foo'?"),
        ("open the xyzzy project", "no project 'xyzzy' in the list; 'lao projects list' shows all"),
        ("switch to ~/code/nowhere", "no folder '~/code/nowhere'"),
        ("cd /nowhere/at/all", "no folder '/nowhere/at/all'"),
    ],
)
def test_a_project_that_cannot_be_told_is_said(world: World, line: str, told: str) -> None:
    """L3: who plainly names a project hears why it is not opened, instead of an answer of a model."""
    found = world.of(line)
    assert isinstance(found, Nothing)
    assert told in found.why


def test_there_are_enough_phrases() -> None:
    """L3: at least sixty, both ways."""
    assert len(SWITCHES) + len(SCANS) >= 60
    assert len(NOTHINGS) >= 60
