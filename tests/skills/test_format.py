"""Skills in the Agent Skills format and in LAO 3.1's: what loads, what is refused and in which words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lao.llm.tokens import estimate
from lao.skills.catalogue import bundled_folder, files_of, folders, load_catalogue, read_file
from lao.skills.format import BYTES_LIMIT, BadSkill, Source, read_skill

SAMPLES = Path(__file__).parent / "samples"
BUNDLED = ("refactor-safe", "repro-bug", "security-audit", "simplify", "stuck", "verify", "write-tests")


def write(folder: Path, text: str, name: str = "x") -> Path:
    file = folder / name / "SKILL.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.skipif(sys.version_info < (3, 11), reason="skills-ref needs Python 3.11")
@pytest.mark.parametrize(
    "folder", [*sorted(bundled_folder().iterdir()), *sorted(SAMPLES.iterdir())], ids=lambda p: p.name
)
def test_the_reference_validator_agrees(folder: Path) -> None:
    """H1: what the Agent Skills reference validator accepts loads with the same name, description and rules."""
    import skills_ref

    assert skills_ref.validate(folder) == []
    theirs = skills_ref.read_properties(folder)
    file = next(f for f in folder.iterdir() if f.name.lower() == "skill.md")
    ours = read_skill(file, Source.PROJECT)
    assert (ours.name, ours.license) == (theirs.name, theirs.license or "")
    assert ours.description == " ".join(theirs.description.split())
    assert " ".join(ours.allowed_tools) == (theirs.allowed_tools or "")
    assert ours.metadata == (theirs.metadata or {})
    assert ours.notes == ()


def test_ten_skills_written_by_others_load() -> None:
    """H1: ten samples of the specification's forms load without a problem."""
    found = load_catalogue([(Source.PROJECT, SAMPLES)])
    assert found.problems == ()
    assert len(found.skills) == 10
    assert found.skills["k8s-debug"].allowed_tools[2] == "Bash(kubectl logs *)"
    assert found.skills["data-analysis-2"].body.endswith("A rule in the body is no front matter.")


def test_the_bundled_seven_are_short(tmp_path: Path) -> None:
    """H1: the seven are there without any folder of the user, each under 1,000 tokens with a place to stop."""
    found = load_catalogue(folders(tmp_path, home=tmp_path)).skills
    assert tuple(found) == BUNDLED
    for skill in found.values():
        assert estimate(skill.body) < 1_000
        assert "Stop when" in skill.body
        assert skill.allowed_tools == ()


def test_the_single_files_of_lao_31_load(tmp_path: Path) -> None:
    """H1: name.md with name, description, tools and examples; a name with underscores is found by both spellings."""
    folder = tmp_path / ".lao" / "skills"
    folder.mkdir(parents=True)
    (folder / "db_migrate.md").write_text(
        "---\nname: db_migrate\ndescription: Change a schema.\ntools: [file_read, shell_exec]\n"
        "examples:\n  - add a column\n---\nBack up first.\n"
    )
    found = load_catalogue(folders(tmp_path, home=tmp_path / "home"))
    skill = found.get("db-migrate")
    assert skill is found.get("db_migrate")
    assert found.get("write_tests").name == "write-tests"
    assert skill.allowed_tools == ("file_read", "shell_exec")
    assert skill.body == "Back up first.\n\n## Examples\n- add a column"
    assert skill.folder is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("no front matter\n", 1, "no front matter"),
        ("---\nname: x\ndescription: d\n", 1, "has no end"),
        ("---\nname: x\ndescription: [a\n---\nb\n", 3, "not valid YAML"),
        ("---\n- x\n---\nb\n", 2, "no 'key: value' lines"),
        ("---\ndescription: d\n---\nb\n", 1, "name is missing"),
        ("---\nname: x\n---\nb\n", 1, "description is missing"),
        ("---\nname: x\ndescription: ''\n---\nb\n", 3, "description is missing"),
        ("---\ndescription: d\nname: X\n---\nb\n", 3, "lower case"),
        ("---\nname: x-\ndescription: d\n---\nb\n", 2, "begin or end with a hyphen"),
        ("---\nname: a--b\ndescription: d\n---\nb\n", 2, "two in a row"),
        ("---\nname: a_b\ndescription: d\n---\nb\n", 2, "letters, digits and hyphens"),
        ("---\nname: y\ndescription: d\n---\nb\n", 2, "not that of its folder 'x'"),
        (f"---\nname: {'x' * 65}\ndescription: d\n---\nb\n", 2, "more than 64"),
        (f"---\nname: x\ndescription: {'d' * 1025}\n---\nb\n", 3, "more than 1024"),
        (f"---\nname: x\ndescription: d\ncompatibility: {'c' * 501}\n---\nb\n", 4, "more than 500"),
        ("---\nname: x\ndescription: d\nmetadata: [a]\n---\nb\n", 4, "not a map"),
        ("---\nname: x\ndescription: d\nallowed-tools: {a: b}\n---\nb\n", 4, "not words"),
        ("---\nname: x\ndescription: d\n---\n", 4, "no instructions"),
        ("---\nname: x\ndescription: d\n---\nb\0b\n", 5, "binary"),
        ("---\nname: {a: {b: c}}\ndescription: d\n---\nb\n", 2, "must be a word"),
        ("---\nname: x\ndescription: *d\n---\nb\n", 3, "not valid YAML"),
        ("---\nname: x\ndescription: d\nq: " + "[" * 5000 + "\n---\nb\n", 2, "cannot be read"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    """H1: file, line, what is wrong and what to do."""
    file = write(tmp_path, text)
    with pytest.raises(BadSkill) as caught:
        read_skill(file, Source.PROJECT)
    assert says in caught.value.message
    assert caught.value.line == line
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_huge_binary_and_odd_files_are_problems_and_not_errors(tmp_path: Path) -> None:
    """H1: a skill that cannot be read is left out; the others are there."""
    write(tmp_path, "---\nname: good\ndescription: d\n---\nb\n", "good")
    write(tmp_path, "x" * (BYTES_LIMIT + 1), "huge")
    write(tmp_path, "", "latin").write_bytes(b"---\nname: latin\ndescription: \xe9\n---\nb\n")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "SKILL.md")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "SKILL.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "notes.txt").write_text("no skill")
    found = load_catalogue([(Source.PROJECT, tmp_path)])
    assert list(found.skills) == ["good"]
    told = {p.file.parent.name: p.what for p in found.problems}
    assert set(told) == {"huge", "latin", "pipe", "gone"}
    assert "UTF-8" in told["latin"]
    assert "not a regular file" in told["pipe"]


def test_common_slips_are_read_and_noted(tmp_path: Path) -> None:
    """H1: an unquoted colon, fields of other tools and a list of tools load, with a note."""
    file = write(
        tmp_path,
        "---\nname: x\ndescription: Use when: a b\nuser-invocable: true\n"
        "allowed-tools: [Read, 'Bash(git:*)']\n---\nb\n",
    )
    skill = read_skill(file, Source.PROJECT)
    assert skill.description == "Use when: a b"
    assert skill.allowed_tools == ("Read", "Bash(git:*)")
    assert len(skill.notes) == 2
    commas = read_skill(
        write(tmp_path, "---\nname: y\ndescription: d\nallowed-tools: Read, Grep\n---\nb\n", "y"), Source.USER
    )
    assert commas.allowed_tools == ("Read", "Grep")


def skill_text(name: str, said: str) -> str:
    return f"---\nname: {name}\ndescription: {said}\n---\n{said}\n"


def test_the_nearer_skill_wins_and_the_workspace_never(tmp_path: Path) -> None:
    """H1 G5: bundled < user < skills.dirs < project; what a model wrote into the workspace replaces nothing."""
    root, home, work = tmp_path / "p", tmp_path / "h", tmp_path / "p" / "plan"
    write(home / ".agents/skills", skill_text("verify", "user"), "verify")
    write(work / ".claude/skills", skill_text("verify", "model"), "verify")
    write(work / ".agents/skills", skill_text("mine", "model"), "mine")
    (work / ".agents/skills/linked").symlink_to(home / ".agents/skills/verify")
    places = folders(root, home=home, dirs=["more"], workspace=work)
    assert load_catalogue(places).get("verify").body == "user"
    write(root / "more", skill_text("verify", "setting"), "verify")
    assert load_catalogue(places).get("verify").body == "setting"
    write(root / ".lao/skills", skill_text("verify", "project"), "verify")
    found = load_catalogue(places)
    assert found.get("verify").body == "project"
    assert [s.body for s in found.shadowed if s.source is not Source.BUNDLED] == ["model", "user", "setting"]
    assert found.get("mine").source is Source.WORKSPACE
    assert found.get("mine").folder is None


def test_files_of_a_skill_are_read_below_its_folder_only(tmp_path: Path) -> None:
    """H1: files on demand; links out of the folder, .. and absolute paths show nothing."""
    write(tmp_path, skill_text("x", "d"))
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "x" / "references").mkdir()
    (tmp_path / "x" / "references" / "api.md").write_text("the api")
    (tmp_path / "x" / "out.md").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "x" / "blob").write_bytes(b"a\0b")
    (tmp_path / "x" / "again").symlink_to(tmp_path / "x")
    skill = read_skill(tmp_path / "x" / "SKILL.md", Source.PROJECT)
    assert files_of(skill) == ("blob", "references/api.md")
    assert read_file(skill, "references/api.md") == "the api"
    for path in (
        "../secret.txt",
        "out.md",
        str(tmp_path / "secret.txt"),
        "",
        ".",
        "references",
        "no.md",
        "a\0b",
        "blob",
    ):
        with pytest.raises(Exception, match=r"skill 'x'") as caught:
            read_file(skill, path)
        assert "secret\n" not in str(caught.value)
