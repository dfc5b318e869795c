"""A shell line cut into everything that it would do: commands, assignments, redirections. Judges nothing.

The cutting is the parser's (tree-sitter-bash), also inside substitutions, functions and loops; what commands such as
``env``, ``xargs`` or ``sh -c`` run in turn is in ``wrappers.py``. What the parser does not understand is a
problem, never a guess; and so is what bash, whose grammar it has, and a plainer /bin/sh would run differently.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lao.tools.permissions.doubts import behind_targets, doubt
from lao.tools.permissions.words import Word, source, words_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser
else:
    Node = Parser = Any

LONGEST: Final = 60_000
DEEPEST: Final = 120
"""Levels of the parser's tree; a substitution in a substitution takes three or four."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SETTING: Final = frozenset(
    {"read", "readarray", "mapfile", "getopts", "printf", "let", "eval", "source", ".", "unset"}
)
_OUTPUTS: Final = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<>"})


@dataclass(frozen=True)
class Part:
    """One thing that a line does.

    Attributes:
        kind: "command", "assignment" (of a variable of the shell), "write" or "read" (a redirection to a path).
        words: of a command its words; of an assignment and a redirection one word, the target.
        raw: as it stands in the line; made of the words where it is not a piece of the line.
        assigned: ``NAME=value`` before the command, for it alone.
        sure: False for what only may be a command (behind a wrapper whose options are not known): it counts when
            something is refused, never when something is allowed.
        wraps: whether the command only runs others, which are parts of their own.
        hidden: why it cannot be told what the command runs, or "".
        stdin: a here-document or here-string, if its text is known.
    """

    kind: str
    words: tuple[Word, ...]
    raw: str
    assigned: tuple[str, ...] = ()
    sure: bool = True
    wraps: bool = False
    hidden: str = ""
    stdin: str | None = None

    @property
    def text(self) -> str:
        """The words without quotes, a blank between two."""
        return " ".join(word.text for word in self.words)

    @property
    def program(self) -> str:
        """The last part of the first word's path; "" when there is none."""
        return self.words[0].text.rsplit("/", 1)[-1] if self.words else ""


@dataclass(frozen=True)
class Line:
    """A whole line: its parts in order, the functions that it defines, and why it cannot be told what it does."""

    parts: tuple[Part, ...]
    functions: frozenset[str] = frozenset()
    problem: str = ""


@functools.lru_cache(maxsize=256)
def read_line(text: str) -> Line:
    """Everything that ``/bin/sh -c text`` would do by its text, commands inside commands included."""
    from lao.tools.permissions.wrappers import unwrapped  # both call one another: a command may hold a line

    line = cut(text)
    parts: list[Part] = []
    problem = line.problem
    for part in line.parts:
        if part.kind != "command":
            parts.append(part)
            continue
        found, trouble = unwrapped(part)
        parts += found
        problem = problem or trouble
    return Line(tuple(parts), line.functions, problem)


def cut(text: str) -> Line:
    """The parts of one text, without a look into what its commands run in turn."""
    if len(text) > LONGEST:
        return Line((), problem=f"it is longer than {LONGEST} characters; write a script file and run that")
    if _CONTROL.search(text):
        return Line((), problem="it has a control character in it")
    raw = text.encode("utf-8", "replace")
    root = _parser().parse(raw).root_node
    nodes = list(_walk(root))
    if root.has_error:
        bad = next((n for n in nodes if n.type == "ERROR" or n.is_missing), root)
        row, column = bad.start_point
        return Line((), problem=f"the shell syntax at line {row + 1}, column {column + 1} is not understood")
    if problem := doubt(text, root, nodes):
        return Line((), problem=problem)
    functions = frozenset(source(n.child_by_field_name("name")) for n in nodes if n.type == "function_definition")
    constants = _constants(nodes)
    parts = tuple(part for node in nodes for part in _parts(node, constants))
    return Line(parts, functions)


@functools.cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def _walk(root: Node) -> Iterator[Node]:
    """Every node, in the order of the text, down to a depth that no honest line has; without recursion."""
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        yield node
        if depth < DEEPEST:
            stack.extend((child, depth + 1) for child in reversed(node.children))


def _parts(node: Node, constants: Mapping[str, str]) -> Iterator[Part]:
    if node.type == "command":
        yield _command(node, constants)
    elif node.type == "variable_assignment" and (node.parent is None or node.parent.type != "command"):
        yield Part("assignment", (Word(source(node)),), source(node))
    elif node.type in ("declaration_command", "unset_command"):
        words = tuple(Word(source(child)) for child in node.children)
        yield Part("command", words, source(node))
    elif node.type == "for_statement":
        name = source(node.child_by_field_name("variable"))
        yield Part("assignment", (Word(f"{name}=", known=False),), f"for {name}")
    elif node.type == "file_redirect":
        yield from _redirection(node, constants)


def _command(node: Node, constants: Mapping[str, str]) -> Part:
    words: list[Word] = []
    assigned: list[str] = []
    stdin: str | None = None
    for child in node.children:
        if child.type == "variable_assignment":
            assigned.append(source(child))
        elif child.type == "herestring_redirect":
            inner = words_of(child.named_children[-1], constants) if child.named_children else []
            stdin = " ".join(word.text for word in inner)
        elif child.type != "file_redirect":
            words += words_of(child, constants)
    late = _late_words(node)
    raw = " ".join(source(n) for n in (node, *late))
    words += [word for n in late for word in words_of(n, constants)]
    body = _document(node)
    return Part("command", tuple(words), raw, tuple(assigned), stdin=stdin if body is None else body)


def _late_words(node: Node) -> list[Node]:
    """Words of the command that stand behind a redirection: the parser takes them for further targets of that."""
    holder: Node | None = node.parent
    last = node
    while holder is not None and holder.type in ("list", "pipeline", "negated_command") and last == holder.children[-1]:
        last = holder
        holder = last.parent
    if holder is None or holder.type != "redirected_statement" or holder.child_by_field_name("body") != last:
        return []
    return [word for child in holder.children for word in behind_targets(child)]


def _document(node: Node) -> str | None:
    """The here-document that a command, or a group that it is in, reads."""
    holder = node.parent
    while holder is not None:
        if holder.type == "redirected_statement":
            for child in holder.children:
                if child.type == "heredoc_redirect":
                    return next((source(c) for c in child.children if c.type == "heredoc_body"), "")
        holder = holder.parent
    return None


def _redirection(node: Node, constants: Mapping[str, str]) -> Iterator[Part]:
    sign = next((source(c) for c in node.children if not c.is_named), "")
    target = node.child_by_field_name("destination")
    if target is None:
        return
    for word in words_of(target, constants):
        if sign in (">&", "<&") and (word.text.isdigit() or word.text in ("-", "") or word.text[:-1].isdigit()):
            continue  # a copy of another stream
        yield Part("write" if sign in _OUTPUTS else "read", (word,), source(node))


def _constants(nodes: list[Node]) -> dict[str, str]:
    """Variables that the line gives one known value and that nothing in it changes otherwise."""
    values: dict[str, str] = {}
    spoilt: set[str] = set()
    for node in nodes:
        if node.type == "command" and node.child_by_field_name("name") is not None:
            if source(node.child_by_field_name("name")) in _SETTING:
                return {}
        elif node.type == "for_statement":
            spoilt.update(source(n) for n in node.children if n.type == "variable_name")
        elif node.type == "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            key = source(name)
            made = words_of(value, {}) if value is not None else [Word("")]
            plain = len(made) == 1 and made[0].known and not made[0].glob and "+=" not in source(node)
            elsewhere = node.parent is not None and node.parent.type in ("command", "c_style_for_statement")
            if key in values or not plain or elsewhere:
                spoilt.add(key)
            else:
                values[key] = made[0].text
        elif node.type in ("postfix_expression", "unary_expression", "binary_expression"):
            spoilt.update(source(n) for n in node.children if n.type == "variable_name")
    return {name: value for name, value in values.items() if name not in spoilt}
