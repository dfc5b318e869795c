"""Words of a shell line as the shell would make them, as far as the text tells: quotes, escapes, braces, constants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tree_sitter import Node
else:
    Node = Any

_MOST_WORDS: Final = 64
_GLOB: Final = re.compile(r"(?<!\\)[*?\[]")
_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}
_ANSI: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|c(.)|(.))", re.DOTALL
)
_PLAIN_EXPANSION: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Word:
    """One word of a command.

    Attributes:
        text: without quotes; what only the shell knows stands in it as it was written.
        known: whether that is all of it: False with a variable, a substitution, or braces that cannot be told.
        glob: whether it is a pattern of file names.
    """

    text: str
    known: bool = True
    glob: bool = False


def source(node: Node | None) -> str:
    """The node as it stands in the line; "" for none."""
    return ((node and node.text) or b"").decode("utf-8", "replace")


def words_of(node: Node, constants: Mapping[str, str]) -> list[Word]:
    """The words that one argument becomes; several where braces or a constant with blanks are expanded.

    Args:
        constants: variables with one value that is known.
    """
    value = _constant(node, constants)
    if value is not None:
        return [Word(text) for text in value.split()] or []
    word, braces = _word(node, constants)
    if not braces or not word.known:
        return [Word(word.text, word.known and not braces, word.glob)]
    expanded = _expanded(word.text)
    return [Word(text, True, word.glob) for text in expanded] if expanded else [Word(word.text, False)]


def _constant(node: Node, constants: Mapping[str, str]) -> str | None:
    if node.type in ("command_name", "concatenation") and node.named_child_count == 1:
        return _constant(node.named_children[0], constants)
    found = _PLAIN_EXPANSION.fullmatch(source(node)) if node.type in ("simple_expansion", "expansion") else None
    return constants.get(found[1] or found[2]) if found else None


def _word(node: Node, constants: Mapping[str, str]) -> tuple[Word, bool]:
    """The word, and whether braces of it may be expanded."""
    text = source(node)
    kind = node.type
    if kind in ("word", "number", "variable_name", "string_content", "extglob_pattern", "regex"):
        plain = re.sub(r"\\(.)", lambda m: "" if m[1] == "\n" else m[1], text, flags=re.DOTALL)
        unescaped = re.sub(r"\\.", "", text, flags=re.DOTALL)
        glob = bool(_GLOB.search(unescaped)) or kind == "extglob_pattern"
        return Word(plain, True, glob), bool(re.search(r"[{}]", unescaped))
    if kind == "raw_string":
        return Word(text[1:-1]), False
    if kind == "ansi_c_string":
        return Word(_ANSI.sub(_unescaped, text[2:-1])), False
    if kind in ("string", "translated_string"):
        return _string(text, node, constants), False
    if kind in ("concatenation", "command_name"):
        made = [_word(child, constants) for child in node.children]
        joined = "".join(word.text for word, _ in made)
        known, glob = all(w.known for w, _ in made), any(w.glob for w, _ in made)
        return Word(joined, known, glob), any(b for _, b in made)
    value = _constant(node, constants)
    if value is not None:
        return Word(value), False
    return Word(text, False, False), False


def _string(text: str, node: Node, constants: Mapping[str, str]) -> Word:
    """A text in double quotes. Its pieces are cut out of the source: the parser drops blanks between expansions."""
    offset, raw = node.start_byte, node.text or b""
    if node.type == "translated_string" and node.named_child_count:
        return _string(text[1:], node.named_children[0], constants)
    made, known, at = "", True, 1
    for child in node.named_children:
        if child.type == "string_content":
            continue
        made += _in_quotes(raw[at : child.start_byte - offset])
        value = _constant(child, constants)
        made += source(child) if value is None else value
        known = known and value is not None
        at = child.end_byte - offset
    return Word(made + _in_quotes(raw[at:-1]), known)


def _in_quotes(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return re.sub(r"\\([$`\"\\\n])", lambda m: "" if m[1] == "\n" else m[1], text)


def _unescaped(match: re.Match[str]) -> str:
    for digits, base in zip(match.groups()[:4], (16, 16, 16, 8), strict=True):
        if digits:
            number = int(digits, base)
            return chr(number) if number < 0x110000 else "?"
    if match[5]:
        return chr(ord(match[5]) & 31)
    return _ESCAPES.get(match[6], match[6])


def _expanded(text: str) -> list[str]:
    """Braces expanded as bash does; [] when there are too many or the braces are not plain."""
    start = text.find("{")
    if start < 0:
        return [text]
    depth, commas, at = 0, [start], start
    for at in range(start, len(text)):  # where the loop ended is what is wanted
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 1 and text[at] == ",":
            commas.append(at)
        if depth == 0:
            break
    if depth:
        return [text]
    inner = text[start + 1 : at]
    if len(commas) == 1:
        tails = _expanded(text[at + 1 :])
        literal = [f"{text[: at + 1]}{tail}" for tail in tails]
        return literal if ".." not in inner and "{" not in inner else []
    pieces = [text[a + 1 : b] for a, b in zip(commas, [*commas[1:], at], strict=True)]
    heads = [made for piece in pieces for made in _expanded(piece)]
    tails = _expanded(text[at + 1 :])
    if not tails or len(heads) * len(tails) > _MOST_WORDS:
        return []
    return [f"{text[:start]}{head}{tail}" for head, tail in product(heads, tails)]
