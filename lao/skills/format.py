"""One skill file in, a ``Skill`` or what is wrong with it out. The format: agentskills.io/specification, and LAO 3.1's.

A skill of the specification is a folder with a SKILL.md; LAO 3.1 had single files (``name.md`` with name, description,
tools, examples). Looks for no folders (``catalogue.py``).
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from lao.core.errors import BadInput

NAME_LIMIT: Final = 64
DESCRIPTION_LIMIT: Final = 1024
COMPATIBILITY_LIMIT: Final = 500
BYTES_LIMIT: Final = 100_000
"""Of a skill's file; the specification advises 500 lines."""

FIELDS: Final = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
_OLD_FIELDS: Final = frozenset({"name", "description", "tools", "examples"})
_FENCE: Final = "---"
_TOOL: Final = re.compile(r"[^\s,()]+(?:\([^)]*\))?")
_PLAIN_PAIR: Final = re.compile(r"^([\w-]+):[ \t]+(\S.*)$")


class Source(str, Enum):
    """Where a skill was found, the weakest first: a later one of the same name stands for an earlier one."""

    WORKSPACE = "workspace"
    BUNDLED = "bundled"
    USER = "user"
    SETTING = "skills.dirs"
    PROJECT = "project"


@dataclass(frozen=True)
class Skill:
    """One skill.

    Attributes:
        description: what it does and when to use it, one line.
        body: the instructions, Markdown.
        file: the file that it was read from.
        allowed_tools: rules such as ``"Bash(git:*)"``; while the skill is open no other tool runs. () narrows nothing.
        notes: what is odd about it and does no harm.
    """

    name: str
    description: str
    body: str
    source: Source
    file: Path
    allowed_tools: tuple[str, ...] = ()
    license: str = ""
    compatibility: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        """Where the files are that may be read on demand; None where there are none, or where a model may have
        written them."""
        single = self.file.name.lower() != "skill.md"
        return None if single or self.source is Source.WORKSPACE else self.file.parent


class BadSkill(BadInput):
    """A skill that cannot be used; the message names file and line."""

    def __init__(self, file: Path, line: int, message: str, hint: str = "") -> None:
        super().__init__(f"{file}, line {line}: {message}", hint)
        self.file, self.line, self.what = file, line, message


def folded(name: str) -> str:
    """The name as it is looked up: LAO 3.1 wrote ``write_tests`` where the specification wants ``write-tests``."""
    return unicodedata.normalize("NFKC", name.strip()).lower().replace("_", "-").replace(" ", "-")


def read_skill(file: Path, source: Source) -> Skill:
    """The skill in ``file``: a folder's SKILL.md, or a single file ``name.md``.

    Raises:
        BadSkill: what is wrong, where, and what to do.
    """
    text = _text(file)
    pairs, lines, body, notes = _parts(file, text)
    single = file.name.lower() != "skill.md"
    expected = file.stem if single else file.parent.name
    name = _name(file, pairs.get("name", expected if single else None), lines, expected, single)
    description = _described(file, pairs.get("description"), lines)
    extra = sorted(set(pairs) - (_OLD_FIELDS | FIELDS if single else FIELDS))
    notes += [f"field {key!r} is not in the specification and says nothing here" for key in extra]
    if not body.strip():
        raise BadSkill(file, len(text.splitlines()) or 1, "it has no instructions", "write them below the second '---'")
    return Skill(
        name=name,
        description=description,
        body=body.strip() + _examples(pairs.get("examples")),
        source=source,
        file=file,
        allowed_tools=_tools(file, pairs, lines),
        license=_short(file, "license", pairs.get("license", ""), lines, DESCRIPTION_LIMIT),
        compatibility=_short(file, "compatibility", pairs.get("compatibility", ""), lines, COMPATIBILITY_LIMIT),
        metadata=_metadata(file, pairs.get("metadata"), lines),
        notes=tuple(notes),
    )


def _text(file: Path) -> str:
    try:
        status = os.stat(file)  # noqa: PTH116 - Path.stat is the same, but odd names raise ValueError in both
        if not stat.S_ISREG(status.st_mode):
            raise BadSkill(file, 1, "it is not a regular file", "put a text file there")
        if status.st_size > BYTES_LIMIT:
            raise BadSkill(
                file, 1, f"it has {status.st_size} bytes, more than {BYTES_LIMIT}", "move parts into references/"
            )
        raw = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadSkill(file, 1, f"it cannot be read: {reason}", "correct or remove it") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadSkill(file, line, "it is not UTF-8 text", "save it as UTF-8") from error
    if "\0" in text:
        raise BadSkill(file, text[: text.index("\0")].count("\n") + 1, "it is binary", "put a text file there")
    return text.replace("\r\n", "\n")


def _parts(file: Path, text: str) -> tuple[dict[str, Any], dict[str, int], str, list[str]]:
    """(front matter, line of each key, body, notes)."""
    rows = text.split("\n")
    if rows[0].rstrip() != _FENCE:
        raise BadSkill(file, 1, "it has no front matter", "begin it with '---', name, description, '---'")
    end = next((n for n, row in enumerate(rows[1:], 1) if row.rstrip() == _FENCE), None)
    if end is None:
        raise BadSkill(file, 1, "its front matter has no end", "close it with a line '---'")
    front, notes = rows[1:end], list[str]()
    try:
        pairs, lines = _yaml(file, "\n".join(front))
    except BadSkill:
        mended = [_quoted(row) for row in front]
        if mended == front:
            raise
        pairs, lines = _yaml(file, "\n".join(mended))
        notes.append("a value with ': ' in it was not quoted; it was read as text")
    return pairs, lines, "\n".join(rows[end + 1 :]), notes


def _quoted(row: str) -> str:
    """A ``key: value`` line whose value has a colon, with the value quoted: a common slip that no YAML reader takes."""
    match = _PLAIN_PAIR.match(row)
    if match is None or match[2][0] in "\"'|>[{&*" or ": " not in match[2]:
        return row
    return f"{match[1]}: {json.dumps(match[2].rstrip(), ensure_ascii=False)}"


def _yaml(file: Path, front: str) -> tuple[dict[str, Any], dict[str, int]]:
    import yaml

    try:
        node = yaml.compose(front, Loader=yaml.BaseLoader)
        # The base loader makes every scalar a string, as the specification's validator does: a version 1.10 stays so.
        pairs = yaml.load(front, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but strings, lists and maps
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark is not None else 2
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise BadSkill(file, line, f"its front matter is not valid YAML: {problem}", "quote the value") from error
    except (ValueError, RecursionError) as error:
        raise BadSkill(file, 2, f"its front matter cannot be read: {error}", "write plain 'key: value'") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(pairs, dict):
        raise BadSkill(file, 2, "its front matter has no 'key: value' lines", "write name and description there")
    return pairs, {str(key.value): key.start_mark.line + 2 for key, _ in node.value}


def _name(file: Path, given: Any, lines: dict[str, int], expected: str, single: bool) -> str:
    line = lines.get("name", 1)
    if given is None:
        raise BadSkill(file, line, "its name is missing", f"add 'name: {expected}'")
    name = unicodedata.normalize("NFKC", given.strip()) if isinstance(given, str) else ""
    plain = name.replace("_", "-") if single else name
    wrong = (
        "must be a word" if not name
        else f"has {len(name)} characters, more than {NAME_LIMIT}" if len(name) > NAME_LIMIT
        else "must be lower case" if name != name.lower()
        else "may hold only letters, digits and hyphens" if not all(c.isalnum() or c == "-" for c in plain)
        else "may not begin or end with a hyphen, nor have two in a row" if plain.strip("-") != plain or "--" in plain
        else ""
    )  # fmt: skip
    if wrong:
        raise BadSkill(file, line, f"its name {wrong}", "such as 'pdf-processing'")
    if not single and unicodedata.normalize("NFKC", expected) != name:
        hint = f"rename the folder to {name!r}, or write 'name: {expected}'"
        raise BadSkill(file, line, f"its name {name!r} is not that of its folder {expected!r}", hint)
    return name


def _described(file: Path, given: Any, lines: dict[str, int]) -> str:
    line = lines.get("description", 1)
    if not isinstance(given, str) or not given.strip():
        raise BadSkill(file, line, "its description is missing", "say in one sentence what it does and when to use it")
    if len(given.strip()) > DESCRIPTION_LIMIT:
        what = f"its description has {len(given.strip())} characters, more than {DESCRIPTION_LIMIT}"
        raise BadSkill(file, line, what, "shorten it; details belong into the body")
    return " ".join(given.split())


def _short(file: Path, key: str, given: Any, lines: dict[str, int], limit: int) -> str:
    if not isinstance(given, str):
        raise BadSkill(file, lines.get(key, 1), f"its {key} is not text", f"write '{key}: some text'")
    if len(given) > limit:
        raise BadSkill(file, lines.get(key, 1), f"its {key} has more than {limit} characters", "shorten it")
    return given.strip()


def _metadata(file: Path, given: Any, lines: dict[str, int]) -> dict[str, str]:
    if given in (None, ""):
        return {}
    if not isinstance(given, dict):
        raise BadSkill(file, lines.get("metadata", 1), "its metadata is not a map", "write 'key: value' lines below it")
    # Values that are lists or maps are in skills of the wild; only their text is kept, and nothing here reads it.
    return {str(key): value if isinstance(value, str) else type(value).__name__ for key, value in given.items()}


def _tools(file: Path, pairs: dict[str, Any], lines: dict[str, int]) -> tuple[str, ...]:
    """The rules of ``allowed-tools`` (words with blanks between them; many write commas or a list), or 3.1's tools."""
    key = "allowed-tools" if "allowed-tools" in pairs else "tools"
    given = pairs.get(key) or ""
    if isinstance(given, list) and all(isinstance(item, str) for item in given):
        return tuple(item.strip() for item in given if item.strip())
    if not isinstance(given, str):
        raise BadSkill(file, lines.get(key, 1), f"its {key} are not words", f"write '{key}: Read Bash(git:*)'")
    return tuple(_TOOL.findall(given))


def _examples(given: Any) -> str:
    """LAO 3.1's examples, below the body."""
    items = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    shown = [str(item).strip() for item in items if isinstance(item, str) and item.strip()]
    return "\n\n## Examples\n" + "\n".join(f"- {item}" for item in shown) if shown else ""
