"""The decision about one call of a tool: deny rules, built-in denials, ask rules, allow rules, then the mode."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lao.config.rules import Rule, RuleError, parse_rule
from lao.config.settings import PermissionSettings
from lao.core.tool_names import BY_PATH, LEAVING, READING, SHELL, WRITING, covers
from lao.core.words import Json
from lao.tools.permissions.built_in import leaves, refuse_part, unreadable
from lao.tools.permissions.decision import Decision, Judged, Verdict, strictest
from lao.tools.permissions.hiding import names_folder
from lao.tools.permissions.matching import command_matches, exact_path, exactly, names_of, path_matches, why_not
from lao.tools.permissions.places import Place, place_of
from lao.tools.permissions.reading import only_reads
from lao.tools.permissions.shell import Line, Part, read_line
from lao.tools.permissions.variants import may_become, spellings
from lao.tools.permissions.words import Word

_EDITING: Final = frozenset({"accept_edits", "dont_ask", "plan_only"})
"""Modes in which files of the workspace are written without a question (plan_only: when the plan is approved)."""

_MOST_FILES: Final = 200


@dataclass(frozen=True)
class Policy:
    """The permissions of one workspace.

    Attributes:
        settings: mode and rules.
        root: the folder that tools work in.
    """

    settings: PermissionSettings
    root: Path

    def with_rules(self, texts: Iterable[str]) -> Policy:
        """The same with further allow rules, as a person's "always" makes them; one that is no rule is left out."""
        known = {rule.text for rule in self.settings.rules if rule.kind == "allow"}
        more: list[Rule] = []
        for text in texts:
            try:
                more += [parse_rule(text, "allow", "always")] if text not in known else []
            except RuleError:
                continue
        return replace(self, settings=replace(self.settings, rules=(*self.settings.rules, *more))) if more else self

    def hides(self, tool: str) -> bool:
        """Whether a rule denies every call of the tool, so that the model need not see it."""
        return any(rule.bare and _covers(rule, tool) for rule in self._rules("deny"))

    def decide(self, tool: str, arguments: Mapping[str, Json], *, planning: bool = False) -> Decision:
        """Whether a call may run.

        Args:
            tool: its real name.
            arguments: as the tool's schema wants them.
            planning: plan mode holds; nothing but reading is allowed, whatever the rules say.
        """
        if planning and tool not in READING and tool != LEAVING:
            reason = (
                "in plan mode only reading is allowed; read, make a plan, and call exit_plan_mode with it. "
                "When the plan is approved, this is possible"
            )
            return strictest((Judged(_shown(tool, arguments), Verdict.DENY, "plan mode", reason),))
        if tool == SHELL:
            return self._decide_line(str(arguments.get("command", "")))
        return strictest((self._judge_call(tool, arguments),))

    def allows_command(self, command: str) -> bool:
        """Whether a command line may run without a question."""
        return self.decide(SHELL, {"command": command}).verdict is Verdict.ALLOW

    # -- tools with paths, and others

    def _judge_call(self, tool: str, arguments: Mapping[str, Json]) -> Judged:
        what = _shown(tool, arguments)
        path = arguments.get("path") if tool in BY_PATH else None
        given = path if isinstance(path, str) else "." if tool == "list_dir" else None
        names = names_of(self.root, given) if given else ()
        if (rule := self._path_rule("deny", tool, names)) is not None:
            return _denied(what, rule)
        if given:
            problem = why_not(self.root, given, writing=tool in WRITING, folder=tool == "list_dir")
            if problem is not None:
                return Judged(what, Verdict.DENY, "built-in", problem)
        mode = self.settings.mode
        if tool == LEAVING:
            return self._judge_leaving(what)
        if mode != "bypass" and (rule := self._path_rule("ask", tool, names)) is not None:
            return self._asked(what, _by(rule), _why(rule), "")
        if (rule := self._path_rule("allow", tool, names)) is not None:
            return Judged(what, Verdict.ALLOW, _by(rule))
        if tool in READING:
            return Judged(what, Verdict.ALLOW, "reads only")
        remember = tool if not names else f"Edit({exact_path(names[0])})" if tool in WRITING else ""
        return self._by_mode(what, remember, edit=tool in WRITING)

    def _judge_leaving(self, what: str) -> Judged:
        if self.settings.plan_approval == "auto":
            return Judged(what, Verdict.ALLOW, "permissions.plan_approval auto")
        return self._asked(what, "permissions.plan_approval ask", "a person must approve the plan", "")

    def _path_rule(self, kind: str, tool: str, names: tuple[str, ...]) -> Rule | None:
        """The first rule about the call. A scoped rule against one way of writing a file holds for every way."""
        for rule in self._rules(kind):
            if rule.bare:
                if _covers(rule, tool):
                    return rule
                continue
            writes = kind != "allow" and tool in WRITING and bool(set(rule.tools) & WRITING)
            if kind == "deny" and tool in WRITING and "file_read" in rule.tools:  # a failed edit shows what is there
                writes = any(os.path.lexists(self.root / name) for name in names)
            if not (writes or _covers(rule, tool)) or not names:
                continue
            matches = names_folder if kind == "deny" and tool == "list_dir" else path_matches
            hits = [matches(rule.specifier, name) for name in names]
            if all(hits) if kind == "allow" else any(hits):
                return rule
        return None

    # -- command lines

    def _decide_line(self, command: str) -> Decision:
        line = read_line(command)
        if line.problem:
            return strictest((self._judge_unreadable(command, line.problem),))
        astray = leaves(line, self.root)
        parts = tuple(j for p in line.parts if (j := self._judge_part(p, line, astray=astray)) is not None)
        return strictest(parts)

    def _judge_unreadable(self, command: str, problem: str) -> Judged:
        shown = command[:200]
        if self.settings.mode != "bypass" or any(SHELL in rule.tools for rule in self._rules("deny")):
            return Judged(shown, Verdict.DENY, "built-in", unreadable(problem))
        return Judged(shown, Verdict.ALLOW, "mode bypass")

    def _judge_part(self, part: Part, line: Line, *, astray: bool) -> Judged | None:
        """None for what decides nothing: wrappers whose command is a part of its own, and what only may be one."""
        what = _shown_part(part)
        if (rule := self._part_rule("deny", part)) is not None:
            return _denied(what, rule)
        if self.settings.mode == "bypass":
            return Judged(what, Verdict.ALLOW, "mode bypass") if part.sure else None
        if (problem := refuse_part(part, self.root, astray=astray)) is not None:
            return Judged(what, Verdict.DENY, "built-in", problem)
        if (rule := self._part_rule("ask", part)) is not None:
            return self._asked(what, _by(rule), _why(rule), "")
        if not part.sure:
            return None
        if (rule := self._allowing(part)) is not None:
            return Judged(what, Verdict.ALLOW, _by(rule))
        if part.wraps or (part.kind == "command" and part.text.split(" ")[0] in line.functions):
            return None
        real_root = Path(os.path.realpath(self.root))
        if only_reads(part, real_root, astray=astray):
            return Judged(what, Verdict.ALLOW, "reads only")
        inside = part.kind == "write" and place_of(part.words[0], real_root, astray=astray) is Place.INSIDE
        return self._by_mode(what, self._remember(part), edit=inside, hidden=part.hidden)

    def _part_rule(self, kind: str, part: Part) -> Rule | None:
        """The first deny or ask rule that the part, or a path in it, falls under."""
        for rule in self._rules(kind):
            if SHELL in rule.tools:
                hit = part.kind == "command" if rule.bare else self._is_command(rule, part)
            elif rule.bare:
                hit = part.kind == "write" and set(rule.tools) >= WRITING
            else:
                hit = self._touches(rule, part)
            if hit:
                return rule
        return None

    def _is_command(self, rule: Rule, part: Part) -> bool:
        if part.kind == "assignment":
            return command_matches(rule.specifier, part.text)
        if part.kind != "command":
            return False
        return command_matches(rule.specifier, *spellings(part)) or may_become(rule.specifier, part)

    def _touches(self, rule: Rule, part: Part) -> bool:
        """Whether a redirection, or any word of a command that is a path, falls under a path rule."""
        writing = bool(set(rule.tools) & WRITING)
        if writing and part.kind != "write":
            return False
        if not writing and (part.kind == "write" or "file_read" not in rule.tools):
            return False
        words = part.words[1:] if part.kind == "command" else part.words
        matches = path_matches if writing else names_folder  # a command may read all that is in a folder
        if writing and not words[0].known:
            return True  # it may be the forbidden place
        if not writing and part.program == "git":  # HEAD:path
            words = (*words, *(replace(w, text=w.text.partition(":")[2]) for w in words if ":" in w.text))
        return any(matches(rule.specifier, name) for word in words for name in self._names(word))

    def _names(self, word: Word) -> tuple[str, ...]:
        text = word.text.partition("=")[2] if word.text.startswith("-") and "=" in word.text else word.text
        if not word.glob:
            return names_of(self.root, text) if text else ()
        found = glob.glob(text, root_dir=self.root, recursive=True)[:_MOST_FILES]  # noqa: PTH207 - it must not follow text
        return tuple(name for one in found for name in names_of(self.root, one))

    def _allowing(self, part: Part) -> Rule | None:
        """The first allow rule for the part. A rule that allows every command allows its redirections as well."""
        for rule in self._rules("allow"):
            if SHELL in rule.tools:
                if rule.bare:
                    return rule
                if part.kind == "assignment" and command_matches(rule.specifier, part.text):
                    return rule
                if part.kind == "command" and not part.hidden and part.words[0].known:
                    texts = (part.raw,) if part.assigned else (part.raw, part.text)
                    if command_matches(rule.specifier, *texts):
                        return rule
            elif part.kind == "write" and set(rule.tools) & WRITING and part.words[0].known:
                names = names_of(self.root, part.words[0].text)
                if names and (rule.bare or all(path_matches(rule.specifier, name) for name in names)):
                    return rule
        return None

    def _remember(self, part: Part) -> str:
        if part.kind == "write":
            names = names_of(self.root, part.words[0].text) if part.words[0].known else ()
            text = f"Edit({exact_path(names[0])})" if names else ""
        else:
            text = "" if part.hidden else f"Bash({exactly(' '.join(part.raw.split()))})"
        try:
            rule = parse_rule(text, "allow") if text else None
        except RuleError:
            return ""
        return text if rule is not None and Policy(PermissionSettings(rules=(rule,)), self.root)._allowing(part) else ""

    # -- the rest

    def _rules(self, kind: str) -> Iterable[Rule]:
        return (rule for rule in self.settings.rules if rule.kind == kind)

    def _asked(self, what: str, by: str, reason: str, remember: str) -> Judged:
        if self.settings.mode == "dont_ask":
            told = f"{reason}; in mode dont_ask nobody is asked, so it is refused"
            return Judged(what, Verdict.DENY, f"{by}, mode dont_ask", told)
        return Judged(what, Verdict.ASK, by, reason, remember)

    def _by_mode(self, what: str, remember: str, *, edit: bool, hidden: str = "") -> Judged:
        mode = self.settings.mode
        by = f"mode {mode}"
        if mode in ("auto", "bypass") or (edit and mode in _EDITING):
            return Judged(what, Verdict.ALLOW, by)
        more = f" ({hidden})" if hidden else ""
        if mode == "dont_ask":
            reason = f"no rule allows {what!r}{more}, and in mode dont_ask only that is run, beside reading and edits"
            return Judged(what, Verdict.DENY, by, reason)
        return Judged(what, Verdict.ASK, by, f"no rule allows {what!r}{more}", remember)


def _covers(rule: Rule, tool: str) -> bool:
    return any(covers(name, tool) for name in rule.tools)


def _by(rule: Rule) -> str:
    return f"rule {rule.kind} {rule.text}" + (f" ({rule.source})" if rule.source else "")


def _why(rule: Rule) -> str:
    text = f"the rule {rule.text!r} {'forbids it' if rule.kind == 'deny' else 'wants a person to be asked'}"
    return f"{text}: {rule.justification}" if rule.justification else text


def _denied(what: str, rule: Rule) -> Judged:
    return Judged(what, Verdict.DENY, _by(rule), _why(rule))


def _shown(tool: str, arguments: Mapping[str, Json]) -> str:
    first = arguments.get("path") or arguments.get("command")
    return f"{tool}({first})" if isinstance(first, str) else tool


def _shown_part(part: Part) -> str:
    text = " ".join(part.raw.split())
    if part.kind in ("write", "read"):
        text = f"{'>' if part.kind == 'write' else '<'} {part.text}"
    return text if len(text) <= 200 else text[:199] + "…"
