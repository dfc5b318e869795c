"""AGENTS.md files: which hold for a file, in which order, and that nothing outside is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.agents.guidance import memory_budget, memory_section, skills_section
from lao.llm.tokens import estimate
from lao.memory.files import BYTES_LIMIT, IMPORT_DEPTH, Note, guidance
from lao.skills.catalogue import folders, load_catalogue


class Tree:
    """A project with a plan's folder, a desk and a home."""

    def __init__(self, base: Path) -> None:
        self.root, self.home, self.desk = base / "project", base / "home", base / "desk"
        self.work = self.root / "plans" / "shop"
        for folder in (self.work, self.home, self.desk):
            folder.mkdir(parents=True)

    def write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def found(self, *paths: str) -> list[tuple[str, str]]:
        return [(n.label, n.text) for n in self.notes(*paths).notes]

    def notes(self, *paths: str):  # type: ignore[no-untyped-def]
        return guidance(self.root, self.work, place=self.desk, paths=paths, home=self.home)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_from_the_user_down_to_the_files_folder(tree: Tree) -> None:
    """H2 C9: user, project, folders between, workspace (at the desk), folders of the task's files; deeper is later."""
    tree.write(tree.home / ".codex/AGENTS.md", "codex")
    tree.write(tree.home / ".claude/CLAUDE.md", "not looked at")
    tree.write(tree.root / "AGENTS.md", "root")
    tree.write(tree.root / "CLAUDE.md", "not looked at")
    tree.write(tree.root / "plans/CLAUDE.md", "between")
    tree.write(tree.work / "AGENTS.md", "not looked at: the desk has its own")
    tree.write(tree.desk / "AGENTS.md", "work")
    tree.write(tree.desk / "src/AGENTS.md", "src")
    tree.write(tree.desk / "src/deep/AGENTS.md", "not looked at")
    tree.write(tree.desk / "src/deep/AGENTS.override.md", "deep")
    tree.write(tree.desk / "other/AGENTS.md", "not looked at")
    assert tree.found("src/deep/a.py", "../evil/b.py", "/etc/c.py") == [
        ("~/.codex/AGENTS.md", "codex"),
        ("AGENTS.md", "root"),
        ("plans/CLAUDE.md", "between"),
        ("shop/AGENTS.md", "work"),
        ("shop/src/AGENTS.md", "src"),
        ("shop/src/deep/AGENTS.override.md", "deep"),
    ]


def test_imports_stay_inside(tree: Tree) -> None:
    """H2: @file lines are followed inside the folder, not in code, not in a circle, not outside."""
    tree.write(tree.root / "secret.md", "SECRET")
    tree.write(tree.desk / "docs/style.md", "Use tabs.\n@more.md\n")
    tree.write(tree.desk / "docs/more.md", "More.\n@../AGENTS.md\n")
    (tree.desk / "out.md").symlink_to(tree.root / "secret.md")
    text = "Begin\n@docs/style.md\n- @out.md\n@../project/secret.md\n@~/x.md\n@pytest.fixture\n"
    text += "```\n@docs/style.md\n```\nEnd"
    tree.write(tree.desk / "AGENTS.md", text)
    found = tree.notes()
    (note,) = found.notes
    assert note.text.startswith("Begin\nUse tabs.\nMore.\n@../AGENTS.md\n- @out.md\n")
    assert note.text.endswith("@pytest.fixture\n```\n@docs/style.md\n```\nEnd")
    assert "SECRET" not in note.text
    assert sorted(p.rpartition(": ")[2] for p in found.problems) == [
        "it imports itself", "it is a link that leads outside", "it is a link that leads outside",
    ]  # fmt: skip


def test_imports_have_an_end(tree: Tree) -> None:
    """H2: a long chain and a file that imports much end at their bounds."""
    for n in range(9):
        tree.write(tree.desk / f"{n}.md", f"level {n}\n@{n + 1}.md\n")
    tree.write(tree.desk / "AGENTS.md", "@0.md\n")
    (note,) = tree.notes().notes
    assert f"level {IMPORT_DEPTH - 1}" in note.text
    assert f"level {IMPORT_DEPTH + 1}" not in note.text
    tree.write(tree.desk / "big.md", "x" * (BYTES_LIMIT - 100))
    tree.write(tree.desk / "AGENTS.md", "@big.md\n@big.md\n@big.md\n")
    found = tree.notes()
    assert len(found.notes[0].text) < BYTES_LIMIT
    assert len(found.problems) == 2


@pytest.mark.parametrize("kind", ["outside", "loop", "binary", "huge", "latin", "folder", "gone"])
def test_what_cannot_be_used_is_named(tree: Tree, kind: str) -> None:
    """H2: a link made by a model to a file outside shows nothing; all else that is no text is named and left out."""
    file = tree.desk / "AGENTS.md"
    tree.write(tree.home / "secret", "SECRET")
    if kind == "outside":
        file.symlink_to(tree.home / "secret")
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "gone":
        file.symlink_to(tree.desk / "nothing")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes({"binary": b"a\0b", "huge": b"x" * (BYTES_LIMIT + 1), "latin": b"\xe9"}[kind])
    tree.write(tree.root / "AGENTS.md", "root")
    found = tree.notes()
    assert [n.text for n in found.notes] == ["root"]
    (problem,) = found.problems
    assert problem.startswith("shop/AGENTS.md is not used: ")


NOTES = [
    Note("~/.lao/AGENTS.md", "user " * 100, 0),
    Note("AGENTS.md", "root " * 100, 1),
    Note("a/AGENTS.md", "deep " * 100, 3),
]
FACTS = [f"Wrote shop/part_{n}.py: part_{n}(x)" for n in range(40)]


def test_the_nearest_is_kept_and_what_was_cut_is_said() -> None:
    """H2: within the cap; deeper notes and the latest facts first; the prompt says what is missing."""
    full = memory_section(NOTES, FACTS[:3], 2000)
    assert full.cut == ()
    assert [
        full.text.index(label) for label in ("~/.lao/AGENTS.md", "## AGENTS.md", "## a/AGENTS.md", "## Facts")
    ] == sorted(full.text.index(label) for label in ("~/.lao/AGENTS.md", "## AGENTS.md", "## a/AGENTS.md", "## Facts"))
    small = memory_section(NOTES, FACTS, 400)
    assert estimate(small.text) <= 400
    assert "## a/AGENTS.md" in small.text
    assert "user user" not in small.text
    assert FACTS[0] in small.text
    assert FACTS[-1] not in small.text
    assert "Left out for lack of room" in small.text
    assert any(c.endswith("of 40 facts") for c in small.cut)
    assert any(c.startswith("~/.lao/AGENTS.md") for c in small.cut)
    for limit in range(0, 600, 37):
        assert estimate(memory_section(NOTES, FACTS, limit).text) <= limit


def test_small_contexts_get_less() -> None:
    """H2: a sixteenth of the context at most, nothing where that would be too little to say anything."""
    assert memory_budget(2000, 131072) == 2000
    assert memory_budget(2000, 8192) == 512
    assert memory_section(NOTES, FACTS, memory_budget(2000, 512)).text == ""
    assert memory_section([], [], 2000).text == ""


def test_the_skills_of_a_prompt_stay_within_their_tokens(tmp_path: Path) -> None:
    """H1: all seven take under 300 tokens; with less room descriptions get shorter, then names are left out."""
    found = load_catalogue(folders(tmp_path, home=tmp_path))
    full = skills_section(found, 600)
    assert full.cut == ()
    assert estimate(full.text) < 300
    for limit in range(0, 300, 23):
        shown = skills_section(found, limit)
        assert estimate(shown.text) <= limit + 10
        assert len(shown.cut) + shown.text.count("\n- ") == 7
    assert skills_section(found, 0).text == ""
