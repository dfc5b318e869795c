"""What a source file defines and what it refers to, by its language's parser where there is one, else by patterns.

Python is read by ``ast``; other languages by tree-sitter where the extra ``grammars`` is installed.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from lao.core.python_source import parsed
from lao.search import grammars

LANGUAGES: Final[Mapping[str, str]] = {
    ".py": "python", ".pyi": "python", ".js": "javascript", ".jsx": "javascript", ".mjs": "javascript",
    ".cjs": "javascript", ".ts": "typescript", ".mts": "typescript", ".cts": "typescript", ".tsx": "tsx", ".go": "go",
    ".rs": "rust", ".java": "java", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".cxx": "cpp", ".hh": "cpp",
    ".hpp": "cpp", ".rb": "ruby", ".php": "php", ".cs": "csharp", ".kt": "kotlin", ".swift": "swift", ".sh": "shell",
}  # fmt: skip

_LINE: Final = 120
_IDENTIFIER: Final = re.compile(r"[^\W\d]\w{2,}")
_MODIFIERS: Final = (
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|async|pub(?:\([^)]*\))?"
    r"|unsafe|override|open|sealed|virtual|inline|extern|const)\s+)*"
)
_DEFINITION: Final = re.compile(
    rf"^[ \t]*{_MODIFIERS}(?:class|interface|trait|struct|enum|type|object|module|namespace|protocol|impl|def|func|fn"
    r"|fun|function|record)\b\s*(?:\([^)]*\)\s*)?(?:\*\s*)?(?:self\.)?(?P<name>[^\W\d]\w*)"
    r"|^(?:export\s+)?(?:const|let|var)\s+(?P<bound>[^\W\d]\w*)\s*=\s*(?:async\s*)?(?:\(|function\b|\w+\s*=>)"
    r"|^(?P<shell>[^\W\d]\w*)\s*\(\)\s*\{"
    r"|^[^\W\d][\w<>\[\],:*& \t]*[ \t*&](?P<typed>[^\W\d]\w*)\s*\([^;]*\)\s*(?:const\s*)?\{?\s*$",
    re.M,
)


@dataclass(frozen=True)
class Definition:
    """``line`` counts from 1; ``text`` is that line, indented as in the file."""

    name: str
    line: int
    text: str


@dataclass(frozen=True)
class Tags:
    """Of one file: its definitions in the order of lines, and how often it refers to which names."""

    definitions: tuple[Definition, ...] = ()
    references: Mapping[str, int] = field(default_factory=dict)

    def to_text(self) -> str:
        """For the index."""
        return json.dumps([[[d.name, d.line, d.text] for d in self.definitions], self.references], ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Tags:
        """The reverse of ``to_text``."""
        definitions, references = json.loads(text)
        return cls(tuple(Definition(*d) for d in definitions), references)


def language_of(path: str) -> str:
    """The language that the ending of the name tells, "" for all else."""
    return LANGUAGES.get(PurePosixPath(path).suffix.lower(), "")


def reader_of(language: str) -> str:
    """What reads the language's tags now; tags of another reader are outdated."""
    return "tree" if language != "python" and grammars.has(language) else ""


def tags_of(language: str, text: str) -> Tags:
    """The tags of a text; none where the language is not known."""
    if not language:
        return Tags()
    if language == "python":
        tree = parsed(text)
        found = _by_pattern(text) if tree is None else _of_python(tree, text)
    else:
        read = grammars.tags(language, text)
        found = _by_pattern(text) if read is None else _of_tree(text, *read)
    return _cleaned(found)


def _of_python(tree: ast.Module, text: str) -> Tags:
    lines = text.splitlines()
    read: Counter[str] = Counter()
    references: Counter[str] = Counter()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                read[node.id] += 1
            else:
                bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Attribute):
            references[node.attr] += 1
        elif isinstance(node, ast.ImportFrom):
            references.update(alias.name for alias in node.names)
    definitions = tuple(_python_definitions(tree.body, lines))
    mine = bound - {d.name for d in definitions}  # a local variable is no reference to a function of the same name
    references.update({name: times for name, times in read.items() if name not in mine})
    return Tags(definitions, references)


def _python_definitions(body: list[ast.stmt], lines: list[str]) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield Definition(node.name, node.lineno, _head(lines, node.lineno, node.body[0].lineno))
            if isinstance(node, ast.ClassDef):
                yield from _python_definitions(node.body, lines)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.col_offset == 0:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [t.id for t in targets if isinstance(t, ast.Name)]
            yield from (Definition(name, node.lineno, _line(lines, node.lineno)) for name in names)
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _python_definitions([*node.body, *node.orelse], lines)


def _of_tree(text: str, defined: list[tuple[str, int]], references: Counter[str]) -> Tags:
    lines = text.splitlines()
    found = tuple(Definition(name, line, _line(lines, line)) for name, line in defined)
    return Tags(found, references or _identifiers(text, found))  # the query for C knows no references


def _by_pattern(text: str) -> Tags:
    lines = text.splitlines()
    found = []
    for match in _DEFINITION.finditer(text):
        name = match["name"] or match["bound"] or match["shell"] or match["typed"]
        number = text.count("\n", 0, match.start(match.lastgroup or 0)) + 1
        found.append(Definition(name, number, _line(lines, number)))
    return Tags(tuple(found), _identifiers(text, found))


def _identifiers(text: str, defined: Iterable[Definition]) -> Counter[str]:
    """Every identifier where it is not the name in a definition."""
    references = Counter(_IDENTIFIER.findall(text))
    references.subtract(Counter(d.name for d in defined))
    return +references


def _head(lines: list[str], first: int, body: int) -> str:
    """A signature of several lines in one."""
    further = (lines[n].strip() for n in range(first, min(body - 1, len(lines))))
    head = " ".join([lines[first - 1].rstrip(), *further]) if first <= len(lines) else ""
    return head.replace("( ", "(").replace(", )", ")").replace(" )", ")")[:_LINE]


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1].rstrip()[:_LINE] if number <= len(lines) else ""


def _cleaned(tags: Tags) -> Tags:
    """Sorted, each definition once, and nothing that cannot be stored."""
    once = {(d.name, d.line): d for d in tags.definitions if d.name}
    ordered = sorted(once.values(), key=lambda d: (d.line, d.name))
    return Tags(tuple(ordered), dict(sorted(tags.references.items())))
