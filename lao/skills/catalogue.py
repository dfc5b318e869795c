"""Which skills there are: the folders in their order, one skill a name, and what is left out with its reason.

Folders, the weakest first: the plan's workspace (a model may have written what lies there: it replaces no other skill
and none of its files is read), bundled, user, ``skills.dirs``, project.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.folders import user_home
from lao.skills.format import BadSkill, Skill, Source, folded, read_skill

USER_FOLDERS: Final = (".agents/skills", ".claude/skills", ".config/agents/skills", ".lao/skills")
PROJECT_FOLDERS: Final = (".claude/skills", ".agents/skills", ".lao/skills")
WORKSPACE_FOLDERS: Final = (".claude/skills", ".agents/skills")
ENTRIES_LIMIT: Final = 300
"""Entries of one folder that are looked at."""

_FILES_SHOWN: Final = 40
_FILE_BYTES: Final = 400_000


@dataclass(frozen=True)
class Catalogue:
    """Skills by their looked-up name, in alphabetical order; and what was left out.

    Attributes:
        problems: malformed skills.
        shadowed: skills for which another one of the same name stands.
    """

    skills: Mapping[str, Skill] = field(default_factory=dict)
    problems: tuple[BadSkill, ...] = ()
    shadowed: tuple[Skill, ...] = ()

    def get(self, name: str) -> Skill:
        """The skill of this name, however it writes its hyphens.

        Raises:
            BadInput: there is none; the message names those that there are.
        """
        import difflib

        found = self.skills.get(folded(name))
        if found is not None:
            return found
        near = difflib.get_close_matches(folded(name), self.skills, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInput(f"there is no skill {name[:80]!r}", f"{hint}the skills are: {', '.join(self.skills) or 'none'}")


def bundled_folder() -> Path:
    """Where the skills that come with LAO are."""
    return Path(__file__).parent / "bundled"


def folders(
    root: Path, *, home: Path | None = None, dirs: Iterable[str] = (), workspace: Path | None = None
) -> list[tuple[Source, Path]]:
    """The folders to look into, the weakest first; they need not exist.

    Args:
        root: the project's folder, where factory.yaml is.
        home: the user's; None asks the system.
        dirs: ``skills.dirs``; relative ones count from ``root``.
        workspace: the plan's folder.
    """
    at_home = home or user_home()
    found = [(Source.WORKSPACE, workspace / name) for name in WORKSPACE_FOLDERS] if workspace else []
    found += [(Source.BUNDLED, bundled_folder())]
    found += [(Source.USER, at_home / name) for name in USER_FOLDERS]
    found += [(Source.SETTING, root / Path(name).expanduser()) for name in dirs]
    return found + [(Source.PROJECT, root / name) for name in PROJECT_FOLDERS]


def load_catalogue(places: Iterable[tuple[Source, Path]]) -> Catalogue:
    """Read the skills of all ``places``. A malformed one is a problem of the catalogue, and the others are there."""
    skills: dict[str, Skill] = {}
    problems: list[BadSkill] = []
    shadowed: list[Skill] = []
    seen: set[str] = set()
    for source, folder in places:
        for file in skill_files(folder, links=source is not Source.WORKSPACE):
            real = os.path.realpath(file)
            if real in seen:  # .claude/skills is often a link to .agents/skills
                continue
            seen.add(real)
            try:
                skill = read_skill(file, source)
            except BadSkill as problem:
                problems.append(problem)
                continue
            if (earlier := skills.get(folded(skill.name))) is not None:
                shadowed.append(earlier)
            skills[folded(skill.name)] = skill
    return Catalogue({name: skills[name] for name in sorted(skills)}, tuple(problems), tuple(shadowed))


def skill_files(folder: Path, *, links: bool = True) -> Iterator[Path]:
    """The files of the skills directly in ``folder``: SKILL.md of its folders, and ``name.md``. Goes no deeper, so that
    links in a circle lead nowhere.

    Args:
        links: whether folders and files that are links count.
    """
    try:
        names = sorted(os.listdir(folder))[:ENTRIES_LIMIT]  # noqa: PTH208 - names, also odd ones
    except OSError:
        return
    for name in names:
        path = folder / name
        if name.startswith(".") or (not links and path.is_symlink()):
            continue
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises on odd names
            for inner in ("SKILL.md", "skill.md"):
                if os.path.lexists(path / inner) and (links or not (path / inner).is_symlink()):
                    yield path / inner
                    break
        elif name.endswith(".md") and name.lower() not in ("readme.md", "skill.md"):
            yield path


def files_of(skill: Skill) -> tuple[str, ...]:
    """Relative paths of the files that belong to a skill, without its own; at most 40, none behind a link."""
    if skill.folder is None:
        return ()
    found: list[str] = []
    for folder, names, files in os.walk(skill.folder):
        names[:] = sorted(n for n in names if not n.startswith(".") and not (Path(folder) / n).is_symlink())
        for name in sorted(files):
            path = Path(folder) / name
            if path != skill.file and not name.startswith(".") and not path.is_symlink():
                found.append(path.relative_to(skill.folder).as_posix())
        if len(found) >= _FILES_SHOWN:
            break
    return tuple(found[:_FILES_SHOWN])


def read_file(skill: Skill, path: str) -> str:
    """The text of a file below the skill's folder.

    Raises:
        BadInput: there is no such file, it lies outside, or it is no text; in words for the model.
    """
    if skill.folder is None:
        raise BadInput(f"the skill {skill.name!r} has no files", "its instructions are all that it has")
    root = os.path.realpath(skill.folder)
    real = os.path.realpath(os.path.join(root, path)) if path and "\0" not in path else ""  # noqa: PTH118
    if not real.startswith(root + os.sep):
        raise BadInput(f"{path!r} is not a file of the skill {skill.name!r}", _offer(skill))
    file = Path(real)
    if not os.path.isfile(file):  # noqa: PTH113 - also false for devices and pipes
        raise BadInput(f"the skill {skill.name!r} has no file {path!r}", _offer(skill))
    if file.stat().st_size > _FILE_BYTES:
        raise BadInput(f"{path!r} of the skill {skill.name!r} is larger than {_FILE_BYTES} bytes", "go on without it")
    raw = file.read_bytes()
    if b"\0" in raw:
        raise BadInput(f"{path!r} of the skill {skill.name!r} is binary", "go on without it")
    return raw.decode("utf-8", errors="replace")


def _offer(skill: Skill) -> str:
    return f"its files are: {', '.join(files_of(skill)) or 'none'}"
