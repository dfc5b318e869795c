"""The text protocol for models without tools: whole files, SEARCH/REPLACE blocks and patches in an answer.

Every form is understood whatever was asked for. Writes nothing.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lao.core.diffs import FileDiff, Hunk, looks_like_patch, parse_patch, render
from lao.core.elisions import elision
from lao.core.errors import BadInput
from lao.llm.clean import clean
from lao.llm.paths import comment_path, explicit_path, heading_path, info_path, meant

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_END_FILE = re.compile(r"^\s*\**END[ _]FILE\b.*$", re.IGNORECASE)
_SEARCH = re.compile(r"^\s*<{5,9} ?SEARCH\b")
_DIVIDER = re.compile(r"^\s*={5,9}\s*$")
_REPLACE = re.compile(r"^\s*>{5,9} ?REPLACE\b")
_RAW_PATCH = re.compile(r"^\s*(?:\*\*\* Begin Patch\s*$|\*\*\* (?:Update|Add) File: |diff --git )")
_END_PATCH = re.compile(r"^\s*\*\*\* End Patch\s*$")
_OLD, _NEW = re.compile(r"^--- \S"), re.compile(r"^\+\+\+ \S")
_PATCH_LINE = re.compile(r"^(?:[ +\-\\@]|$|\*\*\* |diff --git |index |(?:new|old|deleted) )")
_CHANGE_LINE = re.compile(r"^(?:[+@]|-(?! \S))")  # "- x" may be an item of a list
_PATCH_FILES = (".diff", ".patch")
_NOT_CODE = frozenset(
    (
        "bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal", "powershell", "cmd",
        "bat", "text", "txt", "plaintext", "output",
    )
)  # fmt: skip
_LANGUAGES = {
    ".py": ("python", "py", "python3"), ".js": ("javascript", "js", "jsx"), ".ts": ("typescript", "ts", "tsx"),
    ".md": ("markdown", "md"), ".json": ("json", "jsonc"), ".yaml": ("yaml", "yml"), ".yml": ("yaml", "yml"),
    ".sh": ("bash", "sh", "shell"), ".html": ("html",), ".css": ("css",), ".go": ("go", "golang"),
    ".rs": ("rust", "rs"), ".sql": ("sql",), ".toml": ("toml",), ".txt": ("text", "txt", "plaintext"),
    ".java": ("java",), ".c": ("c",), ".rb": ("ruby", "rb"),
}  # fmt: skip


@dataclass(frozen=True)
class FileBlock:
    """A whole file as the model wrote it; the content ends with a line break unless empty."""

    path: str
    content: str


@dataclass(frozen=True)
class PatchBlock:
    """One edit: a SEARCH/REPLACE block, or one place of a patch.

    Attributes:
        patch: the same as a patch of its own when anchors or line numbers say more than ``search`` does, else "".
    """

    path: str
    search: str
    replace: str
    patch: str = ""


@dataclass(frozen=True)
class TextFiles:
    """What an answer says to write.

    Attributes:
        problems: one sentence each, fit to be sent back to the model.
        cut: path of the block in which the answer was cut off at the token limit; it is in neither list.
    """

    files: tuple[FileBlock, ...] = ()
    patches: tuple[PatchBlock, ...] = ()
    problems: tuple[str, ...] = ()
    cut: str = ""


@dataclass
class _Block:
    info: str
    body: list[str]
    path: str
    explicit: bool
    closed: bool


@dataclass
class _Reading:
    lines: list[str]
    expected: tuple[str, ...]
    truncated: bool
    files: dict[str, str] = field(default_factory=dict)
    patches: list[PatchBlock] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    loose: list[_Block] = field(default_factory=list)
    cut: str = ""


def read_files(text: str, expected: tuple[str, ...] = (), *, truncated: bool = False) -> TextFiles:
    """Files and edits in ``text``.

    Args:
        expected: paths that the task is about; a lone block without a path is the file when there is exactly one.
        truncated: the answer ended at the token limit; an unclosed block is then cut, not complete.
    """
    text = clean(text)
    state = _Reading(text.replace("\r\n", "\n").split("\n"), expected, truncated)
    _scan(state)
    if not (state.files or state.patches or state.problems or state.cut):
        _place_loose(state, text)
    files = tuple(FileBlock(p, c) for p, c in state.files.items())
    return TextFiles(files, tuple(state.patches), tuple(state.problems), state.cut)


def _scan(state: _Reading) -> None:
    at, above = 0, ""
    while at < len(state.lines):
        line = state.lines[at]
        if _SEARCH.match(line):
            at, above = _take_patch(state, state.lines, at, heading_path(above)), ""
        elif _RAW_PATCH.match(line) or _is_diff_head(state.lines, at):
            at, above = _take_raw_patch(state, at), ""
        elif fence := _FENCE.match(line):
            block, at = _take_fence(state, at, fence, above)
            _place(state, block)
            above = ""
        elif explicit_path(line) and (end := _end_file(state.lines, at)):
            body = _unfenced(state.lines[at + 1 : end])
            _store(state, explicit_path(line), body)
            at, above = end + 1, ""
        else:
            above = line if line.strip() else above
            at += 1


def _end_file(lines: list[str], at: int) -> int:
    """Index of the ``END FILE`` line that belongs to the header at ``at``, or 0."""
    for n in range(at + 1, len(lines)):
        if _END_FILE.match(lines[n]):
            return n
        if explicit_path(lines[n]) and lines[n].lstrip().upper().startswith("FILE"):
            return 0
    return 0


def _unfenced(body: list[str]) -> list[str]:
    while body and not body[0].strip():
        body = body[1:]
    while body and not body[-1].strip():
        body = body[:-1]
    if len(body) > 1 and _FENCE.match(body[0]) and body[-1].strip() in ("```", "~~~", "````"):
        return body[1:-1]
    return body


def _take_fence(state: _Reading, at: int, fence: re.Match[str], above: str) -> tuple[_Block, int]:
    lines, marks, info = state.lines, fence["marks"], fence["info"].strip()
    named = explicit_path(above) or info_path(info)
    nests = PurePosixPath(named or heading_path(above)).suffix in (".md", ".markdown")
    depth, n = 0, at + 1
    while n < len(lines):
        inner = _FENCE.match(lines[n])
        if inner and inner["marks"].startswith(marks):
            if not inner["info"].strip():
                if depth == 0 and len(inner["indent"]) <= len(fence["indent"]):
                    break
                depth -= 1 if depth else 0
            elif nests:
                depth += 1
        elif lines[n].startswith("FILE") and explicit_path(lines[n]) and _opens(lines, n + 1):
            n -= 1  # the model forgot to close the block before the next file
            break
        n += 1
    closed = n < len(lines)
    body = lines[at + 1 : n + (1 if closed and not _FENCE.match(lines[n]) else 0)]
    first = next((line for line in body if line.strip()), "")
    path = named or comment_path(first) or heading_path(above)
    return _Block(info, body, path, bool(named), closed), n + 1


def _opens(lines: list[str], at: int) -> bool:
    return any(_FENCE.match(line) for line in lines[at : at + 2])


def _place(state: _Reading, block: _Block) -> None:
    if any(_SEARCH.match(line) for line in block.body):
        at, above = 0, ""
        while at < len(block.body):
            if _SEARCH.match(block.body[at]):
                at = _take_patch(state, block.body, at, heading_path(above) or block.path)
            else:
                above = block.body[at] if block.body[at].strip() else above
                at += 1
        return
    language = (block.info.split() or [""])[0].lower()
    if _is_patch(block, language):
        if not block.closed and state.truncated:
            state.cut = meant(block.path, state.expected) or "the patch"
        else:
            _store_patch(state, "\n".join(block.body), block.path)
        return
    odd = language in _NOT_CODE and language not in _LANGUAGES.get(PurePosixPath(block.path).suffix, ())
    if not block.path or (odd and not block.explicit):
        state.loose.append(block)
    elif not block.closed and state.truncated:
        state.cut = meant(block.path, state.expected)
    else:
        _store(state, block.path, block.body)


def _store(state: _Reading, path: str, body: list[str]) -> None:
    path = meant(path, state.expected)
    state.files.pop(path, None)  # a later version of the same file replaces the earlier one, whatever it is worth
    if left_out := elision("\n".join(body)):
        state.problems.append(f"{path}: the line {left_out[:80]!r} leaves code out. Write the file completely.")
        return
    content = "\n".join(body).strip("\n")
    if not content.strip() and PurePosixPath(path).name not in ("__init__.py", ".gitkeep", "py.typed"):
        state.problems.append(f"{path}: the block is empty. Write the file completely.")
        return
    state.files[path] = content + "\n" if content else ""


def _is_diff_head(lines: list[str], at: int) -> bool:
    return bool(_OLD.match(lines[at])) and at + 1 < len(lines) and bool(_NEW.match(lines[at + 1]))


def _take_raw_patch(state: _Reading, at: int) -> int:
    """Read a patch that stands in the answer without a fence; returns the index behind it."""
    lines = state.lines
    framed = next((n for n in range(at, len(lines)) if _END_PATCH.match(lines[n])), 0)
    end = framed or at + 1
    while not framed and end < len(lines):
        # models forget the blank before an unchanged line; what follows tells whether the patch goes on
        if not _PATCH_LINE.match(lines[end]) and not any(map(_CHANGE_LINE.match, lines[end + 1 : end + 5])):
            break
        end += 1
    if end == len(state.lines) and state.truncated:
        state.cut = "the patch"
    else:
        _store_patch(state, "\n".join(state.lines[at:end]), "")
    return end + 1 if end < len(state.lines) and _END_PATCH.match(state.lines[end]) else end


def _is_patch(block: _Block, language: str) -> bool:
    if PurePosixPath(block.path).suffix in _PATCH_FILES:
        return False
    return language in ("diff", "patch", "udiff", "apply_patch") or looks_like_patch("\n".join(block.body))


def _store_patch(state: _Reading, text: str, path: str) -> None:
    only = state.expected[0] if len(state.expected) == 1 else ""
    try:
        diffs = parse_patch(text, meant(path, state.expected) or only)
    except BadInput as exc:
        state.problems.append(f"{exc.message}: {exc.hint}.")
        return
    for diff in diffs:
        path = meant(diff.path, state.expected)
        if diff.content is not None:
            _store(state, path, diff.content.split("\n"))
            continue
        for hunk in diff.hunks:
            state.patches.append(PatchBlock(path, "\n".join(hunk.search), "\n".join(hunk.replace), _own(path, hunk)))


def _own(path: str, hunk: Hunk) -> str:
    if not (hunk.anchors or hunk.line) and hunk.search:
        return ""
    return render(FileDiff(path, (hunk,)))


def _take_patch(state: _Reading, lines: list[str], at: int, path: str) -> int:
    """Read one SEARCH/REPLACE block that starts at ``at``; returns the index behind it."""
    only = state.expected[0] if len(state.expected) == 1 else ""
    path = meant(path, state.expected) or (state.patches[-1].path if state.patches else only)
    divider = next((n for n in range(at + 1, len(lines)) if _DIVIDER.match(lines[n])), 0)
    end = next((n for n in range(divider + 1, len(lines)) if _REPLACE.match(lines[n])), 0) if divider else 0
    if not end:
        if state.truncated:
            state.cut = path or "the last edit"
        else:
            state.problems.append("A SEARCH/REPLACE block has no ======= or no >>>>>>> REPLACE line.")
        return len(lines)
    if not path:
        state.problems.append("A SEARCH/REPLACE block has no path. Write FILE: and the path on the line above it.")
    else:
        search, replace = lines[at + 1 : divider], lines[divider + 1 : end]
        state.patches.append(PatchBlock(path, "\n".join(search), "\n".join(replace)))
    return end + 1


def _place_loose(state: _Reading, text: str) -> None:
    """A lone block without a path is the task's only file; among several, none is guessed."""
    if len(state.expected) != 1:
        if state.loose:
            state.problems.append("A code block has no path. Write FILE: and the path on the line above each block.")
        return
    path = state.expected[0]
    block = _dominant(state.loose, PurePosixPath(path).suffix)
    if block is not None:
        if not block.closed and state.truncated:
            state.cut = path
        else:
            _store(state, path, block.body)
    elif state.loose:
        state.problems.append(f"Which block is {path}? Write one block only, with FILE: {path} on the line above it.")
    elif path.endswith(".py") and not state.truncated and _is_python(text):
        _store(state, path, text.split("\n"))


def _dominant(blocks: list[_Block], suffix: str) -> _Block | None:
    wanted = _LANGUAGES.get(suffix, ())
    named = [b for b in blocks if (b.info.split() or [""])[0].lower() in wanted]
    plain = [b for b in blocks if not b.info.strip()]
    blocks = named or plain or [b for b in blocks if (b.info.split() or [""])[0].lower() not in _NOT_CODE]
    if suffix == ".py" and len(blocks) > 1:
        blocks = [b for b in blocks if any(re.match(r"(?:async def|def|class) ", line) for line in b.body)]
    return blocks[0] if len(blocks) == 1 else None


def _is_python(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) for n in tree.body)
