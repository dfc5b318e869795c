"""Probes of edit formats: three small edits in each, really applied and compared. Knows no other use of the formats."""

from __future__ import annotations

import ast
from dataclasses import asdict, dataclass

from lao.agents.calibration.bench import Bench, NoTime, cut_while_thinking
from lao.agents.prompt import load, schema
from lao.core.chat import ChatAnswer
from lao.core.diffs import parse_patch
from lao.core.errors import AttemptFailed, BadInput
from lao.core.profile import Score
from lao.core.words import Json
from lao.llm.textfiles import PatchBlock, read_files
from lao.tools.hunks import apply_hunks
from lao.tools.patching import apply_patch

_TOKENS = {"whole": 150, "search_replace": 120, "patch": 140}
_HOPELESS = 2
"""After so many wrong edits and none right a format is given up."""


@dataclass(frozen=True)
class Edit:
    """A file, what to change in it, and the only right result."""

    path: str
    language: str
    change: str
    before: str
    after: str


def edits() -> tuple[Edit, ...]:
    """The edits that are tried."""
    return tuple(Edit(**item) for item in schema("calibrate_edits")["edits"])


def probe(bench: Bench, name: str) -> dict[str, Json]:
    """The score of one format, as ``{"edits": {name: ...}}``; nothing when too little was heard for a score."""
    right = tried = 0
    for edit in edits():
        try:
            answer = bench.ask(_task(edit), _TOKENS[name], system=load(f"calibrate_{name}"))
        except NoTime:
            break
        except AttemptFailed:
            tried += 1
            continue
        if cut_while_thinking(answer):
            break
        tried += 1
        right += succeeds(answer, edit, name)
        if tried >= _HOPELESS and not right:
            break
    return {"edits": {name: asdict(Score(right, tried))}} if tried >= _HOPELESS else {}


def _task(edit: Edit) -> str:
    return load(
        "calibrate_edit", path=edit.path, language=edit.language, change=edit.change, before=edit.before.rstrip("\n")
    )


def succeeds(answer: ChatAnswer, edit: Edit, name: str) -> bool:
    """Whether the answer, in the format asked for, makes the right file out of the one before."""
    parsed = read_files(answer.text, (edit.path,), truncated=answer.finish_reason == "length")
    if parsed.problems or parsed.cut:
        return False
    if name == "whole":
        contents = [f.content for f in parsed.files if f.path == edit.path]
        return len(contents) == 1 and not parsed.patches and same(contents[0], edit)
    marked = "<<<<<" in answer.text
    if parsed.files or not parsed.patches or marked is not (name == "search_replace"):
        return False
    text = edit.before
    for patch in parsed.patches:
        if patch.path != edit.path:
            return False
        try:
            text = _applied(text, patch)
        except BadInput:
            return False
    return same(text, edit)


def _applied(text: str, patch: PatchBlock) -> str:
    """The text after the edit, as the tool file_patch makes it. Raises BadInput where that would."""
    if not patch.patch:
        return apply_patch(text, patch.search, patch.replace, patch.path)[0]
    for diff in parse_patch(patch.patch, patch.path):
        text = apply_hunks(text, diff, patch.path).text
    return text


def same(text: str, edit: Edit) -> bool:
    """Whether ``text`` is the right file, blank lines and comments aside."""
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(edit.after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
