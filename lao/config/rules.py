"""The grammar of permission rules, ``Tool`` or ``Tool(specifier)``, and which can have no effect. Decides nothing."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lao.config.problems import nearest
from lao.core.tool_names import BY_PATH, OTHER_NAMES, OWN, PILOT_ACTING, PILOT_READING, SHELL, WRITING, is_mcp, tools_of

KINDS: Final = ("deny", "ask", "allow")
"""In the order in which they count."""

_FORM: Final = re.compile(r"\s*([A-Za-z_][\w.*-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)
_QUOTED: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""")
_OPERATOR: Final = re.compile(r"&&|\|\|?|;|&(?![>\d])|\n")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SHOWN: Final = 80
_REDIRECTION: Final = re.compile(r"[<>]")
_LIKE_COMMAND: Final = re.compile(r":\*$|\s-|\s\*$|&&|\||;|\$\(|`")


class RuleError(ValueError):
    """A rule that is not one, or that can have no effect; the text says why and what to write instead."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        text: as it was written.
        kind: deny, ask or allow.
        tools: the tools that it is about (``lao.core.tool_names``), or one MCP server or tool.
        specifier: what must match; "" for every call of the tools.
        justification: told to the model when the rule refuses.
        source: file with its line, flag or variable; "" when it is not known.
    """

    text: str
    kind: str
    tools: tuple[str, ...]
    specifier: str = ""
    justification: str = ""
    source: str = ""

    @property
    def bare(self) -> bool:
        """Whether the rule is about every call of its tools."""
        return not self.specifier


def parse_rule(entry: Any, kind: str, source: str = "") -> Rule:
    """The rule of one entry of ``permissions.allow``, ``ask`` or ``deny``.

    Args:
        entry: the text, or a mapping of ``rule`` and ``justification``.

    Raises:
        RuleError: no such tool, a broken form, or a rule that no call can match.
    """
    text, justification = _parts_of(entry)
    if _CONTROL.search(text):
        raise RuleError(f"{text[:_SHOWN]!r} has a control character, which no call has")
    form = _FORM.fullmatch(text)
    if form is None:
        raise RuleError(f'{text[:_SHOWN]!r} is no rule; write Tool or Tool(specifier), for example "Bash(npm test *)"')
    name, specifier = form[1], (form[2] or "").strip()
    tools = tools_of(name)
    if not tools:
        raise RuleError(_unknown(name))
    if form[2] is not None and not specifier:
        raise RuleError(f"{text!r} has nothing between its brackets; write {name!r} for every call")
    if specifier in ("*", "**", ":*"):
        specifier = ""
    if specifier:
        _check_specifier(name, tools, specifier)
    if tools == (SHELL,) and specifier.endswith(":*"):  # the older form of the same
        specifier = specifier[:-2] + " *"
    return Rule(text, kind, tools, specifier, justification, source)


def parse_rules(permissions: Mapping[str, Any], sources: Mapping[tuple[str, int], str]) -> tuple[Rule, ...]:
    """Every rule of a document that ``rule_problems`` has nothing against, in the order in which they count.

    Args:
        sources: of an entry, by kind and place in its list.
    """
    return tuple(
        parse_rule(entry, kind, sources.get((kind, index), ""))
        for kind in KINDS
        for index, entry in enumerate(permissions.get(kind) or ())
    )


def rule_problems(permissions: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """(kind, place in its list, what is wrong) of every entry that is no rule or can have no effect."""
    found: list[tuple[str, int, str]] = []
    rules: list[tuple[str, int, Rule]] = []
    for kind in KINDS:
        for index, entry in enumerate(permissions.get(kind) or ()):
            try:
                rules.append((kind, index, parse_rule(entry, kind)))
            except RuleError as error:
                found.append((kind, index, str(error)))
    for kind, index, rule in rules:
        earlier = [other for at, _, other in rules if KINDS.index(at) < KINDS.index(kind)]
        stronger = _shadow(rule, earlier)
        if stronger is not None:
            found.append((kind, index, f"{rule.text!r} can have no effect: {stronger.kind} {stronger.text!r} wins"))
    return found


def _shadow(rule: Rule, stronger: Iterable[Rule]) -> Rule | None:
    for other in stronger:
        if set(rule.tools) <= set(other.tools) and (other.bare or other.specifier == rule.specifier):
            return other
    return None


def _parts_of(entry: Any) -> tuple[str, str]:
    if isinstance(entry, str):
        return entry, ""
    unknown = sorted(set(entry) - {"rule", "justification"})
    if unknown:
        raise RuleError(f"unknown key {unknown[0]!r}; a rule is a text, or a mapping of rule and justification")
    if not isinstance(entry.get("rule"), str) or not isinstance(entry.get("justification", ""), str):
        raise RuleError("a rule is a text, or a mapping of rule and justification, both texts")
    return entry["rule"], entry.get("justification", "")


def _unknown(name: str) -> str:
    known = sorted({*OWN, *OTHER_NAMES})
    match = nearest(name, known) or next((k for k in known if k.casefold() == name.casefold()), None)
    told = ", ".join(name for name in known if name not in PILOT_READING | PILOT_ACTING)
    hint = f'; did you mean "{match}"?' if match else f"; the tools are {told}, the Pilot's, and mcp__SERVER__TOOL"
    return f"there is no tool {name[:_SHOWN]!r}{hint}"


def _check_specifier(name: str, tools: Sequence[str], specifier: str) -> None:
    if tools == (SHELL,):
        _check_command(specifier)
    elif set(tools) <= BY_PATH:
        _check_path(name, tools, specifier)
    elif is_mcp(name):
        raise RuleError(f"{name}({specifier}) can match nothing: rules for MCP tools take no brackets; write {name!r}")
    else:
        raise RuleError(f"{name}({specifier}) can match nothing: rules for {name} take no brackets; write {name!r}")


def _check_command(specifier: str) -> None:
    plain = _QUOTED.sub("", specifier)
    found = _OPERATOR.search(plain)
    if found is not None:
        raise RuleError(
            f"Bash({specifier}) can match nothing: a line is cut at {found[0].strip() or 'line breaks'!r}, and each "
            "part is checked by itself; write a rule for each part"
        )
    if _REDIRECTION.search(plain):
        raise RuleError(
            f"Bash({specifier}) can match nothing: redirections are checked as paths; write Write(path) or Read(path)"
        )
    if plain.count("(") != plain.count(")"):
        raise RuleError(f"Bash({specifier}): its brackets do not pair; quote one that belongs to the command")
    if ":*" in plain[:-2]:
        raise RuleError(f"Bash({specifier}): ':*' is a prefix only at the end; '*' may stand anywhere")


def _check_path(name: str, tools: Sequence[str], specifier: str) -> None:
    if _LIKE_COMMAND.search(specifier):
        raise RuleError(
            f"{name}({specifier}) can match nothing: {name} takes a path, this is a command; write Bash({specifier})"
        )
    if specifier.startswith("!"):
        raise RuleError(f"{name}({specifier}): '!' is not known in rules; write an allow and a deny rule")
    if "\\" in specifier and not re.search(r"\\[*?\[\]\\]", specifier):
        raise RuleError(f"{name}({specifier}): paths are separated with '/'")
    outside = specifier.startswith(("~", "//", "$")) or re.match(r"[A-Za-z]:", specifier)
    normal = posixpath.normpath(specifier.lstrip("/")) if specifier.strip("/") else ""
    if outside or normal == ".." or normal.startswith("../"):
        verb = "writes" if set(tools) <= WRITING else "reads"
        raise RuleError(
            f"{name}({specifier}) can match nothing: no tool {verb} outside the workspace; "
            "paths count from the workspace, as in Edit(/src/**)"
        )
    if normal in ("", "."):
        raise RuleError(f"{name}({specifier}) names the workspace itself; write {name!r} for all that is in it")
    bare = specifier.removeprefix("./").strip("/")
    if bare != posixpath.normpath(bare):
        right = posixpath.normpath(specifier)
        raise RuleError(
            f"{name}({specifier}) can match nothing: paths have no '//', '.' or '..'; write {name}({right})"
        )
