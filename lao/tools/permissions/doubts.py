"""Where the parser may have it wrong: it recovers from anything, and its grammar is bash's. Each doubt is a refusal.

Found by comparing what real shells run with what was parsed (tests/tools/permissions): words and bytes that it drops,
substitutions that it does not see in here-documents and quotes, and what bash and a plainer /bin/sh run differently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lao.tools.permissions.words import source

if TYPE_CHECKING:
    from tree_sitter import Node
else:
    Node = Any

_OPERATORS: Final = frozenset({"&&", "||", "|", "|&", "<", ">", "&", ";"})


def doubt(text: str, root: Node, nodes: list[Node]) -> str:
    """Why a parsed line may do something else than its tree says; "" when there is no doubt.

    Args:
        nodes: of the tree, in the order of the text.
    """
    raw = text.encode("utf-8", "replace")
    if _is_deep(nodes):
        return "it nests too deeply"
    found = _continuation(text, root) or _stray(nodes) or _other_shell(nodes) or _number(raw, nodes)
    found = found or _unseen(raw, nodes)
    if not found and (gap := _gap(raw, nodes)):
        return f"the shell syntax of {gap[:40]!r} is not understood"
    return found


def behind_targets(redirect: Node) -> list[Node]:
    """The words behind the target of a redirection: the parser takes them for further targets, the shell for the
    command's."""
    if redirect.type == "file_redirect":
        return list(redirect.children_by_field_name("destination")[1:])
    if redirect.type != "heredoc_redirect":
        return []
    inner = [word for child in redirect.children for word in behind_targets(child)]
    return [*redirect.children_by_field_name("argument"), *inner]


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


def _stray(nodes: list[Node]) -> str:
    """Words behind the redirection of a group: no shell takes them."""
    for node in nodes:
        if node.type == "redirected_statement":
            body = node.child_by_field_name("body")
            bare = body is None or body.type not in ("command", "list", "pipeline", "negated_command")
            if bare and any(behind_targets(child) for child in node.children):
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
        if node.type == "redirected_statement" and any(behind_targets(child) for child in node.children):
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


def _continuation(text: str, root: Node) -> str:
    """A line break that is escaped in the middle of a word: the parser sees two words, the shell one."""
    for found in re.finditer(r"\S\\\n(?=[^\s])", text):
        at = len(text[: found.start() + 1].encode("utf-8", "replace"))
        node: Node | None = root.descendant_for_byte_range(at, at)
        while node is not None:
            if node.type in ("raw_string", "string", "ansi_c_string", "heredoc_body", "comment"):
                break
            node = node.parent
        if node is None:
            return "a word is broken by a backslash at the end of a line; write it in one piece"
    return ""
