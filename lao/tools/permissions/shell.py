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
_OPERATORS: Final = frozenset({"&&", "||", "|", "|&", "<", ">", "&", ";"})
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
    if _is_deep(nodes):
        return Line((), problem="it nests too deeply")
    if root.has_error:
        bad = next((n for n in nodes if n.type == "ERROR" or n.is_missing), root)
        row, column = bad.start_point
        return Line((), problem=f"the shell syntax at line {row + 1}, column {column + 1} is not understood")
    problem = _continuation(text) or _stray(nodes) or _other_shell(nodes) or _number(raw, nodes) or _unseen(raw, nodes)
    if not problem and (gap := _gap(raw, nodes)):
        problem = f"the shell syntax of {gap[:40]!r} is not understood"
    if problem:
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


def _is_deep(nodes: list[Node]) -> bool:
    """Whether something lies deeper than ``_walk`` goes."""
    seen = {node.id for node in nodes}
    return any(child.id not in seen for node in nodes for child in node.children)


def _gap(text: bytes, nodes: list[Node]) -> str:
    """A piece of the line that the parser has dropped without a word of it."""
    bodies = [(node.start_byte, node.end_byte) for node in nodes if node.type == "heredoc_body"]
    leaves = [(node.start_byte, node.end_byte) for node in nodes if not node.child_count]
    at = 0
    for start, end in sorted([*leaves, *bodies, (len(text), len(text))]):  # the text of a body between its expansions
        gap = text[at : max(at, start)].replace(b"\\\n", b"").strip()
        if gap not in (b"", b"-"):  # a lone "-" before a here-document; it is no file and no command
            return gap.decode("utf-8", "replace")
        at = max(at, end)
    return ""


def _unseen(text: bytes, nodes: list[Node]) -> str:
    """Substitutions that the shell would run and the parser has not seen: in here-documents it overlooks some."""
    found = [node for node in nodes if node.type in ("command_substitution", "arithmetic_expansion")]
    begins = {node.start_byte for node in found}
    ends = {node.end_byte - 1 for node in found}
    quoted = [(node.start_byte, node.end_byte) for node in nodes if _is_literal(node)]
    back = [(node.start_byte, node.end_byte) for node in found if (node.text or b"").startswith(b"`")]
    for match in re.finditer(rb"(\\*)(\$\(|`)", text):
        at = match.start(2)
        if any(start <= at < end for start, end in quoted):
            continue
        escaped = len(match[1]) % 2 == 1
        nested = escaped and match[2] == b"`" and any(start < at < end for start, end in back)
        if nested or (not escaped and at not in begins and not (match[2] == b"`" and at in ends)):
            row = text.count(b"\n", 0, at) + 1
            return (
                f"the substitution at line {row} is not understood; in a here-document that is only text, quote the "
                "delimiter: <<'EOF'"
            )
    return ""


def _is_literal(node: Node) -> bool:
    """Whether the shell expands nothing in it."""
    if node.type == "heredoc_body" and node.parent is not None:
        start = next((source(c) for c in node.parent.children if c.type == "heredoc_start"), "")
        return any(c in start for c in "'\"\\")
    if node.type not in ("raw_string", "ansi_c_string", "comment"):
        return False
    holder = node.parent
    while holder is not None and holder.type != "expansion":  # "${x:-'$(a)'}" runs a: quotes in it are only text
        holder = holder.parent
    return holder is None


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
    return [word for child in holder.children for word in _behind_targets(child)]


def _behind_targets(redirect: Node) -> list[Node]:
    if redirect.type == "file_redirect":
        return list(redirect.children_by_field_name("destination")[1:])
    if redirect.type != "heredoc_redirect":
        return []
    inner = [word for child in redirect.children for word in _behind_targets(child)]
    return [*redirect.children_by_field_name("argument"), *inner]


def _stray(nodes: list[Node]) -> str:
    """Words behind the redirection of a group: no shell takes them."""
    for node in nodes:
        if node.type == "redirected_statement":
            body = node.child_by_field_name("body")
            bare = body is None or body.type not in ("command", "list", "pipeline", "negated_command")
            if bare and any(_behind_targets(child) for child in node.children):
                return "words stand behind a redirection that belongs to no command"
    return ""


def _other_shell(nodes: list[Node]) -> str:
    """What means one thing to bash, whose grammar the parser has, and runs a command in a plainer /bin/sh."""
    for node in nodes:
        if node.type == "compound_statement" and source(node).startswith("(("):
            return "not every /bin/sh has (( )); write $(( )) or [ ]"
        if node.type == "ansi_c_string" and "\\'" in source(node):
            return "an escaped quote in $'…', which not every /bin/sh reads alike; write it in double quotes"
        if node.type in _OPERATORS and _is_in_test(node):
            return f"{node.type!r} between the brackets of a test; write one test for each side"
        if node.type == "redirected_statement" and any(_behind_targets(child) for child in node.children):
            signs = {child.type for redirect in node.children for child in redirect.children}
            if signs & {"&>", "&>>"}:
                return "words stand behind '&>'; write > FILE 2>&1 at the end of the command"
    return ""


def _number(text: bytes, nodes: list[Node]) -> str:
    """A number right before a redirection that the parser took for a word, or one that only some shells take for a
    stream's number."""
    for node in nodes:
        if node.type in ("file_redirect", "heredoc_redirect", "herestring_redirect"):
            stream = next((source(c) for c in node.children if c.type == "file_descriptor"), "")
            if len(stream) > 1 or text[max(0, node.start_byte - 1) : node.start_byte].isdigit():
                return "a number stands right before a redirection; write a blank between, or only 1 or 2"
    return ""


def _is_in_test(node: Node) -> bool:
    holder = node.parent
    while holder is not None and holder.type in ("binary_expression", "unary_expression", "parenthesized_expression"):
        holder = holder.parent
    return holder is not None and holder.type == "test_command"


def _continuation(text: str) -> str:
    """A line break that is escaped in the middle of a word: the parser sees two words, the shell one."""
    for found in re.finditer(r"\S\\\n(?=[^\s])", text):
        at = len(text[: found.start() + 1].encode("utf-8", "replace"))
        root = _parser().parse(text.encode("utf-8", "replace")).root_node
        node = root.descendant_for_byte_range(at, at)
        while node is not None:
            if node.type in ("raw_string", "string", "ansi_c_string", "heredoc_body", "comment"):
                break
            node = node.parent
        if node is None:
            return "a word is broken by a backslash at the end of a line; write it in one piece"
    return ""


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
